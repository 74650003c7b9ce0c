"""Coordinates and micrographs of a set as arrays, read from its file at once: item by item is 100 times slower."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

SCORE, PROBABILITY = "_pupickerScore", "_pupickerProbability"


class ViewerError(Exception):
    """Something cannot be shown; the message is one line."""


class MicrographEntry(NamedTuple):
    """A micrograph of the list."""

    micId: int
    name: str
    path: str


class ScoredSet(NamedTuple):
    """Coordinates as arrays ``(n,)``; pixels of the micrographs; `probability` is None if they have none."""

    micrographs: List[MicrographEntry]
    micId: Any
    x: Any
    y: Any
    score: Any
    probability: Any
    boxSize: int


def _columns(database: Any) -> Dict[str, str]:
    """Column of each attribute in the table of items."""
    return dict(database.execute("SELECT label_property, column_name FROM Classes"))


def readColumns(path: str, names: List[str]) -> List[Any]:
    """Values of attributes (``id`` is the object's id), one array each; None for one that the items do not have.

    Raises
    ------
    ViewerError
        The file is missing or is no set.
    """
    if not os.path.exists(path):
        raise ViewerError("%s: no such file; run the protocol again that made this set." % path)
    try:
        with closing(sqlite3.connect(path)) as database:
            known = dict(_columns(database), id="id")
            present = [name for name in names if name in known]
            rows = database.execute("SELECT %s FROM Objects ORDER BY id"
                                    % ", ".join(known[name] for name in present)).fetchall()
    except sqlite3.Error as error:
        raise ViewerError("%s: cannot be read as a set of Scipion (%s)." % (path, error)) from error
    values = dict(zip(present, zip(*rows))) if rows else dict.fromkeys(present, ())
    return [np.array(values[name]) if name in values else None for name in names]


def hasScores(coordSet: Any) -> bool:
    """Whether the coordinates carry scores of pupicker."""
    try:
        return readColumns(coordSet.getFileName(), [SCORE])[0] is not None
    except ViewerError:
        return False


def readMicrographs(micSet: Any) -> List[MicrographEntry]:
    """Micrographs of a set, in its order."""
    if micSet is None:
        raise ViewerError("The micrographs of this set are gone from the project.")
    ids, names, paths = readColumns(micSet.getFileName(), ["id", "_micName", "_filename"])
    names = paths if names is None else names
    return [MicrographEntry(int(micId), str(name), str(path)) for micId, name, path in zip(ids, names, paths)]


def readScoredSet(coordSet: Any) -> ScoredSet:
    """All of a set of scored coordinates; raises :class:`ViewerError` if it has no scores."""
    micId, x, y, score, probability = readColumns(coordSet.getFileName(), ["_micId", "_x", "_y", SCORE, PROBABILITY])
    if score is None:
        raise ViewerError("These coordinates have no %s: show them with another viewer." % SCORE)
    known: Optional[Any] = None if probability is None else probability.astype(float)
    return ScoredSet(readMicrographs(coordSet.getMicrographs()), micId.astype(int), x.astype(float), y.astype(float),
                     score.astype(float), known, coordSet.getBoxSize() or 0)
