"""Micrographs as pictures: reduced copies, levelling, low-pass, contrast.  No windows here."""

from __future__ import annotations

import math
from typing import Any, List, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image

DARKEST, BRIGHTEST = 0.005, 0.995  # of the grey levels shown: what lies outside is black or white
SMALLEST_SIDE = 512  # px; no smaller copy of a micrograph is needed
BACKGROUND_SIDE = 128  # px; of the copy that the background is taken from
BACKGROUND_SIGMA = 1 / 16  # of the shorter side: ice and carbon, not particles
KERNEL_REACH = 4.5  # standard deviations
FINEST_SIGMA = 1.5  # px; a wider Gaussian is applied to fewer, larger pixels
SAMPLED = 3  # of the pixels of a picture every third row and column tells how bright it is


class MicrographError(Exception):
    """A micrograph cannot be shown; the message is one line that names its file."""


class Look(NamedTuple):
    """How a micrograph is shown.

    Attributes
    ----------
    lowPassPx
        Standard deviation of a Gaussian filter, in pixels of the micrograph.
    contrast
        1: the brightest and the darkest pixels are white and black; more: more of them are.
    levelled
        Whether slow changes of brightness, of ice and carbon, are taken away.
    inverted
        Whether dark is shown bright.
    """

    lowPassPx: float = 0.0
    contrast: float = 1.0
    levelled: bool = False
    inverted: bool = False


PLAIN = Look()


class Pyramid:
    """A micrograph with reduced copies, so that any part of it is drawn quickly at any zoom.

    Parameters
    ----------
    pixels
        Array (rows, columns) of any real type; pixels that are no number are drawn black.

    Attributes
    ----------
    shape
        Width and height in pixels.
    pixels
        The array, of numbers only.
    """

    def __init__(self, pixels: Any) -> None:
        whole = np.ascontiguousarray(pixels, dtype=np.float32)
        self.shape: Tuple[int, int] = (whole.shape[1], whole.shape[0])
        valid = np.isfinite(whole)
        self._masks: Optional[List[Any]] = None
        if not valid.all():
            rest = whole[valid]
            whole = np.where(valid, whole, np.median(rest) if len(rest) else np.float32(0))
            self._masks = [Image.fromarray(level > 0).convert("L")
                           for level in _reducedCopies(np.where(valid, 0, 1).astype(np.float32))]
        copies = _reducedCopies(whole)
        self.pixels = whole
        self._levels = [Image.fromarray(level) for level in copies]
        self._background: Any = None
        self._smallest = copies[-1]

    def background(self) -> Any:
        """Slow changes of brightness, a small picture of the whole micrograph."""
        if self._background is None:
            size = [max(1, round(BACKGROUND_SIDE * side / max(self.shape))) for side in self.shape]
            small = np.asarray(Image.fromarray(self._smallest).resize((size[0], size[1]), Image.Resampling.BOX))
            self._background = Image.fromarray(lowPass(small, BACKGROUND_SIGMA * min(size)).astype(np.float32))
        return self._background

    def level(self, scale: float) -> int:
        """The copy that is drawn at this many pixels of the window for a pixel of the micrograph."""
        return min(len(self._levels) - 1, max(0, int(math.log2(1 / scale) + 1e-6)))

    def values(self, box: Tuple[float, float, float, float], size: Tuple[int, int], number: int,
               levelled: bool) -> Tuple[Any, Any]:
        """Pixels of the part `box` (left, top, right, bottom, in pixels of the micrograph) brought to a `size`.

        Returns them with a mask of those that are a number (None: all are), both ``(height, width)``; `number` is the
        copy that they are taken from.
        """
        factor = 0.5 ** number
        values = _part(self._levels[number], (factor, factor), box, size)
        if levelled:
            background = self.background()
            factors = tuple(side / whole for side, whole in zip(background.size, self.shape))
            values = values - _part(background, factors, box, size)
        if self._masks is None:
            return values, None
        return values, _part(self._masks[number], (factor, factor), box, size) == 0


def _part(picture: Any, factors: Tuple[float, ...], box: Tuple[float, float, float, float],
          size: Tuple[int, int]) -> Any:
    """The part `box` of a micrograph out of a copy that is smaller by `factors`."""
    cut = [min(max(edge * factor, 0.0), float(limit))
           for edge, factor, limit in zip(box, factors * 2, picture.size * 2)]
    if cut[2] - cut[0] < 1e-3 or cut[3] - cut[1] < 1e-3:  # less than a pixel at the edge of a copy
        return np.zeros((size[1], size[0]), np.float32)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=tuple(cut)))


