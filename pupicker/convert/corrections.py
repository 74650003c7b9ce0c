"""Changes that a user made of scored picks in a window, as a file: what is taken away, what is added."""

from __future__ import annotations

import math
import os
from typing import Any, Dict, List, NamedTuple, Set, Tuple

import pyworkflow.utils as pwutils

from pupicker.convert.micrographs import linkMicrograph, micIdOf
from pupicker.convert.picks import Pick
from pupicker.shared.json_files import read_json

ADDED, REMOVED, NOT_PARTICLES, EXCLUDED = KINDS = ("added", "removed", "not_particles", "excluded")
Point = Tuple[float, float]


class Corrected(NamedTuple):
    """Changes by the id of the micrograph; positions in its pixels.

    Attributes
    ----------
    added, negatives
        New picks, and places that are no particles.
    gone
        Whole pixels of the picks that are taken away.
    excluded
        Micrographs that are left out.
    """

    added: Dict[int, List[Point]]
    negatives: Dict[int, List[Point]]
    gone: Set[Tuple[int, int, int]]
    excluded: Set[int]

    def keeps(self, coord: Any) -> bool:
        """Whether a coordinate stays."""
        micId = coord.getMicId()
        return micId not in self.excluded and (micId, coord.getX(), coord.getY()) not in self.gone


def readCorrections(path: str) -> Corrected:
    """Read the file; there is nothing to change without one."""
    places: Dict[str, Dict[int, List[Point]]] = {kind: {} for kind in KINDS}
    for key, some in read_json(path).get("micrographs", {}).items() if path else ():
        for kind in KINDS:
            if some.get(kind):
                places[kind][int(key)] = [(float(x), float(y)) for x, y in some[kind]]
    gone = {(micId, round(x), round(y)) for kind in (REMOVED, NOT_PARTICLES)
            for micId, points in places[kind].items() for x, y in points}
    excluded = set(places[EXCLUDED])
    added = {micId: points for micId, points in places[ADDED].items() if micId not in excluded}
    return Corrected(added, places[NOT_PARTICLES], gone, excluded)


def scoredPlaces(added: Dict[int, List[Point]], mics: Dict[int, Any], model: Any, worker: Any,
                 folder: str) -> Dict[int, List[Pick]]:
    """Places that were added, with what the model says of them.

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
               pixel_size=next(iter(mics.values())).getSamplingRate())
    pwutils.cleanPath(links)
    return {micIdOf(answer["micrograph"]): [Pick(*values) for values in zip(
        answer["x"], answer["y"], answer["score"], answer["probability"])]
        for answer in answers if answer["event"] == "micrograph"}
