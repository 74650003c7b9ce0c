"""Which micrographs the user means: files, folders, STAR files, lists; and what of a folder is none."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pupicker.engine.files.packed import require_file
from pupicker.engine.files.sample import Sample, read_text
from pupicker.engine.files.star import read_star
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.model_header import is_model
from pupicker.shared.names import MICROGRAPH_SUFFIXES, micrograph_key, micrograph_suffix, named_as_micrograph
from pupicker.shared.plurals import counted, first_of

_LIST_SUFFIXES = (".txt", ".lst", ".list", ".dat")

# What programs write beside micrographs, under names of their own.
_NO_MICROGRAPH = {
    "power spectra": re.compile(r"(?:_ps|_pow|_power|_powerspectrum|_power_spectrum|_fft|_ctf|_diag|_avrot)$", re.I),
    "gain references": re.compile(r"(?:^|[_.-])(?:gain|gain_?ref(?:erence)?|superref|countref|defects?|dark_?ref)"
                                  r"(?:$|[_.-])", re.I),
    "frames": re.compile(r"(?:_frames|\.frames|_fractions|_movie|_eer)$", re.I),
}
_WEIGHTED = re.compile(r"_dws?$|_doseweighted$", re.I)

_log = logging.getLogger(__name__)


def list_micrographs(arguments: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Expand what was given on the command line into micrograph files.

    Parameters
    ----------
    arguments
        Each a micrograph; a folder (its micrographs sorted by name, without hidden files; those of its sub-folders if
        it has none itself); a STAR file with ``_rlnMicrographName``; or a text file with a path on each line (also as
        ``@FILE``).  Relative paths in such files are looked for from the file's folder, from the current folder, and
        from the parents of the file's folder, as RELION writes them from the project folder.  Of a folder power
        spectra, gain references, frames and what was not dose-weighted beside what was are left out by their names,
        which is said.

    Returns
    -------
    list of Path
        Without repetitions, in the order given.  Files that a list names but that are missing stay in it: reading them
        fails with a clear line and only they are set aside.

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


def beside_micrographs(path: Path) -> str:
    """What a file is by its name that programs write beside micrographs: power spectra, gain references; else empty."""
    names = ("power spectra", "gain references")
    return next((kind for kind in names if _NO_MICROGRAPH[kind].search(micrograph_key(path))), "")


def resolve_from_star(name: str, star_path: Path) -> Path:
    """Where a relative path in a STAR file, or a list, leads; the path as it stands if it leads nowhere."""
    folder = star_path.absolute().parent
    for start in (star_path.parent, Path(), *folder.parents):
        if (start / name).exists():
            return start / name
    return Path(name)


def _expand(argument: Path) -> Iterable[Path]:
    if argument.is_dir():
        return _of_folder(argument)
    if not argument.exists():
        if str(argument).startswith("@") and Path(str(argument)[1:]).is_file():
            return _from_list(Path(str(argument)[1:]))
        raise InputError(f"{argument}: no such file or folder")
    require_file(argument)
    if argument.suffix.lower() == ".star":
        return _from_star(argument)
    if named_as_micrograph(argument):
        return [argument]
    if argument.suffix.lower() in _LIST_SUFFIXES:
        return _from_list(argument)
    if is_model(argument):
        raise InputError(f"{argument}: is a model, not a micrograph")
    raise InputError(f"{argument}: not a micrograph; known formats are {', '.join(MICROGRAPH_SUFFIXES)}")


def _of_folder(folder: Path) -> list[Path]:
    """Micrographs of a folder; pictures and other formats only where there is nothing else."""
    there = list(folder.iterdir())
    direct = _micrographs_among(there)
    if not direct:
        there = [path for path in folder.rglob("*") if not any(
            part.startswith(".") for part in path.relative_to(folder).parts)]
        direct = _micrographs_among(there)
    _say_dangling(folder, there)
    if direct and direct[0].parent != folder:
        _log.info("%s: has no micrographs itself; the %d in its sub-folders are taken, first %s", folder,
                  len(direct), direct[0])
    return _without_others(folder, direct)


def _is_visible_micrograph(path: Path) -> bool:
    return not path.name.startswith(".") and named_as_micrograph(path)


def _say_dangling(folder: Path, paths: Iterable[Path]) -> None:
    """Links to micrographs that were moved or deleted, or whose disk is not there."""
    links = (path for path in paths if _is_visible_micrograph(path) and path.is_symlink())
    dangling = sorted(path for path in links if not path.exists())
    if dangling:
        _log.warning("%s: %s left out: %s", folder, counted(
            len(dangling), "link leads to a file that is not there, and is",
            "links lead to files that are not there, and are"),
                     first_of([path.name for path in dangling]))


def _micrographs_among(paths: Iterable[Path]) -> list[Path]:
    known = sorted(path for path in paths if _is_visible_micrograph(path) and path.is_file())
    usual = [path for path in known if micrograph_suffix(path) in MICROGRAPH_SUFFIXES]
    return usual or known


def _without_others(folder: Path, paths: list[Path]) -> list[Path]:
    """Without power spectra, gain references, frames, and what stands beside its dose-weighted version."""
    kept = paths
    for kind, pattern in _NO_MICROGRAPH.items():
        others = [path for path in kept if pattern.search(micrograph_key(path))]
        kept = _said(folder, kept, others, kind)
    weighted = {path.parent / _WEIGHTED.sub("", micrograph_key(path)) for path in kept
                if _WEIGHTED.search(micrograph_key(path))}
    twins = [path for path in kept if path.parent / micrograph_key(path) in weighted]
    return _said(folder, kept, twins, "micrographs that are there dose-weighted too")


def _said(folder: Path, paths: list[Path], others: list[Path], kind: str) -> list[Path]:
    """`paths` without the `others`, unless nothing would be left."""
    if not others or len(others) == len(paths):
        return paths
    _log.info("%s: %s left out: %s; give such a file by its own name to use it", folder, counted(
        len(others), f"file looks like {kind} and is", f"files look like {kind} and are"),
              first_of([path.name for path in others]))
    return [path for path in paths if path not in set(others)]


def _from_star(path: Path) -> list[Path]:
    table = read_star(path, ["rlnMicrographName"])
    if table is None:
        raise InputError(f"{path}: no column _rlnMicrographName; give a STAR file of micrographs")
    return [resolve_from_star(name, path) for name in dict.fromkeys(table.columns["rlnMicrographName"])]


def _from_list(path: Path) -> list[Path]:
    """Paths of a text file, one a line; lines that begin with ``#`` are comments."""
    try:
        lines = read_text(path).splitlines() if Sample.of(path).text else []
    except ValueError:
        lines = []
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    wrong = [name for name in names if not named_as_micrograph(name)]
    if wrong or not names:
        found = f"{wrong[0][:80]!r} is none" if wrong else "it has none"
        raise InputError(f"{path}: not a list of micrographs, one path a line: {found}")
    return [resolve_from_star(name, path) for name in dict.fromkeys(names)]
