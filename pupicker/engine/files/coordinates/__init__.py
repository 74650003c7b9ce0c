"""Reading and writing coordinate tables: a file, or a folder with one file per micrograph.

``formats`` tells the format of a file: ``relion_star``, ``delimited`` (tsv, csv, txt), ``eman_box``, ``cryolo_cbox``,
``cryosparc``, ``eman2_json``, ``via``, ``xmipp``, ``scipion_sqlite``, and ``numbers``, which they share.  ``source`` is
what a reader knows beside the file, ``layout`` what a writer does, ``folders`` which tables a folder holds,
``placement`` how positions become pixels of the micrographs.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.folders import tables_of
from pupicker.engine.files.coordinates.formats import format_of, format_to_write
from pupicker.engine.files.coordinates.layout import Layout
from pupicker.engine.files.coordinates.placement import placed
from pupicker.engine.files.coordinates.relion_star import write_index
from pupicker.engine.files.coordinates.source import Reading, Source
from pupicker.engine.files.micrographs import read_header, resolve_pixel_size
from pupicker.engine.files.names import distinct_stems, match_names, say_matches
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import folder_for
from pupicker.shared.names import micrograph_key, plain_name, table_stem

__all__ = ["INDEXED", "CoordinateTable", "Layout", "Reading", "format_to_write", "index_of", "read_coordinates",
           "say_outside", "shapes_of", "write_coordinates", "write_folder_index", "write_index"]

_log = logging.getLogger(__name__)

INDEXED = ("_autopick.star", "_manualpick.star")
"""Ends of the names of tables to which RELION has an index."""


def read_coordinates(
    path: str | os.PathLike[str], micrographs: Sequence[Path] | None = None, reading: Reading | None = None,
) -> CoordinateTable:
    """Read a coordinate table.

    Parameters
    ----------
    path
        A file of any format in :mod:`pupicker.engine.files.coordinates.formats`, told from its content; or a folder
        with one such file per micrograph, a job of RELION, the output of crYOLO.  Files that do not name the micrograph
        in each row belong to the one they are named after (``a.box``, ``a_autopick.star``).
    micrographs
        If given, every name that :func:`~pupicker.engine.files.names.match_names` finds among them becomes that path,
        as ``str(path)``; the other names stay as they are, with a warning.
    reading
        How the table is meant, where it is not in pixels of the micrographs or its names are others.

    Returns
    -------
    CoordinateTable
        Possibly empty: whether that is an error is for the caller to decide.

    Raises
    ------
    InputError
        Nothing there, an unknown format, missing columns, a coordinate or score that is no finite number (with its
        line), fractions or a third coordinate, a name that fits several micrographs, or no name that fits any.
    """
    path, reading = Path(path), reading or Reading()
    files = tables_of(path) if path.is_dir() else [path]
    known = list(micrographs or ())
    named_after = _named_after(known, path.is_dir())
    seen_through = {plain_name(micrograph) for micrograph in known}
    of_table = replace(reading, pixel_size_ang=_pixel_size_of_table(known, reading))
    only = str(known[0]) if len(known) == 1 and not path.is_dir() else None

    def source_of(file: Path) -> Source:
        key = micrograph_key(file)
        meant = named_after.get(table_stem(file)) or named_after.get(key)
        certain = meant is not None or not named_after or plain_name(key) in seen_through
        return Source(meant or key, of_table, only, certain)

    table = CoordinateTable.concatenate([_read_file(file, source_of(file)) for file in files])
    if known:
        table = _matched(path, table, known, reading.name_pattern)
    elif reading.name_pattern is not None:
        table = table.renamed({name: _named_by(name, reading.name_pattern) or name for name in table.names()})
    try:
        table = placed(table, reading, _shape_among(known) if known else None)
    except InputError as error:
        raise InputError(f"{path}: {error}", *error.parameters) from error
    _say_doubled(path, table)
    return table


def say_outside(path: str | os.PathLike[str], table: CoordinateTable, *parameters: str) -> None:
    """A warning where the farthest rows lie outside of their micrographs: the table is in pixels of other images.

    Only the micrographs of the extreme rows are opened; `parameters` are those that would mend it.
    """
    if not len(table):
        return
    for row in dict.fromkeys(int(find(values)) for values in (table.x, table.y) for find in (np.argmax, np.argmin)):
        name = table.micrograph[row]
        shape, own = _shape(Path(name)), table.of(name)
        if shape is None:
            continue
        (left, right), (top, bottom) = ((values.min(), values.max()) for values in (own.x, own.y))
        if min(left, top) < -0.5 or right > shape[1] - 0.5 or bottom > shape[0] - 0.5:
            _log.warning("%s: rows lie outside of their micrographs: %s has %d x %d pixels, its rows go from x = %.6g"
                         " to %.6g, y = %.6g to %.6g; coordinates must be in pixels of the micrographs given", path,
                         name, shape[1], shape[0], left, right, top, bottom, extra={"parameters": parameters})
            return


def write_coordinates(
    path: str | os.PathLike[str],
    table: CoordinateTable,
    micrographs: Sequence[str | os.PathLike[str]] | None = None,
    box_size_px: int | None = None,
    per_micrograph_suffix: str | None = None,
) -> None:
    """Write a coordinate table; each file atomically.

    STAR carries the score as figure of merit and no probability; ``.tsv`` and ``.csv`` carry both; ``.txt`` is that of
    Topaz; ``.box`` (whole pixels) and ``.cbox`` have the score; ``.cs`` has fractions of the micrographs' size.

    Parameters
    ----------
    path
        A file, whose extension says the format; or a folder (existing, or a name without extension) for one file per
        micrograph.
    table
        Names are written as they are.
    micrographs
        For a folder: these get a file even if they have no particles.  For ``.cs``: say how large they are.
    box_size_px
        Side of the boxes; only ``.box`` and ``.cbox`` use (and need) it.
    per_micrograph_suffix
        End of the file names in a folder, e.g. ``.box`` or ``_autopick.star``; default ``.star``.  If given,
        `path` is a folder.

    Raises
    ------
    InputError
        An unknown format, or a format that cannot hold the table.
    """
    path = Path(path)
    if per_micrograph_suffix is None and path.suffix and not path.is_dir():
        shapes = shapes_of(table.names(), micrographs) if path.suffix.lower() == ".cs" else {}
        format_to_write(path).write(path, table, Layout(box_size_px, shapes))
        return
    suffix = per_micrograph_suffix or ".star"
    named = match_names(table.names(), [Path(name) for name in micrographs or ()])
    taken = {str(name) for name in named.values()}
    without = [str(name) for name in micrographs or () if str(Path(name)) not in taken]
    shapes = shapes_of(table.names(), micrographs) if suffix.lower().endswith(".cs") else {}
    stems = distinct_stems([*table.names(), *without])
    with folder_for(path):
        for name, stem in stems.items():
            target = path / f"{stem}{suffix}"
            format_to_write(target).write(target, table.of(name), Layout(box_size_px, shapes))


def write_folder_index(folder: Path, names: Sequence[str], ending: str) -> Path:
    """Write RELION's index of the tables in a folder, and return it: ``autopick.star`` for ``_autopick.star``.

    `names` are those of the micrographs; the folder is written as it is called from the folder of the project.
    """
    index = index_of(folder, ending)
    write_index(index, {name: folder / f"{stem}{ending}" for name, stem in distinct_stems(names).items()})
    return index


def index_of(folder: Path, ending: str) -> Path:
    """RELION's index of the tables in a folder whose names end so."""
    return folder / ending[1:]


