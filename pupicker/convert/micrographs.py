"""Micrographs of Scipion's sets as files that the command line reads, and the way back to their ids."""

from __future__ import annotations

import os
from typing import Any, Iterable, Set

import pyworkflow.utils as pwutils
from pwem.emlib.image import ImageHandler

from pupicker.shared.atomic import atomic_text
from pupicker.shared.names import MICROGRAPH_SUFFIXES

LINKED = tuple(suffix for suffix in MICROGRAPH_SUFFIXES if suffix != ".mrcs")  # of a stack one image is taken out


def linkName(micId: int) -> str:
    """Stem under which a micrograph is handed to the command line: unique where file names are not."""
    return "mic%06d" % micId


def micIdsIn(folder: str, ending: str = "") -> Set[int]:
    """Ids of the micrographs that have a file with this ending in a folder; there need be none.

    Files that are being written, or were when their process was ended, have hidden names and do not count.
    """
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    return {micIdOf(name) for name in names if name.endswith(ending) and not name.startswith(".")}


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
    if extension in LINKED and not index:
        link = os.path.join(folder, linkName(mic.getObjId()) + extension)
        pwutils.createAbsLink(os.path.abspath(source), link)
        return link
    converted = os.path.join(folder, linkName(mic.getObjId()) + ".mrc")
    try:
        ImageHandler().convert(mic.getLocation(), converted)
    except Exception as error:
        raise Exception("%s: cannot be converted to MRC (%s)" % (source, str(error).replace("\n", " "))) from error
    return converted


def writeMicrographStar(paths: Iterable[str], starFile: str) -> None:
    """Write the list of micrographs that a command takes instead of a long command line."""
    with atomic_text(starFile) as stream:
        stream.write("\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n")
        stream.writelines("%s\n" % path for path in paths)
