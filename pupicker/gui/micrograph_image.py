"""Micrographs as pictures: reading, averaging to the size of the screen, contrast.  No windows here."""

from __future__ import annotations

import math
from typing import Any, Tuple

import numpy as np
from PIL import Image
from pwem.constants import ALL_MRC_EXTENSIONS
from pwem.emlib.image.image_readers import ImageReadersRegistry, MRCImageReader

DARKEST, BRIGHTEST = 0.005, 0.995  # of the grey levels shown: what lies outside is black or white


class MicrographError(Exception):
    """A micrograph cannot be shown; the message is one line that names its file."""


def readMicrograph(path: str, index: int = 0) -> Any:
    """Pixels of a micrograph, an array (rows, columns); of a stack the image `index`, counted from 1.

    Raises
    ------
    MicrographError
        The file is missing or cannot be read.
    """
    try:
        if path.rsplit(".", 1)[-1].lower() in ALL_MRC_EXTENSIONS:
            pixels = MRCImageReader.getArray(path)  # its open() wants to write
        else:
            pixels = ImageReadersRegistry.open(path).getImage()
        while pixels.ndim > 2:
            pixels = pixels[max(index, 1) - 1 if len(pixels) > 1 else 0]
    except Exception as error:
        raise MicrographError("%s: cannot be shown (%s)" % (path, str(error).replace("\n", " "))) from error
    return pixels


def renderRegion(pixels: Any, corner: Tuple[float, float], scale: float, size: Tuple[int, int], lowPassPx: float = 0.0,
                 contrast: float = 1.0) -> Image.Image:
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
    lowPassPx
        Standard deviation of a Gaussian filter, in pixels of the window.
    contrast
        1: the brightest and the darkest pixels are white and black; more: more of them are.
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
    region = region.reshape(rows, step, columns, step).mean(axis=(1, 3))
    grey = _stretched(region, lowPassPx / (step * scale), contrast)
    shown = Image.fromarray(grey).resize((max(1, round(columns * step * scale)), max(1, round(rows * step * scale))),
                                         Image.Resampling.BILINEAR)
    picture.paste(shown, (round((left - corner[0]) * scale), round((top - corner[1]) * scale)))
    return picture


def lowPass(image: Any, sigmaPx: float) -> Any:
    """Gaussian filter of standard deviation `sigmaPx`, periodic at the edges; 0 changes nothing."""
    if sigmaPx <= 0:
        return image
    rows, columns = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    weight = np.exp(-2 * (np.pi * sigmaPx) ** 2 * (rows ** 2 + columns ** 2))
    return np.fft.irfft2(np.fft.rfft2(image) * weight, image.shape)


def _stretched(values: Any, lowPassPx: float, contrast: float) -> Any:
    """Grey levels 0 to 255 of an array; pixels that are no number become black."""
    valid = abs(values) < math.inf  # also false for NaN
    if not valid.any():
        return np.zeros(values.shape, dtype="uint8")
    values = lowPass(np.where(valid, values, np.median(values[valid])), lowPassPx)
    low, high = np.quantile(values[valid], (DARKEST, BRIGHTEST))
    grey = 127.5 + (values - (low + high) / 2) * (255 * contrast / ((high - low) or 1))
    return np.where(valid, grey.clip(0, 255), 0).astype("uint8")
