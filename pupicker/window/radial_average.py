"""How bright labelled particles are on average at each distance from their centre: it tells the diameter."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

REACH = 1.25  # diameters from the centre that are looked at
MOST_PARTICLES = 200  # more change nothing
BINS = 40
SAMPLED = 8  # every so many rows and columns tell the standard deviation of a micrograph
REACH_CHANGE = 0.2  # after which the labels of a micrograph that is not shown are measured anew
MARGIN_PX = 6


def radialSums(pixels: Any, points: Sequence[Tuple[float, float]], reachPx: float) -> Tuple[Any, Any]:
    """Sum of the pixels and their number at ``BINS`` distances up to `reachPx`, over all `points` of a micrograph.

    Parameters
    ----------
    pixels
        Array (rows, columns).
    points
        Centres (x, y) in its pixels; what lies outside the micrograph does not count.
    reachPx
        The largest distance, in pixels.
    """
    total, number = np.zeros(BINS), np.zeros(BINS)
    step = max(1, int(reachPx / (2 * BINS)))  # pixels that are left out between two
    for x, y in list(points)[:MOST_PARTICLES]:
        rows = np.arange(max(0, int(y - reachPx)), min(pixels.shape[0], int(y + reachPx) + 2), step)
        columns = np.arange(max(0, int(x - reachPx)), min(pixels.shape[1], int(x + reachPx) + 2), step)
        if not len(rows) or not len(columns):
            continue
        distance = np.sqrt((rows[:, None] - y) ** 2 + (columns[None] - x) ** 2)
        place = (distance * (BINS / reachPx)).astype(int).ravel()
        part = np.asarray(pixels[rows[0]:rows[-1] + 1:step, columns[0]:columns[-1] + 1:step], dtype=float).ravel()
        good = (place < BINS) & np.isfinite(part)
        level = np.median(part[good]) if good.any() else 0.0  # ice is thicker at one place than at another
        total += np.bincount(place[good], weights=part[good] - level, minlength=BINS)[:BINS]
        number += np.bincount(place[good], minlength=BINS)[:BINS]
    return total, number


class _Measured(NamedTuple):
    """Sums of a micrograph, in its standard deviations, and what they were taken of."""

    total: Any
    number: Any
    points: Sequence[Tuple[float, float]]
    reachAng: float


class LabelMean:
    """The mean of labels on several micrographs, of which each is measured when its labels have changed.

    Distances are in Å, so that pixel sizes may differ; each micrograph counts in its own standard deviation.
    """

    def __init__(self) -> None:
        self._measured: Dict[str, _Measured] = {}

    def measure(self, key: str, pixels: Any, points: Sequence[Tuple[float, float]], pixelSizeAng: float,
                reachAng: float) -> None:
        """Take the labels of a micrograph; nothing is done if they are those of before.

        Parameters
        ----------
        key
            Names the micrograph.
        pixels
            Array (rows, columns); None: it cannot be read, and counts nothing.
        points
            Centres (x, y) in its pixels.
        pixelSizeAng
            Of it.
        reachAng
            The largest distance from a centre.
        """
        known = self._measured.get(key)
        if known is not None and known.points == points and known.reachAng == reachAng:
            return
        total, number = np.zeros(BINS), np.zeros(BINS)
        if pixels is not None:
            total, number = radialSums(pixels, points, reachAng / pixelSizeAng)
            sample = np.asarray(pixels[::SAMPLED, ::SAMPLED], dtype=float)
            sample = sample[np.isfinite(sample)]
            total = total / ((sample.std() if len(sample) else 0.0) or 1.0)
        self._measured[key] = _Measured(total, number, list(points), reachAng)

    def missing(self, labelled: Dict[str, List[Tuple[float, float]]], reachAng: float) -> List[str]:
        """Micrographs to measure yet, or anew: as many as tell something."""
        missing, number = [], 0
        for key, points in labelled.items():
            known = self._measured.get(key)
            number += len(points)
            if known is None or known.points != points or abs(known.reachAng / reachAng - 1) > REACH_CHANGE:
                missing.append(key)
            if number >= MOST_PARTICLES:
                break
        return missing

    def sums(self, labelled: Dict[str, List[Tuple[float, float]]], reachAng: float) -> Tuple[Any, Any]:
        """As :func:`radialSums`, of all labels that were measured."""
        total, number = np.zeros(BINS), np.zeros(BINS)
        for known in filter(None, map(self._measured.get, labelled)):
            total += _rebinned(known.total, known.reachAng / reachAng)
            number += _rebinned(known.number, known.reachAng / reachAng)
        return total, number


def _rebinned(values: Any, factor: float) -> Any:
    """Sums at distances up to `factor` times another reach as sums at distances up to that one."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    return np.diff(np.interp(edges, factor * edges, np.append(0.0, np.cumsum(values))))


class RadialPlot(tk.Canvas):
    """Draws a radial average, and the radius that is chosen as a line in it."""

    def __init__(self, parent: Any, width: int = 220, height: int = 84) -> None:
        tk.Canvas.__init__(self, parent, width=width, height=height, background="white", highlightthickness=1,
                           highlightbackground="#b0b0b0")
        self._values: Optional[Any] = None
        self._reachAng = 0.0

    def show(self, total: Any, number: Any, reachAng: float) -> None:
        """Take the sums of :func:`radialSums`."""
        known = number > 0
        self._values = total[known] / number[known] if known.sum() > 2 else None
        self._reachAng = reachAng

    def draw(self, diameterAng: float) -> None:
        """Draw the curve with the radius of this diameter."""
        self.delete("all")
        width, height = int(self["width"]), int(self["height"])
        if self._values is None or not self._reachAng:
            self.create_text(width / 2, height / 2, width=width - 20, justify="center", fill="#606060",
                             text="radial average of the labels: label some")
            return
        low, high = float(self._values.min()), float(self._values.max())
        heights = [height - MARGIN_PX - (value - low) / ((high - low) or 1) * (height - 26 - MARGIN_PX)
                   for value in self._values]
        line: List[float] = []
        for place, y in enumerate(heights):
            line += [MARGIN_PX + (place + 0.5) / len(heights) * (width - 2 * MARGIN_PX), y]
        self.create_line(*line, fill="#1f77b4", width=2)
        radius = MARGIN_PX + min(1.0, diameterAng / 2 / self._reachAng) * (width - 2 * MARGIN_PX)
        self.create_line(radius, 18, radius, height, fill="#d62728", dash=(4, 3))
        self.create_text(MARGIN_PX, 3, anchor="nw", fill="#404040",
                         text="mean of the labels; red: %.4g Å" % (diameterAng / 2))
