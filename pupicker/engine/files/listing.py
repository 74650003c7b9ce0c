"""Which micrographs the user means: files, folders, STAR files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pupicker.engine.files.star import read_star
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import MICROGRAPH_SUFFIXES


def list_micrographs(arguments: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Expand what was given on the command line into micrograph files.

    Parameters
    ----------
    arguments
        Each a micrograph, a folder (its micrographs sorted by name, without sub-folders and hidden files), or a STAR
        file with ``_rlnMicrographName``, whose relative paths are looked for from the STAR file's folder, from the
        current folder, and from the parents of the STAR file's folder, as RELION writes them from the project folder.

    Returns
    -------
    list of Path
        Without repetitions, in the order given.  Files that a STAR file names but that are missing stay in the list:
        reading them fails with a clear line and only they are set aside.

    Raises
    ------
    InputError
        An argument does not exist or is no micrograph, or there is no micrograph at all.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        for path in _expand(Path(argument)):
            found.setdefault(os.path.abspath(path), path)
    if not found:
        given = ", ".join(str(argument) for argument in arguments) or "nothing"
        raise InputError(f"{given}: no micrographs ({', '.join(MICROGRAPH_SUFFIXES)}) found")
    return list(found.values())


def resolve_from_star(name: str, star_path: Path) -> Path:
    """Where a relative path in a STAR file leads; the path as it stands if it leads nowhere."""
    folder = star_path.absolute().parent
    for start in (star_path.parent, Path(), *folder.parents):
        if (start / name).exists():
            return start / name
    return Path(name)


def _expand(argument: Path) -> Iterable[Path]:
    if argument.is_dir():
        return sorted(path for path in argument.iterdir() if _is_micrograph(path) and not path.is_dir())
    if not argument.exists():
        raise InputError(f"{argument}: no such file or folder")
    if argument.suffix.lower() == ".star":
        return _from_star(argument)
    if not _is_micrograph(argument):
        raise InputError(f"{argument}: not a micrograph; known formats are {', '.join(MICROGRAPH_SUFFIXES)}")
    return [argument]


def _from_star(path: Path) -> list[Path]:
    table = read_star(path, ["rlnMicrographName"])
    if table is None:
        raise InputError(f"{path}: no column _rlnMicrographName; give a STAR file of micrographs")
    return [resolve_from_star(name, path) for name in dict.fromkeys(table.columns["rlnMicrographName"])]


def _is_micrograph(path: Path) -> bool:
    return path.suffix.lower() in MICROGRAPH_SUFFIXES and not path.name.startswith(".")
