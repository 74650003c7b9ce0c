"""Tables of picks and Scipion's coordinates.

Coordinates are particle centres, x = column, y = row, in pixels of the micrograph they belong to; the centre of the
first pixel is (0, 0) and y is not flipped, in Scipion as in pupicker.
"""

from __future__ import annotations

import csv
import math
import os
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional

from pwem.objects import Coordinate
from pyworkflow.object import Float, Integer

from pupicker.constants import PROBABILITY, SCORE
from pupicker.convert.micrographs import linkName
from pupicker.shared.atomic import atomic_text
from pupicker.shared.columns import OPTIONAL, POSITION


class Pick(NamedTuple):
    """One row of a table of picks: centre in pixels of the micrograph, score, and, if known,
    probability and spread of the score.
    """

    x: float
    y: float
    score: float
    probability: Optional[float]
    scoreSd: Optional[float] = None


def writeViewsStar(views: Iterable[Any], starFile: str) -> None:
    """Write the list of images that ``pupicker baseline template --template`` takes."""
    with atomic_text(starFile) as stream:
        stream.write("\ndata_images\n\nloop_\n_rlnImageName #1\n")
        for view in views:
            index, path = view.getLocation()
            stream.write("%06d@%s\n" % (max(1, index), os.path.abspath(path)))


def writePicks(coordSet: Any, attribute: str, path: str) -> None:
    """Write the table that ``pupicker evaluate --picks`` reads; `attribute` of each coordinate is its score.

    If that is the score of pupicker, the probability goes with it.
    """
    columns = [attribute]
    if attribute == SCORE and hasattr(coordSet.getFirstItem(), PROBABILITY):
        columns.append(PROBABILITY)
    with atomic_text(path) as stream:
        stream.write("\t".join(POSITION + OPTIONAL[:len(columns)]) + "\n")
        for coord in coordSet:
            values = "\t".join(repr(getattr(coord, name).get()) for name in columns)
            stream.write("%s\t%d\t%d\t%s\n" % (linkName(coord.getMicId()), coord.getX(), coord.getY(), values))


def readPicks(path: str) -> List[Pick]:
    """Read one table written by ``pupicker pick`` or ``baseline --format tsv``, best score first."""
    with open(path, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t")
        picks = [Pick(float(row["x"]), float(row["y"]), float(row["score"]),
                      *[float(row[name]) if row.get(name) else None for name in OPTIONAL[1:]]) for row in rows]
    return sorted(picks, key=lambda pick: -pick.score)


def weakPicks(folder: str, micId: int, least: float, below: float) -> List[Pick]:
    """Picks of a micrograph that score at least `least` and less than `below`; none if there is no table of it."""
    path = os.path.join(folder, linkName(micId) + ".tsv")
    picks = readPicks(path) if os.path.exists(path) else []
    return [pick for pick in picks if least <= pick.score < below]


def coordinateLike(like: Any, pick: Pick, mic: Any) -> Any:
    """A coordinate with the attributes of another one, which those of a set must have; values of `pick`."""
    coord = like.clone()
    coord.setObjId(None)
    coord.setPosition(math.floor(pick.x + 0.5), math.floor(pick.y + 0.5))
    coord.setMicrograph(mic)
    values = {SCORE: pick.score, "_rlnAutopickFigureOfMerit": pick.score, PROBABILITY: pick.probability}
    for name, value in values.items():
        if hasattr(coord, name):
            getattr(coord, name).set(value)
    return coord


def iterCoordinates(picks: Iterable[Pick], mic: Any) -> Iterator[Any]:
    """Scipion coordinates of `picks` (best first) on `mic`, at most one a pixel.

    Scipion stores whole pixels, and RELION's extraction finds particles by them, so of two picks on one pixel the
    better one stays.  The score is also given under RELION's names, all three of which its plugin asks for.
    """
    taken = set()
    for pick in picks:
        pixel = (math.floor(pick.x + 0.5), math.floor(pick.y + 0.5))
        if pixel in taken:
            continue
        taken.add(pixel)
        coord = Coordinate(x=pixel[0], y=pixel[1])
        coord.setMicrograph(mic)
        coord._pupickerScore = Float(pick.score)
        if pick.probability is not None:
            coord._pupickerProbability = Float(pick.probability)
        if pick.scoreSd is not None:
            coord._pupickerUncertainty = Float(pick.scoreSd)
        coord._rlnAutopickFigureOfMerit = Float(pick.score)
        coord._rlnClassNumber = Integer(0)
        coord._rlnAnglePsi = Float(0.0)
        yield coord
