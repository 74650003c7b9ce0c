"""Micrographs as pictures: reading, averaging to the size of the screen, contrast.  No windows here."""

from __future__ import annotations

import math
from typing import Any, Tuple

from PIL import Image
from pwem.constants import ALL_MRC_EXTENSIONS
from pwem.emlib.image.image_readers import ImageReadersRegistry, MRCImageReader

DARKEST, BRIGHTEST = 0.005, 0.995  # of the grey levels shown: what lies outside is black or white


def readMicrograph(mic: Any) -> Any:
    """Pixels of a micrograph, an array (rows, columns).

    Raises
    ------
    Exception
        The file is missing or cannot be read; the message is one line.
    """
    index, path = mic.getLocation()
    try:
        if path.rsplit(".", 1)[-1].lower() in ALL_MRC_EXTENSIONS:
            pixels = MRCImageReader.getArray(path)  # its open() wants to write
        else:
            pixels = ImageReadersRegistry.open(path).getImage()
        while pixels.ndim > 2:
            pixels = pixels[max(index, 1) - 1 if len(pixels) > 1 else 0]
    except Exception as error:
        raise Exception("%s: cannot be shown (%s)" % (path, str(error).replace("\n", " "))) from error
    return pixels


def renderRegion(pixels: Any, corner: Tuple[float, float], scale: float, size: Tuple[int, int]) -> Image.Image:
    """Picture of the part of a micrograph that a window shows.

    Parameters
    ----------
    pixels
        Array (rows, columns).
    corner
        Position (x, y) in the micrograph of the window's upper left corner, in pixels.
    scale
        Pixels of the window for each pixel of the micrograph.
    size
        Width and height of the window; what lies outside the micrograph is grey.
    """
    height, width = pixels.shape
    step = max(1, int(1 / scale + 1e-6))  # pixels averaged into one, which also takes the noise down
    left, top = (max(0, step * int(c // step)) for c in corner)
    right = min(width, math.ceil(corner[0] + size[0] / scale) + step)
    bottom = min(height, math.ceil(corner[1] + size[1] / scale) + step)
    columns, rows = (right - left) // step, (bottom - top) // step
    picture = Image.new("L", size, 128)
    if columns < 1 or rows < 1:
        return picture
    region = pixels[top:top + rows * step, left:left + columns * step].astype("float32")
    grey = _stretched(region.reshape(rows, step, columns, step).mean(axis=(1, 3)))
    shown = Image.fromarray(grey).resize((max(1, round(columns * step * scale)), max(1, round(rows * step * scale))),
                                         Image.BILINEAR)
    picture.paste(shown, (round((left - corner[0]) * scale), round((top - corner[1]) * scale)))
    return picture


def _stretched(values: Any) -> Any:
    """Grey levels 0 to 255 of an array; pixels that are no number become black."""
    known = values[abs(values) < math.inf]  # also false for NaN
    if not len(known):
        return (values != values).astype("uint8")
    known.sort()
    low, high = (float(known[int(share * (len(known) - 1))]) for share in (DARKEST, BRIGHTEST))
    values[~(abs(values) < math.inf)] = low
    return ((values - low) * (255 / (high - low or 1))).clip(0, 255).astype("uint8")
