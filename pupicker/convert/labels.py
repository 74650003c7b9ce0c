"""Labelled particles of one set of micrographs, brought onto another one.

Coordinates are particle centres in pixels of the micrograph they belong to, as in :mod:`pupicker.convert`.
"""

from __future__ import annotations

import csv
import itertools
import os
from collections import Counter
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from pwem.objects import SetOfClasses2D

from pupicker.convert.micrographs import linkName
from pupicker.convert.set_columns import readColumns
from pupicker.shared.atomic import atomic_text
from pupicker.shared.columns import POSITION
from pupicker.shared.names import micrograph_key, plain_name

Points = Dict[int, List[Any]]  # micrograph id -> centres in pixels of that micrograph


class Labels(NamedTuple):
    """Labelled particles of one set, brought onto the micrographs of another."""

    points: Points
    unmatched: List[str]  # names of labelled micrographs that the set does not hold, or several times
    scale: float  # pixels of the set per pixel of the labels
    disabled: int = 0  # how many labels are left out because the user has disabled them


def rescale(value: float, factor: float) -> float:
    """Move a pixel coordinate to a grid with `factor` times as many pixels.

    A plain ratio, as RELION's extraction and Scipion scale: pixel 0 stays on pixel 0, which is exact for micrographs
    that were downsampled by Fourier cropping.
    """
    return value * factor


def repeatedNames(micSet: Any) -> List[str]:
    """Names that several micrographs of a set share, as those of joined sets may."""
    (names,) = readColumns(micSet.getFileName(), ["_micName"])
    return sorted(str(name) for name, times in Counter(names or ()).items() if times > 1)


def _uniqueIds(names: Dict[int, str]) -> Dict[str, Optional[int]]:
    """Name -> id, key -> id and plain name -> id; None where several share it (a key yields to a full name)."""
    full: Dict[str, Optional[int]] = {}
    keys: Dict[str, Optional[int]] = {}
    plains: Dict[str, Optional[int]] = {}
    for micId, name in names.items():
        full[name] = None if name in full else micId
        key = micrograph_key(name)
        keys[key] = None if key in keys else micId
        plain = _plain(name)
        plains[plain] = None if plain in plains else micId
    keys.update(full)
    keys.update(plains)
    return keys


def _plain(name: str) -> str:
    """The plain name, marked: one that is equal to the key of another micrograph is not the same."""
    return "\0" + plain_name(name)


def _find(name: str, index: Dict[str, Optional[int]], ownIndex: Dict[str, Optional[int]]) -> Optional[int]:
    """Id of the micrograph that `name` means in the other set; None if there is none, or several in either set."""
    for key in (name, micrograph_key(name), _plain(name)):
        if ownIndex.get(key, 0) is None:
            return None  # the labels of several micrographs would come together on one
        if key in index:
            return index[key]
    return None


def matchLabels(coordSet: Any, micSet: Any) -> Labels:
    """Bring the coordinates of `coordSet` onto the micrographs of `micSet`.

    Where both are of one and the same set of micrographs, their ids say where each coordinate belongs.  Otherwise
    names do, with or without folder and extension, because another import numbers the same files differently; what
    belongs to a name that several micrographs have is left out, and so are disabled coordinates.  Positions follow the
    ratio of the sampling rates.

    Raises
    ------
    SetError
        The file of the coordinates is missing or is no set.
    """
    matched = matchRows(coordSet, micSet)
    return Labels({micId: [(x, y) for x, y, *_ in rows] for micId, rows in matched.points.items()}, matched.unmatched,
                  matched.scale, matched.disabled)


def matchRows(coordSet: Any, micSet: Any, attributes: Sequence[str] = ()) -> Labels:
    """The same, with values of attributes behind each position; None for those that the coordinates do not have."""
    own = coordSet.getMicrographs()
    scale = own.getSamplingRate() / micSet.getSamplingRate()
    find = _finder(own, micSet)
    points: Dict[int, List[Any]] = {}
    unmatched = set()
    xs, ys, ids, given, *values = readColumns(coordSet.getFileName(), ["_x", "_y", "_micId", "_micName", *attributes],
                                              enabledOnly=True)
    nothing = itertools.repeat(None)  # a picker may have stored the id of the micrograph only
    for x, y, micId, micName, *more in zip(xs or (), ys or (), ids or nothing, given or nothing,
                                           *(column or nothing for column in values)):
        found, name = find(micId, micName)
        if found is None:
            unmatched.add(name)
        else:
            points.setdefault(found, []).append((rescale(x, scale), rescale(y, scale), *more))
    disabled = max(0, int(coordSet.getSize()) - len(xs or ()))  # a set that grows may not know its size yet
    return Labels(points, sorted(unmatched), scale, disabled)


