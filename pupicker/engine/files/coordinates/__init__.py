"""Reading and writing coordinate tables: a file, or a folder with one file per micrograph.

``formats`` knows the format of a file: ``relion_star``, ``delimited`` (tsv, csv, txt), ``eman_box``, and ``numbers``,
which they share.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.formats import FORMATS, format_of
from pupicker.engine.files.names import distinct_stems, match_names
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import micrograph_key, table_stem

__all__ = ["CoordinateTable", "read_coordinates", "write_coordinates"]


def read_coordinates(
    path: str | os.PathLike[str], micrographs: Sequence[Path] | None = None,
) -> CoordinateTable:
    """Read a coordinate table.

    Parameters
    ----------
    path
        A file (``.star .tsv .csv .txt .box``), or a folder with one such file per micrograph.  Files that do not name
        the micrograph in each row belong to the one they are named after (``a.box``, ``a_autopick.star``).
    micrographs
        If given, every name that :func:`~pupicker.engine.files.names.match_names` finds among them becomes that path,
        as ``str(path)``; the other names stay as they are.

    Returns
    -------
    CoordinateTable
        Possibly empty: whether that is an error is for the caller to decide.

    Raises
    ------
    InputError
        Nothing there, an unknown format, missing columns, a coordinate or score that is no finite number (with its
        line), or a name that fits several micrographs.
    """
    path = Path(path)
    files = _tables_of(path) if path.is_dir() else [path]
    named_after = _named_after(micrographs or [], path.is_dir())
    table = CoordinateTable.concatenate([_read_file(file, named_after) for file in files])
    return table.renamed(match_names(table.names(), micrographs)) if micrographs else table


def write_coordinates(
    path: str | os.PathLike[str],
    table: CoordinateTable,
    micrographs: Sequence[str | os.PathLike[str]] | None = None,
    box_size_px: int | None = None,
    per_micrograph_suffix: str | None = None,
) -> None:
    """Write a coordinate table; each file atomically.

    STAR carries the score as figure of merit and no probability; ``.tsv``, ``.csv`` and ``.txt`` carry both; ``.box``
    the score.

    Parameters
    ----------
    path
        A file, whose extension says the format; or a folder (existing, or a name without extension) for one file per
        micrograph.
    table
        Names are written as they are.
    micrographs
        For a folder: these get a file even if they have no particles.
    box_size_px
        Side of the boxes; only ``.box`` uses (and needs) it.
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
        format_of(path).write(path, table, box_size_px)
        return
    suffix = per_micrograph_suffix or ".star"
    named = match_names(table.names(), [Path(name) for name in micrographs or ()])
    taken = {str(name) for name in named.values()}
    without = [str(name) for name in micrographs or () if str(Path(name)) not in taken]
    path.mkdir(parents=True, exist_ok=True)
    for name, stem in distinct_stems([*table.names(), *without]).items():
        target = path / f"{stem}{suffix}"
        format_of(target).write(target, table.of(name), box_size_px)


def _named_after(micrographs: Sequence[Path], one_each: bool) -> dict[str, str]:
    """Micrograph that a table of this name belongs to; a single table need not be named after one."""
    try:
        return {stem: name for name, stem in distinct_stems(map(str, micrographs)).items()}
    except InputError:
        if one_each:
            raise
        return {}


def _tables_of(folder: Path) -> list[Path]:
    """The tables of a folder, which must be of one format; hidden files are not looked at."""
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in FORMATS and not path.name.startswith(".")
    )
    if not files:
        raise InputError(f"{folder}: no coordinate tables ({', '.join(FORMATS)}) in this folder")
    suffixes = sorted({file.suffix.lower() for file in files})
    if len(suffixes) > 1:
        raise InputError(f"{folder}: holds tables of several formats ({', '.join(suffixes)}); leave one format in it")
    first: dict[str, Path] = {}
    for file in files:
        other = first.setdefault(micrograph_key(file), file)
        if other != file:
            raise InputError(f"{folder}: {other.name} and {file.name} are of one micrograph; leave only one of them")
    return files


def _read_file(path: Path, named_after: Mapping[str, str]) -> CoordinateTable:
    """One file; `named_after` gives the micrograph for a file name without extension, where it is known."""
    key = micrograph_key(path)
    micrograph = named_after.get(table_stem(path)) or named_after.get(key) or key
    try:
        return format_of(path).read(path, micrograph)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
