"""File formats of coordinate tables, by extension.

A format is a module with ``read(path, micrograph) -> CoordinateTable`` and ``write(path, table, box_size_px)``.  A new
one is a new module and a line in :data:`FORMATS` (and its extension in ``TABLE_SUFFIXES`` of ``shared.names``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates import delimited, eman_box, relion_star
from pupicker.engine.runtime.errors import InputError


class CoordinateFormat(Protocol):
    """What a module of this package offers."""

    def read(self, path: Path, micrograph: str) -> CoordinateTable:
        """Read the file `path`; its rows belong to `micrograph` where the file names none."""

    def write(self, path: Path, table: CoordinateTable, box_size_px: int | None) -> None:
        """Write `table` to `path`, atomically."""


FORMATS: dict[str, CoordinateFormat] = {
    ".star": relion_star,
    ".tsv": delimited,
    ".csv": delimited,
    ".txt": delimited,
    ".box": eman_box,
}


def format_of(path: Path) -> CoordinateFormat:
    """The format for the extension of `path`; InputError if there is none."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InputError(f"{path}: not a coordinate table; known formats are {', '.join(FORMATS)}") from None