def matchParticles(particles: Any, micSet: Any) -> Points:
    """Where enabled particles, or those of enabled 2D classes, were picked, on the micrographs of `micSet`.

    As everywhere in Scipion the coordinates of a particle are in pixels of the particle's sampling rate.  They belong
    to the micrograph with its name; to the one with its id where the particles have no names.

    Raises
    ------
    SetError
        The file of the particles is missing or is no set.
    """
    classes = isinstance(particles, SetOfClasses2D)
    images = particles.getImages() if classes else particles
    scale = images.getSamplingRate() / micSet.getSamplingRate()
    prefixes = ["Class%03d_" % item.getObjId() for item in particles if item.isEnabled()] if classes else [""]
    known = {mic.getObjId(): mic.getMicName() for mic in micSet}
    index = _uniqueIds(known)
    points: Points = {}
    for prefix in prefixes:
        xs, ys, ids, names = readColumns(particles.getFileName(), ["_coordinate." + name for name in (
            "_x", "_y", "_micId", "_micName")], prefix, enabledOnly=True)
        nothing = itertools.repeat(None)
        for x, y, micId, name in zip(xs or (), ys or (), ids or nothing, names or nothing):
            found = _find(name, index, {}) if name else micId if micId in known else None
            if found is not None and x is not None and y is not None:
                points.setdefault(found, []).append((rescale(x, scale), rescale(y, scale)))
    return points


def matchedMicrographs(own: Any, micSet: Any) -> Set[int]:
    """Ids of the micrographs of `micSet` that the set `own` holds too, as :func:`matchLabels` finds them."""
    find = _finder(own, micSet)
    return {found for found in (find(mic.getObjId(), mic.getMicName())[0] for mic in own) if found is not None}


def _finder(own: Any, micSet: Any) -> Callable[[Any, Any], Tuple[Optional[int], str]]:
    """What finds the micrograph of a set by the id and name that another set gives it; with its name."""
    sameSet = os.path.abspath(own.getFileName()) == os.path.abspath(micSet.getFileName())
    names: Dict[Any, str] = {mic.getObjId(): mic.getMicName() for mic in own}
    ownIndex = _uniqueIds(names)
    index = ownIndex if sameSet else _uniqueIds({mic.getObjId(): mic.getMicName() for mic in micSet})

    def find(micId: Any, micName: Any) -> Tuple[Optional[int], str]:
        name = micName or names.get(micId) or "micrograph %s" % micId
        return micId if sameSet and names.get(micId) == name else _find(name, index, ownIndex), name

    return find


def readLabels(path: str, micSet: Any, scale: float) -> Labels:
    """Labels from a table that ``pupicker convert`` wrote, on the micrographs of a set; `scale` enlarges positions.

    Raises
    ------
    SetError
        The file of the micrographs is missing or is no set.
    """
    ids, names = readColumns(micSet.getFileName(), ["id", "_micName"])
    index = _uniqueIds(dict(zip(ids or (), map(str, names or ids or ()))))
    points: Points = {}
    unmatched = set()
    with open(path, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            found = _find(row[POSITION[0]], index, {})
            if found is None:
                unmatched.add(row[POSITION[0]])
            else:
                points.setdefault(found, []).append((rescale(float(row["x"]), scale), rescale(float(row["y"]), scale)))
    return Labels(points, sorted(unmatched), scale)


def writeLabels(points: Points, path: str) -> None:
    """Write the table that ``pupicker train --picks`` reads."""
    with atomic_text(path) as stream:
        stream.write("\t".join(POSITION) + "\n")
        for micId in sorted(points):
            stream.writelines("%s\t%.3f\t%.3f\n" % (linkName(micId), x, y) for x, y in points[micId])
