"""Which tables a folder holds: one for each micrograph, a job of RELION, the output of crYOLO, a project of EMAN2."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from pupicker.engine.files.coordinates.formats import BY_SUFFIX, is_table
from pupicker.engine.files.coordinates.relion_star import is_index
from pupicker.engine.files.sample import Sample
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import micrograph_key

OF_CRYOLO = ("EMAN", "STAR", "CBOX")
"""Folders that crYOLO writes, in the order in which they count: the last holds boxes below the threshold too."""

_NOT_TABLES = ("job.star", "job_pipeline.star", "default_pipeline.star", "summary.star", "note.txt")
_OFTEN_OTHER = (".txt", ".csv", ".json", ".db", ".sqlite", ".xmd")
"""Extensions of tables that other files of a folder have too: those that do not look like tables are left out."""

_log = logging.getLogger(__name__)


def tables_of(folder: Path) -> list[Path]:
    """The tables of a folder: an index that names them, or files of one format, one for each micrograph.

    What lies in it counts first, then what lies below.  Hidden files are not looked at.

    Raises
    ------
    InputError
        There are none, of several formats, or two of one micrograph.
    """
    direct = _tables(folder.iterdir())
    if direct:
        return _checked(folder, direct)
    for name in (*OF_CRYOLO, "info"):
        below = _tables((folder / name).iterdir()) if (folder / name).is_dir() else []
        if below:
            _log.info("%s: the tables in %s are read", folder, folder / name)
            return _checked(folder, below)
    return _checked(folder, _tables(path for path in folder.rglob("*")
                                    if not any(part.startswith(".") for part in path.relative_to(folder).parts)))


def _tables(paths: Iterable[Path]) -> list[Path]:
    """Those that are tables; an index alone, where there is one."""
    named = sorted(path for path in paths if path.suffix.lower() in BY_SUFFIX and not path.name.startswith(".")
                   and path.name not in _NOT_TABLES and path.is_file())
    indices = [path for path in named if path.suffix.lower() == ".star" and is_index(Sample.of(path))]
    if indices:
        return indices
    return [path for path in named if path.suffix.lower() not in _OFTEN_OTHER or is_table(path)]


def _checked(folder: Path, files: list[Path]) -> list[Path]:
    if not files:
        raise InputError(f"{folder}: no coordinate tables ({', '.join(BY_SUFFIX)}) in this folder")
    suffixes = sorted({file.suffix.lower() for file in files})
    if len(suffixes) > 1:
        raise InputError(f"{folder}: holds tables of several formats ({', '.join(suffixes)}); leave one format in it")
    first: dict[Path, Path] = {}
    for file in files:
        other = first.setdefault(file.parent / micrograph_key(file), file)
        if other != file:
            raise InputError(f"{folder}: {other.name} and {file.name} are of one micrograph; leave only one of them")
    if len(files) > 1 and all(file.suffix.lower() == ".star" and is_index(Sample.of(file)) for file in files):
        raise InputError(f"{folder}: {files[0].name} and {files[1].name} are indices of jobs; give one of them")
    return files