def shapes_of(
    names: Sequence[str], micrographs: Sequence[str | os.PathLike[str]] | None = None
) -> dict[str, tuple[int, int]]:
    """Rows and columns of those micrographs that can be read, by their names in a table."""
    found = match_names(names, [Path(name) for name in micrographs]) if micrographs else {}
    shapes = {name: _shape(found.get(name, Path(name))) for name in names}
    return {name: shape for name, shape in shapes.items() if shape is not None}


def _shape(path: Path) -> tuple[int, int] | None:
    try:
        header = read_header(path)
    except InputError:
        return None
    return header.height, header.width


def _shape_among(micrographs: Sequence[Path]) -> Callable[[str], tuple[int, int] | None]:
    """Rows and columns by name; each header is read once."""
    given = {str(path): path for path in micrographs}
    known: dict[str, tuple[int, int] | None] = {}

    def shape_of(name: str) -> tuple[int, int] | None:
        if name not in known:
            known[name] = _shape(given[name]) if name in given else None
        return known[name]

    return shape_of


def _pixel_size_of_table(micrographs: Sequence[Path], reading: Reading) -> float | None:
    """Pixel size of the images that the table is of, as far as the user or a header says it."""
    pixel_size = reading.pixel_size_ang
    if pixel_size is None and micrographs:
        try:
            pixel_size = resolve_pixel_size(read_header(micrographs[0]), None)
        except InputError:
            return None
    return None if pixel_size is None else pixel_size * reading.scale


def _matched(
    path: Path, table: CoordinateTable, micrographs: Sequence[Path], pattern: str | None
) -> CoordinateTable:
    """The table with the paths of the micrographs for names; none at all is an error, a part is said."""
    meant = {name: _named_by(name, pattern) for name in table.names()}
    found = match_names([name for name in meant.values() if name], micrographs)
    matched = {name: found[short] for name, short in meant.items() if short in found}
    if meant and not matched:
        first = next(iter(meant))
        by_pattern = "" if pattern is None else f" (which the pattern makes {meant[first]!r})"
        none = "its only row is not" if len(table) == 1 else f"none of its {len(table)} rows is"
        one = "the only micrograph" if len(micrographs) == 1 else f"one of the {len(micrographs)} micrographs"
        raise InputError(
            f"{path}: {none} on {one}: the table names {first!r}{by_pattern}, the first micrograph"
            f" is {micrographs[0].name!r}; give its micrographs, or a pattern that says which part of its names is a"
            " micrograph's", "name_pattern",
        )
    rows = {name: len(table.of(name)) for name in meant if name not in matched}
    say_matches(path, matched, rows, len(table))
    return table.renamed(matched)


def _say_doubled(path: Path, table: CoordinateTable) -> None:
    """A warning of rows that another row repeats: two tables of the same particles, joined."""
    rows = Counter(zip(table.micrograph.tolist(), table.x.tolist(), table.y.tolist(), strict=True))
    repeated = len(table) - len(rows)
    if repeated:
        first = next(row for row, number in rows.items() if number > 1)
        _log.warning("%s: %d of its %d rows %s another one, with the same micrograph, x and y; the first: %s at %g, %g",
                     path, repeated, len(table), "repeats" if repeated == 1 else "repeat", *first)


def _named_by(name: str, pattern: str | None) -> str | None:
    """The part of a name that a pattern says is the micrograph's; None: the pattern does not fit."""
    if pattern is None:
        return name
    found = re.search(pattern, name)
    return found.group(1) if found else None


def _named_after(micrographs: Sequence[Path], one_each: bool) -> dict[str, str]:
    """Micrograph that a table of this name belongs to; a single table need not be named after one."""
    try:
        return {stem: name for name, stem in distinct_stems(map(str, micrographs)).items()}
    except InputError:
        if one_each:
            raise
        return {}


def _read_file(path: Path, source: Source) -> CoordinateTable:
    try:
        return format_of(path).read(path, source)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