def _reducedCopies(whole: Any) -> List[Any]:
    """The array, and copies of half its size, a quarter, ... until the longer side is small."""
    copies = [whole]
    while max(copies[-1].shape) > SMALLEST_SIDE and min(copies[-1].shape) > 1:
        last = copies[-1]
        last = last[:last.shape[0] // 2 * 2, :last.shape[1] // 2 * 2]
        rows = last[0::2] + last[1::2]
        copies.append(np.ascontiguousarray((rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25)))
    return copies


def renderRegion(pyramid: Pyramid, corner: Tuple[float, float], scale: float, size: Tuple[int, int],
                 look: Look = PLAIN) -> Image.Image:
    """Picture of the part of a micrograph that a window shows.

    Parameters
    ----------
    pyramid
        The micrograph.
    corner
        Position (x, y) in the micrograph of the window's upper left corner, in pixels.
    scale
        Pixels of the window for each pixel of the micrograph.
    size
        Width and height of the window; what lies outside the micrograph is grey.
    look
        Contrast and filters.
    """
    picture = Image.new("L", size, 128)
    # edges of what is drawn, in pixels of the window
    first = [max(0, round(-c * scale)) for c in corner]
    last = [min(s, round((whole - c) * scale)) for s, whole, c in zip(size, pyramid.shape, corner)]
    if last[0] <= first[0] or last[1] <= first[1]:
        return picture
    box = [c + edge / scale for edges in (first, last) for c, edge in zip(corner, edges)]
    inside = (last[0] - first[0], last[1] - first[1])
    sigmaPx = look.lowPassPx * scale  # in pixels of the window
    coarser = max(1, int(sigmaPx / FINEST_SIGMA))  # what is smoothed can be drawn from fewer pixels
    drawn = (max(1, inside[0] // coarser), max(1, inside[1] // coarser))
    values, valid = pyramid.values((box[0], box[1], box[2], box[3]), drawn, pyramid.level(scale / coarser),
                                   look.levelled)
    shown = Image.fromarray(_grey(lowPass(values, sigmaPx / coarser), valid, look))
    picture.paste(shown.resize(inside, Image.Resampling.BILINEAR) if coarser > 1 else shown, (first[0], first[1]))
    return picture


def lowPassSigma(resolution: float) -> float:
    """Standard deviation of the Gaussian filter that leaves half of the amplitude at a resolution, in its unit.

    The filter's transfer function is exp(-2 pi² sigma² / resolution²).
    """
    return resolution * math.sqrt(math.log(2) / 2) / math.pi


def lowPass(image: Any, sigmaPx: float) -> Any:
    """Gaussian filter of standard deviation `sigmaPx`; the image goes on beyond its edges as in a mirror.

    0 changes nothing.
    """
    if sigmaPx <= 0:
        return image
    reach = math.ceil(KERNEL_REACH * sigmaPx)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigmaPx) ** 2)
    weights = (weights / (2 * weights.sum() - weights[0])).astype(np.float32)
    rows = _smoothed(np.asarray(image, dtype=np.float32), weights)
    return np.ascontiguousarray(_smoothed(np.ascontiguousarray(rows.T), weights).T)


def _smoothed(image: Any, weights: Any) -> Any:
    """Each column weighted with its neighbours; transforms would take several times as long for so narrow a filter."""
    reach, rows = len(weights) - 1, image.shape[0]
    padded = np.pad(image, ((reach, reach), (0, 0)), mode="symmetric")
    total = padded[reach:reach + rows] * weights[0]
    both = np.empty_like(total)
    for distance in range(1, reach + 1):
        np.add(padded[reach - distance:reach - distance + rows], padded[reach + distance:reach + distance + rows],
               out=both)
        both *= weights[distance]
        total += both
    return total


def _grey(values: Any, valid: Any, look: Look) -> Any:
    """Grey levels 0 to 255 of an array; pixels that are no number become black."""
    sample = values[::SAMPLED, ::SAMPLED]
    if valid is not None:
        if not valid.any():
            return np.zeros(values.shape, dtype="uint8")
        sample = values[valid] if valid.sum() < sample.size else sample[valid[::SAMPLED, ::SAMPLED]]
    low, high = np.quantile(sample, (DARKEST, BRIGHTEST)) if sample.size else (0.0, 0.0)
    sign = -1 if look.inverted else 1
    grey = 127.5 + (values - (low + high) / 2) * np.float32(sign * 255 * look.contrast / ((high - low) or 1))
    grey = grey.clip(0, 255).astype("uint8")
    return grey if valid is None else np.where(valid, grey, np.uint8(0))
