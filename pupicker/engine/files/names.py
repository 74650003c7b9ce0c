"""Names of micrographs: which row of a coordinate table belongs to which file.

Tables name micrographs in many ways: with or without folders, with or without an extension, with the folders of another
computer, with what programs add to a name.  :func:`match_names` takes the closest match and refuses to guess between
two equally close ones.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import micrograph_key, plain_name
from pupicker.shared.plurals import counted, first_of

_log = logging.getLogger(__name__)

_IN_STACK = re.compile(r"\d+@")

"""So many names are examples."""


def name_problem(name: str, suffix: str) -> str:
    """Why a table with this extension cannot hold this name of a micrograph; empty if it can."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8, and no table can hold it; rename it"
    if any(ord(letter) < 32 for letter in name):
        return "its name holds a line break or another control character, and no table can hold it; rename it"
    if suffix == ".star" and '"' in name and "'" in name:
        return "its name holds both kinds of quotes, and no STAR file can hold it; rename it, or write .tsv"
    return ""


def match_names(table_names: Iterable[str], paths: Sequence[Path]) -> dict[str, Path]:
    """Find the micrograph that each name of a coordinate table means.

    The very same path wins; then the path that shares the most trailing parts with the name (``job/a.mrc`` and
    ``/data/job/a.mrc`` share two); then the path with the same :func:`micrograph_key`, in the folder that fits best;
    then the one path with the same :func:`plain_name` that no other name is of.

    Parameters
    ----------
    table_names
        Names as they stand in the table; repetitions are allowed.
    paths
        Micrographs.

    Returns
    -------
    dict
        Path for each name that has one.  Names without a micrograph are absent: whether that is an error is for the
        caller to decide, since a table often covers more micrographs than are in use.

    Raises
    ------
    InputError
        A name fits two micrographs equally well, or two different micrographs of the table fit the same file.
    """
    by_key: defaultdict[str, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        by_key[micrograph_key(path)].append(path)
    matched: dict[str, Path] = {}
    for name in dict.fromkeys(table_names):
        candidates = by_key.get(micrograph_key(name), [])
        if candidates:
            matched[name] = _closest(name, candidates)
    _release_contested(matched)
    _see_through(matched, [name for name in dict.fromkeys(table_names) if name not in matched], by_key)
    return matched


def say_matches(table: Path, matched: Mapping[str, Path], unmatched_rows: Mapping[str, int], rows: int) -> None:
    """Log which names of a table were seen through, and how many of its `rows` are of other micrographs."""
    through = {name: path for name, path in matched.items() if _added(name, path)}
    if through:
        name, path = next(iter(through.items()))
        added = _added(name, path)
        _log.info("%s: %s matched without what programs add to them (%s): %r is taken for %s", table,
                  counted(len(through), "of its names is", "of its names are"), added, name, path.name)
    if unmatched_rows:
        names = list(unmatched_rows)
        of_all = f"of its {counted(rows, 'row')}"
        _log.warning("%s: %s left out: %s not among those given: %s", table,
                     counted(sum(unmatched_rows.values()), f"{of_all} is", f"{of_all} are"),
                     counted(len(names), "micrograph is", "micrographs are"),
                     first_of([name or "'' (an empty name)" for name in names]),
                     extra={"parameters": ("name_pattern",)})


def distinct_stems(names: Iterable[str]) -> dict[str, str]:
    """File name (without extension) for the table of each micrograph.

    It is the :func:`micrograph_key`; micrographs of the same key in different folders get as many of their folders in
    front as tell them apart: ``x/001.mrc``, ``y/001.mrc`` -> ``x_001``, ``y_001``.

    Raises
    ------
    InputError
        The names cannot be told apart, e.g. ``x/001.mrc`` and ``x/001.tif``.
    """
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        by_key[micrograph_key(name)].append(name)
    stems: dict[str, str] = {}
    for key, members in by_key.items():
        deepest = max(len(_folders(name)) for name in members)
        for depth in range(deepest + 1):
            candidates = ["_".join([*_last(_folders(name), depth), key]) for name in members]
            if len(set(candidates)) == len(members):
                break
        stems.update(zip(members, candidates, strict=True))
    owner: dict[str, str] = {}
    for name, stem in stems.items():
        if owner.setdefault(stem, name) != name:
            raise InputError(
                f"micrographs {owner[stem]} and {name} would both be called {stem} in a folder of results: "
                "rename one (one table for all micrographs needs no such names)"
            )
    return stems


def _see_through(matched: dict[str, Path], names: Sequence[str], by_key: Mapping[str, Sequence[Path]]) -> None:
    """Match `names` that are left by their plain names, to micrographs that are left (in place)."""
    if not names:
        return
    taken = set(matched.values())
    left: defaultdict[str, list[Path]] = defaultdict(list)
    for paths in by_key.values():
        for path in paths:
            if path not in taken:
                left[plain_name(path)].append(path)
    of_path: dict[Path, str] = {}
    for name in names:
        candidates = left.get(plain_name(name), [])
        if not candidates:
            continue
        path = _closest(name, candidates)
        other = of_path.setdefault(path, name)
        if other != name and not (micrograph_key(other) == micrograph_key(name) and _same_micrograph(name, other)):
            raise InputError(f"micrographs {other!r} and {name!r} of the coordinate table both resemble {path}: keep"
                             " only one of them in the table, or give a pattern for the names", "name_pattern")
        matched[name] = path


def _added(name: str, path: Path) -> str:
    """What a program has added to the name of a micrograph, ``..._patch_aligned``; empty if nothing."""
    if micrograph_key(name) != micrograph_key(path):
        return micrograph_key(name).replace(plain_name(name), "...")
    index = _IN_STACK.match(name)  # before the folders, of which the key knows nothing
    return f"{index[0]}..." if index and not str(path).endswith(name) else ""


def _closest(name: str, candidates: Sequence[Path]) -> Path:
    """The candidate that resembles `name` most; two equally good ones are an error."""
    closeness = [_closeness(name, path) for path in candidates]
    best = max(closeness)
    winners = [path for path, value in zip(candidates, closeness, strict=True) if value == best]
    if len(winners) > 1:
        raise InputError(
            f"micrograph {name!r} of the coordinate table is ambiguous: it fits {winners[0]} and {winners[1]}; "
            "name it with its folder and extension"
        )
    return winners[0]


def _closeness(name: str, path: Path) -> tuple[bool, int, int]:
    """Orders candidates: the same path, then shared trailing parts, then shared trailing folders."""
    same = os.path.abspath(name) == os.path.abspath(path)
    parts = _shared_tail(PurePath(name).parts, path.parts)
    return same, parts, _shared_tail(_folders(name), _folders(path))


def _release_contested(matched: dict[str, Path]) -> None:
    """Where different micrographs of a table fit one file, leave it to the closest (in place).

    ``x/001.mrc`` and ``y/001.mrc`` of a table both resemble ``/data/y/001.mrc`` when only that one is in use.
    """
    by_path: defaultdict[Path, list[str]] = defaultdict(list)
    for name, path in matched.items():
        by_path[path].append(name)
    for path, names in by_path.items():
        closest = max(names, key=lambda name: _closeness(name, path))
        for name in names:
            if _same_micrograph(name, closest):
                continue
            if _closeness(name, path) == _closeness(closest, path):
                raise InputError(
                    f"micrographs {closest!r} and {name!r} of the coordinate table both fit {path}: "
                    "keep only one of them in the table"
                )
            del matched[name]


def _same_micrograph(name: str, other: str) -> bool:
    """Whether two names of equal key can mean one file: the folders of one end with the folders of the other."""
    first, second = _folders(name), _folders(other)
    return _shared_tail(first, second) == min(len(first), len(second))


def _folders(name: str | os.PathLike[str]) -> tuple[str, ...]:
    """Folders of a path, without the root."""
    path = PurePath(name)
    return tuple(part for part in path.parent.parts if part != path.anchor)


def _last(parts: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The last `count` parts; ``parts[-0:]`` would be all of them."""
    return parts[max(0, len(parts) - count):]


def _shared_tail(first: Sequence[str], second: Sequence[str]) -> int:
    """Number of equal parts, counted from the end."""
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            break
        count += 1
    return count
