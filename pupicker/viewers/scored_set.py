"""Coordinates and micrographs of a set as arrays."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional

import numpy as np

from pupicker.constants import PROBABILITY, SCORE
from pupicker.convert.picks import weakestPick, weakPicks
from pupicker.convert.set_columns import SetError, hasColumn, readColumns


class ViewerError(Exception):
    """Something cannot be shown; the message is one line."""


class MicrographEntry(NamedTuple):
    """A micrograph of the list."""

    micId: int
    name: str
    path: str
    image: int = 0  # in a stack, from 1


class ScoredSet(NamedTuple):
    """Coordinates as arrays ``(n,)``; pixels of the micrographs; `probability` is None if they have none.

    The score of what was put by hand where no model could score it is infinite: it is kept at every threshold.
    """

    micrographs: List[MicrographEntry]
    micId: Any
    x: Any
    y: Any
    score: Any
    probability: Any
    boxSize: int
    pixelSizeAng: float = 0.0

    def highestScore(self) -> float:
        """Of those that have one; 0 if none has."""
        finite = self.score[np.isfinite(self.score)]
        return float(finite.max()) if finite.size else 0.0


def readArrays(path: str, names: List[str], enabledOnly: bool = False) -> List[Any]:
    """As :func:`readColumns`, an array for each.

    Raises
    ------
    ViewerError
        The file is missing or is no set.
    """
    try:
        columns = readColumns(path, names, enabledOnly=enabledOnly)
    except SetError as error:
        raise ViewerError(str(error)) from error
    return [None if values is None else np.array(values) for values in columns]


def hasScores(coordSet: Any) -> bool:
    """Whether the coordinates carry scores of pupicker."""
    return hasColumn(coordSet.getFileName(), SCORE)


def readMicrographs(micSet: Any) -> List[MicrographEntry]:
    """Micrographs of a set, in its order."""
    if micSet is None:
        raise ViewerError("The micrographs of this set are gone from the project.")
    ids, names, paths, indices = readArrays(micSet.getFileName(), ["id", "_micName", "_filename", "_index"])
    names = paths if names is None else names
    indices = np.zeros(len(ids), dtype=int) if indices is None else indices
    return [MicrographEntry(int(micId), str(name), str(path), int(index or 0))
            for micId, name, path, index in zip(ids, names, paths, indices)]


def hasWeaker(data: ScoredSet, folder: str) -> bool:
    """Whether a table in `folder` has a pick that scores less than all of a set; "": there are no tables."""
    lowest = float(data.score.min())
    return bool(folder) and any(weakest < lowest for weakest in (weakestPick(folder, entry.micId)
                                                                 for entry in data.micrographs))


def withWeaker(data: ScoredSet, folder: str) -> ScoredSet:
    """The picks of a set with those of the tables in `folder` that score less than all of it, behind them."""
    lowest = float(data.score.min())
    rows = [(entry.micId, pick.x, pick.y, pick.score, pick.probability or 0.0) for entry in data.micrographs
            for pick in weakPicks(folder, entry.micId, -np.inf, lowest)]
    if not rows:
        return data
    micId, x, y, score, probability = (np.array(column) for column in zip(*rows))
    known = None if data.probability is None else np.concatenate([data.probability, probability])
    # whole pixels, as Scipion stores them
    return data._replace(micId=np.concatenate([data.micId, micId]), x=np.concatenate([data.x, np.floor(x + 0.5)]),
                         y=np.concatenate([data.y, np.floor(y + 0.5)]), score=np.concatenate([data.score, score]),
                         probability=known)


def readScoredSet(coordSet: Any) -> ScoredSet:
    """All enabled ones of a set of scored coordinates; raises :class:`ViewerError` if it has none, or no scores."""
    micId, x, y, score, probability = readArrays(coordSet.getFileName(), ["_micId", "_x", "_y", SCORE, PROBABILITY],
                                                 enabledOnly=True)
    if score is None:
        raise ViewerError("These coordinates have no %s: show them with another viewer." % SCORE)
    if not len(score):
        raise ViewerError("All of these coordinates are disabled: enable some of them.")
    known: Optional[Any] = None if probability is None else probability.astype(float)
    score = score.astype(float)
    score[np.isnan(score)] = np.inf
    return ScoredSet(readMicrographs(coordSet.getMicrographs()), micId.astype(int), x.astype(float), y.astype(float),
                     score, known, coordSet.getBoxSize() or 0,
                     coordSet.getMicrographs().getSamplingRate() or 0.0)
