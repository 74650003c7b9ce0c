"""A histogram of scores above a slider, in the colours of the circles, with a line that the mouse drags."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Callable, Sequence

import numpy as np

from pupicker.window.colours import scoreColours, scoreRange

BINS = 48
HEIGHT_PX = 52
TOP_PX = 3
BEYOND_PX = (3, 13)  # from the end of the slider to the edges of a bar outside, of which half a handle is the room


class ScoreBars(tk.Canvas):
    """Stands above a ``tk.Scale`` of the same width; scores beyond its ends are counted in grey bars beside it.

    Parameters
    ----------
    slider
        Whose places are those of the bars.
    move
        Called with the score where the mouse is pressed or dragged.
    """

    def __init__(self, parent: Any, slider: Any, move: Callable[[float], None]) -> None:
        tk.Canvas.__init__(self, parent, height=HEIGHT_PX, background="white", highlightthickness=0)
        self._slider, self._move = slider, move
        self._scores: Any = np.zeros(0)
        self._threshold = 0.0
        for event in ("<ButtonPress-1>", "<B1-Motion>"):
            self.bind(event, lambda event: self._move(self.scoreAt(event.x)))
        self.bind("<Configure>", lambda event: self._draw())

    def show(self, scores: Sequence[float], threshold: float) -> None:
        """Draw the scores, and the line at the threshold."""
        self._scores, self._threshold = np.asarray(scores, dtype=float), threshold
        self._draw()

    def placeOf(self, score: float) -> float:
        """Where a score of the slider is, in pixels from the left."""
        return float(self._slider.coords(score)[0])

    def scoreAt(self, x: float) -> float:
        """The inverse; it stays within the slider."""
        low, high = self._ends()
        left, right = self.placeOf(low), self.placeOf(high)
        return min(high, max(low, low + (x - left) / max(1.0, right - left) * (high - low)))

    def _ends(self) -> Any:
        return float(self._slider["from"]), float(self._slider["to"])

    def _draw(self) -> None:
        self.delete("all")
        low, high = self._ends()
        if len(self._scores):
            counts, edges = np.histogram(self._scores, bins=BINS, range=(low, high))
            below, above = int((self._scores < low).sum()), int((self._scores > high).sum())
            colours = scoreColours((edges[1:] + edges[:-1]) / 2, scoreRange(self._scores))
            unit = (HEIGHT_PX - TOP_PX) / max(counts.max(), below, above)
            for count, left, right, colour in zip(counts, edges[:-1], edges[1:], colours):
                self._bar(self.placeOf(left), self.placeOf(right), count * unit, colour, "bars")
            self._beyond(self.placeOf(low), -1, below * unit, "< %g" % low)
            self._beyond(self.placeOf(high), 1, above * unit, "> %g" % high)
        place = self.placeOf(min(max(self._threshold, low), high))
        self.create_line(place, 0, place, HEIGHT_PX, fill="black", dash=(4, 3), tags="line")

    def _bar(self, left: float, right: float, heightPx: float, colour: str, tag: str) -> None:
        if heightPx:
            self.create_rectangle(left, HEIGHT_PX - max(1.0, heightPx), right, HEIGHT_PX, fill=colour,
                                  outline="#808080", tags=tag)

    def _beyond(self, end: float, side: int, heightPx: float, text: str) -> None:
        """A bar outside of an end of the slider, and what it counts."""
        if heightPx:
            near, far = end + side * BEYOND_PX[0], end + side * BEYOND_PX[1]
            self._bar(min(near, far), max(near, far), heightPx, "#a0a0a0", "beyond")
            self.create_text(end - side * 2, 0, anchor="ne" if side > 0 else "nw", text=text, fill="#404040",
                             tags="beyond")
