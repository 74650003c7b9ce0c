"""Tables of picks and Scipion's coordinates.

Coordinates are particle centres, x = column, y = row, in pixels of the micrograph they belong to; the centre of the
first pixel is (0, 0) and y is not flipped, in Scipion as in pupicker.
"""

from __future__ import annotations

import csv
import math
import os
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from pwem.objects import Coordinate
from pyworkflow.object import Float, Integer

from pupicker.constants import PICKERS, PROBABILITY, SCORE, UNCERTAINTY
from pupicker.convert.micrographs import linkName, micIdOf
from pupicker.shared.atomic import atomic_text, write_text
from pupicker.shared.columns import OPTIONAL, POSITION

MOST_ROW = 1000  # bytes of a row of a table


class Pick(NamedTuple):
    """One row of a table of picks: centre in pixels of the micrograph, score, and, if known,
    probability, spread of the score and number of pickers that have it.
    """

    x: float
    y: float
    score: float
    probability: Optional[float]
    scoreSd: Optional[float] = None
    pickers: Optional[float] = None


def writeViewsStar(views: Iterable[Any], starFile: str) -> None:
    """Write the list of images that ``pupicker baseline template --template`` takes."""
    with atomic_text(starFile) as stream:
        stream.write("\ndata_images\n\nloop_\n_rlnImageName #1\n")
        for view in views:
            index, path = view.getLocation()
            stream.write("%06d@%s\n" % (max(1, index), os.path.abspath(path)))


def scoredCoordinates(coordSet: Any, attribute: str) -> Iterator[Tuple[Any, float]]:
    """The enabled coordinates that have a number in `attribute`, with it: places added by hand may have none."""
    for coord in coordSet:
        score = coord.getAttributeValue(attribute)
        if coord.isEnabled() and score is not None and not math.isnan(score):
            yield coord, score


def writePicks(coordSet: Any, attribute: str, path: str) -> int:
    """Write the table that ``pupicker evaluate --picks`` reads; `attribute` of each coordinate is its score.

    If that is the score of pupicker, the probability goes with it where all have one; empty: the picks have none.
    Returns the number of coordinates that are left out, because they are disabled or have no score.
    """
    columns = [attribute] if attribute else []
    if attribute == SCORE and hasattr(coordSet.getFirstItem(), PROBABILITY) and all(
            getattr(coord, PROBABILITY).get() is not None for coord in _meant(coordSet, attribute)):
        columns.append(PROBABILITY)
    with atomic_text(path) as stream:
        stream.write("\t".join(POSITION + OPTIONAL[:len(columns)]) + "\n")
        written = 0
        for coord in _meant(coordSet, attribute):
            values = "".join("\t%r" % getattr(coord, name).get() for name in columns)
            stream.write("%s\t%d\t%d%s\n" % (linkName(coord.getMicId()), coord.getX(), coord.getY(), values))
            written += 1
    return int(coordSet.getSize()) - written


def _meant(coordSet: Any, attribute: str) -> Iterator[Any]:
    if attribute:
        return (coord for coord, _ in scoredCoordinates(coordSet, attribute))
    return (coord for coord in coordSet if coord.isEnabled())


def writeRows(rows: Dict[int, List[Any]], columns: Sequence[str], path: str) -> None:
    """Write positions by the id of the micrograph, each with values of `columns`, as a table of the command line."""
    with atomic_text(path) as stream:
        stream.write("\t".join(POSITION + tuple(columns)) + "\n")
        for micId in sorted(rows):
            stream.writelines("%s\t%s\n" % (linkName(micId), "\t".join(map(repr, row))) for row in rows[micId])


def readPicks(path: str) -> List[Pick]:
    """Read one table written by ``pupicker pick`` or ``baseline --format tsv``, best score first."""
    return [pick for _, pick in _picksIn(path)]


def readPicksByMicrograph(path: str) -> Dict[int, List[Pick]]:
    """Read one table of all micrographs: picks by the id of the micrograph, best score first."""
    found: Dict[int, List[Pick]] = {}
    for name, pick in _picksIn(path):
        found.setdefault(micIdOf(name), []).append(pick)
    return found


def _picksIn(path: str) -> List[Tuple[str, Pick]]:
    """Name of the micrograph and pick of each row, best score first."""
    with open(path, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t")
        picks = [(row[POSITION[0]], Pick(float(row["x"]), float(row["y"]), float(row["score"]), *[
            float(row[name]) if row.get(name) else None for name in OPTIONAL[1:]])) for row in rows]
    return sorted(picks, key=lambda named: -named[1].score)


def weakestPick(folder: str, micId: int) -> float:
    """Score of the weakest pick of a micrograph, the last of its table, of which the end is read; inf: none."""
    try:
        with open(os.path.join(folder, linkName(micId) + ".tsv"), "rb") as stream:
            names = stream.readline().decode().rstrip("\n").split("\t")
            stream.seek(max(stream.tell(), stream.seek(0, os.SEEK_END) - MOST_ROW))
            rows = stream.read().decode().splitlines()
        return float(rows[-1].split("\t")[names.index(OPTIONAL[0])])
    except (OSError, ValueError, IndexError):
        return math.inf


def weakPicks(folder: str, micId: int, least: float, below: float) -> List[Pick]:
    """Picks of a micrograph that score at least `least` and less than `below`; none if there is no table of it."""
    path = os.path.join(folder, linkName(micId) + ".tsv")
    picks = readPicks(path) if os.path.exists(path) else []
    return [pick for pick in picks if least <= pick.score < below]


def cutTable(candidates: str, target: str, threshold: float) -> None:
    """Write the rows of a table with weaker picks that score at least `threshold`: what picking with it gives."""
    with open(candidates, encoding="utf-8", newline="") as stream:
        header, *lines = stream.read().splitlines(True) or [""]
    place = header.rstrip("\n").split("\t").index(OPTIONAL[0])
    kept = [line for line in lines if float(line.rstrip("\n").split("\t")[place]) >= threshold]
    write_text(target, header + "".join(kept))


def joinTables(folder: str, micIds: Iterable[int], target: str) -> None:
    """Write the tables of these micrographs as one; those that are not there are left out."""
    header, rows = "\t".join(POSITION) + "\n", []
    for micId in sorted(micIds):
        path = os.path.join(folder, linkName(micId) + ".tsv")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                header, *lines = stream.read().splitlines(True)
            rows += lines
    write_text(target, header + "".join(rows))


def coordinateLike(like: Any, pick: Pick, mic: Any) -> Any:
    """A coordinate with the attributes of another one, which those of a set must have; values of `pick`, if any."""
    coord = like.clone()
    coord.setObjId(None)
    coord.setPosition(math.floor(pick.x + 0.5), math.floor(pick.y + 0.5))
    coord.setMicrograph(mic)
    values = {SCORE: pick.score, "_rlnAutopickFigureOfMerit": pick.score, PROBABILITY: pick.probability,
              UNCERTAINTY: pick.scoreSd, PICKERS: None if pick.pickers is None else round(pick.pickers)}
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
        setattr(coord, SCORE, Float(pick.score))
        if pick.probability is not None:
            setattr(coord, PROBABILITY, Float(pick.probability))
        if pick.scoreSd is not None:
            setattr(coord, UNCERTAINTY, Float(pick.scoreSd))
        if pick.pickers is not None:
            setattr(coord, PICKERS, Integer(round(pick.pickers)))
        coord._rlnAutopickFigureOfMerit = Float(pick.score)
        coord._rlnClassNumber = Integer(0)
        coord._rlnAnglePsi = Float(0.0)
        yield coord
