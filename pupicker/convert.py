"""Between Scipion's sets and the files of the command line.

Coordinates are particle centres, x = column, y = row, in pixels of the micrograph they belong to; the centre of the
first pixel is (0, 0) and y is not flipped, in Scipion as in pupicker.
"""

from __future__ import annotations

import csv
import json
import math
import os
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set

import pyworkflow.utils as pwutils
from pwem.emlib.image import ImageHandler
from pwem.objects import Coordinate
from pyworkflow.object import Float, Integer

from pupicker.constants import PROBABILITY, SCORE

READ_DIRECTLY = (".mrc", ".tif", ".tiff")
MASK_EXTENSIONS = (".mrc", ".mrcs", ".tif", ".tiff", ".png")
IMAGE_EXTENSIONS = READ_DIRECTLY + (".mrcs", ".eer", ".dm3", ".dm4", ".hdf", ".map", ".spi", ".xmp", ".png", ".jpg")


class Pick(NamedTuple):
    """One row of a table of picks: centre in pixels of the micrograph, score, and, if known,
    probability and spread of the score.
    """

    x: float
    y: float
    score: float
    probability: Optional[float]
    scoreSd: Optional[float] = None


# ------------------------------ micrographs ------------------------------
def linkName(micId: int) -> str:
    """Stem under which a micrograph is handed to the command line: unique where file names are not."""
    return "mic%06d" % micId


def micIdsIn(folder: str, ending: str = "") -> Set[int]:
    """Ids of the micrographs that have a file with this ending in a folder; there need be none."""
    return {micIdOf(name) for name in os.listdir(folder) if name.endswith(ending)} if os.path.isdir(folder) else set()


def micIdOf(path: str) -> int:
    """Object id of the micrograph that was handed over as `path` (the inverse of :func:`linkName`)."""
    return int(os.path.splitext(os.path.basename(path))[0][len("mic"):])


def linkMicrograph(mic: Any, folder: str) -> str:
    """Link `mic` into `folder` for the command line, or convert it where the core cannot read the format.

    Raises
    ------
    Exception
        The file is missing or cannot be converted; the message is one line.
    """
    index, source = mic.getLocation()
    if not os.path.exists(source):
        raise Exception("%s: no such file" % source)
    extension = os.path.splitext(source)[1].lower()
    if extension in READ_DIRECTLY and not index:
        link = os.path.join(folder, linkName(mic.getObjId()) + extension)
        pwutils.createAbsLink(os.path.abspath(source), link)
        return link
    converted = os.path.join(folder, linkName(mic.getObjId()) + ".mrc")
    try:
        ImageHandler().convert(mic.getLocation(), converted)
    except Exception as error:
        raise Exception("%s: cannot be converted to MRC (%s)" % (source, str(error).replace("\n", " "))) from error
    return converted


def stem(micName: str) -> str:
    """Name without folder and image extension; other dots belong to the name (``May08_04.33.57``)."""
    short, extension = os.path.splitext(os.path.basename(micName))
    return short if extension.lower() in IMAGE_EXTENSIONS else os.path.basename(micName)


def masksByName(folder: str) -> Dict[str, str]:
    """Masks of a folder by the name of their micrograph: ``a.png``, ``a_mask.mrc`` belong to ``a``."""
    masks = {}
    for name in sorted(os.listdir(folder)):
        short, extension = os.path.splitext(name)
        if extension.lower() in MASK_EXTENSIONS and not name.startswith("."):
            short = stem(short)
            masks[short[:-len("_mask")] if short.endswith("_mask") else short] = os.path.join(folder, name)
    return masks


def writeViewsStar(views: Iterable[Any], starFile: str) -> None:
    """Write the list of images that ``pupicker baseline template --template`` takes."""
    with open(starFile, "w", encoding="utf-8") as stream:
        stream.write("\ndata_images\n\nloop_\n_rlnImageName #1\n")
        for view in views:
            index, path = view.getLocation()
            stream.write("%06d@%s\n" % (max(1, index), os.path.abspath(path)))


def writeMicrographStar(paths: Iterable[str], starFile: str) -> None:
    """Write the list of micrographs that a command takes instead of a long command line."""
    with open(starFile, "w", encoding="utf-8") as stream:
        stream.write("\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n")
        stream.writelines("%s\n" % path for path in paths)


# ------------------------------ picks ------------------------------
def writePicks(coordSet: Any, attribute: str, path: str) -> None:
    """Write the table that ``pupicker evaluate --picks`` reads; `attribute` of each coordinate is its score.

    If that is the score of pupicker, the probability goes with it.
    """
    columns = [attribute]
    if attribute == SCORE and hasattr(coordSet.getFirstItem(), PROBABILITY):
        columns.append(PROBABILITY)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\t".join(["micrograph", "x", "y", "score", "probability"][:3 + len(columns)]) + "\n")
        for coord in coordSet:
            values = "\t".join(repr(getattr(coord, name).get()) for name in columns)
            stream.write("%s\t%d\t%d\t%s\n" % (linkName(coord.getMicId()), coord.getX(), coord.getY(), values))


def readPicks(path: str) -> List[Pick]:
    """Read one table written by ``pupicker pick`` or ``baseline --format tsv``, best score first."""
    with open(path, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t")
        picks = [Pick(float(row["x"]), float(row["y"]), float(row["score"]),
                      float(row["probability"]) if row.get("probability") else None,
                      float(row["score_sd"]) if row.get("score_sd") else None) for row in rows]
    return sorted(picks, key=lambda pick: -pick.score)


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


# ------------------------------ reports ------------------------------
def readJson(path: str) -> Dict[str, Any]:
    """Content of a JSON file; empty if it is not there (yet) or not complete."""
    try:
        with open(path, encoding="utf-8") as stream:
            return dict(json.load(stream))
    except (OSError, ValueError):
        return {}


def writeJson(path: str, content: Dict[str, Any]) -> None:
    """Write `content` to `path` at once, never half."""
    temporary = path + ".part"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
    os.replace(temporary, path)
