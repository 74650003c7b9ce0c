"""How bright labelled particles are on average at each distance from their centre: it tells the diameter."""

from __future__ import annotations

import tkinter as tk
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

REACH = 1.25  # diameters from the centre that are looked at
MOST_PARTICLES = 200  # more change nothing
BINS = 40
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
