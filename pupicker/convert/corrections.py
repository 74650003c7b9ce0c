"""Changes that a user made of scored picks in a window, as a file: what is taken away, what is added."""

from __future__ import annotations

import math
import os
import shutil
from typing import Any, Dict, List, NamedTuple, Sequence, Set, Tuple

import pyworkflow.utils as pwutils

from pupicker.convert.micrographs import linkMicrograph, micIdOf
from pupicker.convert.picks import Pick
from pupicker.shared.atomic import atomic_path
from pupicker.shared.digests import file_digest
from pupicker.shared.json_files import read_json
from pupicker.shared.plurals import counted
from pupicker.shared.worker import WorkerError

ADDED, REMOVED, MOVED, MOVED_FROM, NOT_PARTICLES, EXCLUDED = KINDS = (
    "added", "removed", "moved", "moved_from", "not_particles", "excluded")
"""Of places; each place of *moved* stands where that of *moved_from* with the same number was."""

DIAMETER_PX = "diameter_px"  # in the file: of the particle, in pixels of the micrographs
ADDED_REACH, CLICK_REACH = 0.5, 0.3
"""Diameters around a pick that was added, and around a place that a click means: nothing of the list stays there."""

SCORE_REACH = 0.25
"""Diameters around a place that was added within which the best score of the model counts: nobody hits the centre."""

Point = Tuple[float, float]


def givesWay(x: Any, y: Any, added: Sequence[Point], negatives: Sequence[Point], diameterPx: float) -> Any:
    """Whether picks of a list, at numbers or arrays `x`, `y`, give way to what was put there by hand."""
    gone = (x != x)
    for reach, points in ((ADDED_REACH, added), (CLICK_REACH, negatives)):
        for placeX, placeY in points:
            gone = gone | ((x - placeX) ** 2 + (y - placeY) ** 2 < (reach * diameterPx) ** 2)
    return gone


def changesText(added: int, moved: int, removed: int, negatives: int, excluded: int) -> str:
    """How many changes there are, in words; empty if there is none."""
    parts = ["%d %s" % (number, what) for number, what in (
        (added, "added"), (moved, "moved"), (removed, "taken away"), (negatives, "marked as no particle")) if number]
    return ", ".join(parts + (["%s left out" % counted(excluded, "micrograph")] if excluded else []))


def frozenCopy(path: str) -> str:
    """Path of a copy of a file of corrections beside it, named by its content: what is made with it stays as it is."""
    base, suffix = os.path.splitext(path)
    copy = "%s_%s%s" % (base, file_digest(path), suffix)
    if not os.path.exists(copy):
        with atomic_path(copy) as temporary:
            shutil.copyfile(path, temporary)
    return copy


class Corrected(NamedTuple):
    """Changes by the id of the micrograph; positions in its pixels.

    Attributes
    ----------
    added, moved, negatives
        New picks, picks that were put elsewhere, and places that are no particles.
    removed, movedFrom
        Whole pixels of the picks that are taken away, and of those that were put elsewhere.
    excluded
        Micrographs that are left out; nothing but negatives is on them.
    diameterPx
        Of the particle; 0: it is not known.
    """

    added: Dict[int, List[Point]]
    moved: Dict[int, List[Point]]
    negatives: Dict[int, List[Point]]
    removed: Set[Tuple[int, int, int]]
    movedFrom: Set[Tuple[int, int, int]]
    excluded: Set[int]
    diameterPx: float

    def byHand(self) -> Dict[int, List[Point]]:
        """Where picks are that the list does not have: those that were added, then those that were moved."""
        return {micId: self.added.get(micId, []) + self.moved.get(micId, [])
                for micId in sorted({*self.added, *self.moved})}

    def isTakenAway(self, coord: Any) -> bool:
        """Whether a coordinate was said to be no particle."""
        micId, x, y = coord.getMicId(), coord.getX(), coord.getY()
        return (micId, x, y) in self.removed or bool(
            givesWay(x, y, (), self.negatives.get(micId, ()), self.diameterPx))

    def keeps(self, coord: Any) -> bool:
        """Whether a coordinate stays."""
        micId, x, y = coord.getMicId(), coord.getX(), coord.getY()
        if micId in self.excluded or (micId, x, y) in self.movedFrom or self.isTakenAway(coord):
            return False
        places = self.added.get(micId, []) + self.moved.get(micId, [])
        return not givesWay(x, y, places, (), self.diameterPx)


def readCorrections(path: str) -> Corrected:
    """Read the file; there is nothing to change without one."""
    content = read_json(path) if path else {}
    places: Dict[str, Dict[int, List[Point]]] = {kind: {} for kind in KINDS}
    for key, some in content.get("micrographs", {}).items():
        for kind in KINDS:
            if some.get(kind):
                places[kind][int(key)] = [(float(x), float(y)) for x, y in some[kind]]
    removed, movedFrom = ({(micId, round(x), round(y)) for kind in kinds
                           for micId, points in places[kind].items() for x, y in points}
                          for kinds in ((REMOVED, NOT_PARTICLES), (MOVED_FROM,)))
    excluded = set(places[EXCLUDED])
    added, moved = ({micId: points for micId, points in places[kind].items() if micId not in excluded}
                    for kind in (ADDED, MOVED))
    return Corrected(added, moved, places[NOT_PARTICLES], removed, movedFrom, excluded,
                     float(content.get(DIAMETER_PX) or 0.0))


def scoredPlaces(added: Dict[int, List[Point]], mics: Dict[int, Any], model: Any, worker: Any,
                 folder: str) -> Dict[int, List[Pick]]:
    """Places that were added, with the best score of the model within :data:`SCORE_REACH` of each.

    Parameters
    ----------
    added
        Places by the id of the micrograph.
    mics
        The micrographs.
    model
        Without one, places have no score.
    worker
        Client of ``pupicker serve``.
    folder
        For links to the micrographs.

    Raises
    ------
    pupicker.shared.worker.WorkerError
        The process refuses, or dies.
    """
    if model is None or not model.exists():
        return {micId: [Pick(x, y, math.nan, None) for x, y in points] for micId, points in added.items()}
    links = os.path.join(folder, "scored")
    pwutils.cleanPath(links)
    pwutils.makePath(links)
    asked = {linkMicrograph(mics[micId], links): [[x, y] for x, y in points] for micId, points in added.items()}
    answers: List[Dict[str, Any]] = []
    worker.ask("score", answers.append, model=model.getPath(), places=asked,
               search_radius=SCORE_REACH * float(model.getDiameterAng() or 0),
               pixel_size=next(iter(mics.values())).getSamplingRate())
    pwutils.cleanPath(links)
    for answer in answers:
        if answer["event"] == "quarantined":  # its places would be lost
            raise WorkerError(answer["reason"])
    return {micIdOf(answer["micrograph"]): [Pick(*values) for values in zip(
        answer["x"], answer["y"], answer["score"], answer["probability"])]
        for answer in answers if answer["event"] == "micrograph"}
