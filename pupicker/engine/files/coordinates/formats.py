"""File formats of coordinate tables, told from the content, else from the extension.

A format is a module of this folder with ``SUFFIXES``, ``recognises(sample)`` and ``read(path, source)``; where it can
be written also ``write(path, table, layout)``.  A new one is a new module and its name in :data:`FORMATS` (and its
extensions in ``TABLE_SUFFIXES`` of ``shared.names``, which tell a table's name from its micrograph's).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates import (
    cryolo_cbox,
    cryosparc,
    delimited,
    eman2_json,
    eman_box,
    relion_star,
    scipion_sqlite,
    via,
    xmipp,
)
from pupicker.engine.files.coordinates.layout import Layout
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.packed import require_file
from pupicker.engine.files.sample import Sample
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import TABLE_SUFFIXES


class CoordinateFormat(Protocol):
    """What a module of this package offers; the ones that can be written have ``write`` too."""

    SUFFIXES: tuple[str, ...]

    def recognises(self, sample: Sample) -> bool:
        """Whether this is such a file."""

    def read(self, path: Path, source: Source) -> CoordinateTable:
        """Read the file `path`."""


class WritableFormat(CoordinateFormat, Protocol):
    """A format that can be written."""

    def write(self, path: Path, table: CoordinateTable, layout: Layout) -> None:
        """Write `table` to `path`, atomically."""


FORMATS: tuple[CoordinateFormat, ...] = (
    cryosparc, scipion_sqlite, cryolo_cbox, xmipp, relion_star, eman2_json, via, eman_box, delimited,
)
"""In the order in which they are tried."""

_OF_SUFFIX: dict[str, CoordinateFormat] = {suffix: form for form in FORMATS for suffix in form.SUFFIXES}
BY_SUFFIX = {suffix: _OF_SUFFIX.pop(suffix) for suffix in TABLE_SUFFIXES} | _OF_SUFFIX
"""The format of each extension, the usual ones first."""
WRITTEN = {suffix: form for suffix, form in BY_SUFFIX.items() if hasattr(form, "write")}
"""Those that can be written."""


def format_of(path: Path) -> CoordinateFormat:
    """The format of a file that is there: that of its content, else that of its extension.

    Raises
    ------
    InputError
        Neither tells any.
    OSError
        There is no such file.
    """
    named = BY_SUFFIX.get(path.suffix.lower())
    require_file(path)
    sample = Sample.of(path)
    found = next((form for form in FORMATS if form.recognises(sample)), named)
    if found is None or (found is named and path.suffix.lower() == ".json" and not found.recognises(sample)):
        raise _unknown(path, BY_SUFFIX)
    return found


def is_table(path: Path) -> bool:
    """Whether a file looks like a coordinate table, or is empty and called like one."""
    try:
        sample = Sample.of(path)
    except OSError:
        return False
    if not sample.head.strip():
        return sample.suffix in BY_SUFFIX
    return any(form.recognises(sample) for form in FORMATS)


def format_to_write(path: Path) -> WritableFormat:
    """The format for the extension of a file to write; InputError if there is none."""
    form = WRITTEN.get(path.suffix.lower())
    if form is None:
        raise _unknown(path, WRITTEN)
    return form  # type: ignore[return-value]  # it has what the protocol asks for


def _unknown(path: Path, known: Mapping[str, object]) -> InputError:
    return InputError(f"{path}: not a coordinate table; known formats are {', '.join(known)}")
