"""Choosing a threshold on the score: a histogram with a line to drag, a slider below it, a field."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
from matplotlib.ticker import EngFormatter

from pupicker.window.colours import scoreColours, scoreRange

BINS = 60
USUAL_SHARE = 0.995  # of the scores; of an axis that shows the few highest too, the rest would be a corner
USUAL_LIMITS = (-6.0, 8.0)  # of log-likelihood ratios: within them something can be decided
LEFT, RIGHT = 0.15, 0.95  # edges of the axes in a figure; the slider has the same
MARK = "#1f5fbf"
HANDLE_PX = 30  # of the slider: its middle shows the value


class ThresholdControl:
    """Slider and entry for a threshold on the score; `changed()` is called after a change, once the window is idle.

    A number beyond the ends is taken as the end; a decimal comma is read, too.

    Parameters
    ----------
    limits
        Ends of the slider.
    marginsPx
        Left and right of the slider, for a histogram above it.

    Attributes
    ----------
    ends
        Lowest and highest threshold that can be written into the field.
    suggestion
        The button of :meth:`suggest`; None: nothing was suggested.
    """

    def __init__(self, parent: Any, limits: Tuple[float, float], value: float, changed: Callable[[], None],
                 marginsPx: Tuple[int, int] = (0, 0)) -> None:
        self.value, self._changed, self._parent, self.ends = value, changed, parent, limits
        self.suggestion: Any = None
        self._pending: Dict[str, Any] = {}
        self.scale = ttk.Scale(parent, from_=limits[0], to=max(limits[1], limits[0] + 1e-6), value=value,
                               command=lambda text: self.set(float(text)))
        self.scale.pack(fill=tk.X, padx=marginsPx)
        self._bar = bar = ttk.Frame(parent)
        bar.pack(fill=tk.X, pady=4)
        ttk.Label(bar, text="Threshold (score)").pack(side=tk.LEFT)
        self.entry = ttk.Entry(bar, width=9, justify=tk.RIGHT)
        self.entry.pack(side=tk.RIGHT)
        self.entry.bind("<FocusOut>", lambda event: self._onEntry())
        for key in ("<Return>", "<KP_Enter>"):
            self.entry.bind(key, lambda event: self._leaveEntry())
        self._showValue()

    def suggest(self, value: float) -> None:
        """Offer a threshold by a button, one at most."""
        if self.suggestion is not None:
            return
        self.suggestion = ttk.Button(self._bar, text="Suggested (%0.2f)" % value, command=lambda: self.move(value))
        self.suggestion.pack(side=tk.RIGHT, padx=6)

    def set(self, value: float) -> None:
        """Take a new threshold."""
        self.value = value
        self._showValue()
        if "idle" not in self._pending:
            self._pending["idle"] = self._parent.after_idle(self._notify)

    def move(self, value: float) -> None:
        """Take a new threshold and show it on the slider."""
        self.scale.configure(value=value)
        self.set(value)

    def _notify(self) -> None:
        self._pending.clear()
        self._changed()

    def _showValue(self) -> None:
        self.entry.delete(0, tk.END)
        self.entry.insert(0, "%.2f" % self.value)

    def _leaveEntry(self) -> None:
        """Take what was typed; keys are for the window again."""
        self._onEntry()
        self.entry.winfo_toplevel().focus_set()

    def _onEntry(self) -> None:
        try:
            value = nearest(float(self.entry.get().strip().replace(",", ".")), self.ends)
        except ValueError:
            value = self.value
        if abs(value - self.value) >= 0.005:
            self.move(value)
        else:
            self._showValue()


class ScoreHistogram:
    """Histogram of scores on a figure, in their colours, with the threshold as a line that the mouse drags.

    Scores above the axis are counted in its last bar, which is hatched then and says so.

    Parameters
    ----------
    figure
        Empty; without a layout of its own, so that the slider can have the same margins.
    scores
        ``(n,)``.
    move
        Called with the threshold when the line is dragged.
    """

    def __init__(self, figure: Any, scores: Any, move: Callable[[float], None]) -> None:
        self._figure, self._move = figure, move
        self.limits = usualLimits(scores)
        figure.subplots_adjust(left=LEFT, right=RIGHT, bottom=0.17, top=0.97)
        self.axes = figure.add_subplot()
        counts, edges = np.histogram(np.minimum(scores, self.limits[1]), bins=BINS, range=self.limits)
        centres = (edges[1:] + edges[:-1]) / 2
        bars = self.axes.bar(centres, counts, width=edges[1] - edges[0], edgecolor="#808080", linewidth=0.3,
                             color=scoreColours(centres, scoreRange(scores)))
        if (np.asarray(scores) > self.limits[1]).any():
            bars[-1].set_hatch("////")
            self.axes.text(edges[-1], counts[-1], "≥ %0.1f" % edges[-2], ha="right", va="bottom", fontsize=8)
        self.axes.yaxis.set_major_formatter(EngFormatter(sep=""))  # 2k: there is no room for 2000
        self.axes.set(xlabel="score (colour of the circles)", ylabel="picks", xlim=self.limits)
        self.axes.spines[["top", "right"]].set_visible(False)
        self._line = self.axes.axvline(self.limits[0], color="black", linestyle="--")
        self._dragging = False
        for event, action in (("button_press_event", self._pressed), ("motion_notify_event", self._moved),
                              ("button_release_event", self._released)):
            figure.canvas.mpl_connect(event, action)

    def show(self, threshold: float) -> None:
        """Put the line there."""
        self._line.set_xdata([min(max(threshold, self.limits[0]), self.limits[1])] * 2)
        self._figure.canvas.draw_idle()

    def mark(self, threshold: float) -> None:
        """Mark a threshold that is suggested."""
        self.axes.axvline(threshold, color=MARK, linewidth=1)
        self.axes.annotate("suggested", (threshold, 1), (3, -2), xycoords=("data", "axes fraction"),
                           textcoords="offset points", color=MARK, fontsize=8, va="top")

    def _pressed(self, event: Any) -> None:
        self._dragging = event.inaxes is self.axes
        self._moved(event)

    def _moved(self, event: Any) -> None:
        if self._dragging and event.xdata is not None:
            self._move(float(event.xdata))

    def _released(self, event: Any) -> None:
        self._dragging = False


def usualLimits(scores: Any) -> Tuple[float, float]:
    """Ends of an axis of scores: from the lowest to nearly the highest, so far as anything is decided there.

    Infinite ones do not count.
    """
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return 0.0, 1.0
    low, high = float(scores.min()), float(scores.max())
    if high > USUAL_LIMITS[1]:
        high = max(USUAL_LIMITS[1], float(np.quantile(scores, USUAL_SHARE)))
    return low, max(high, low + 1e-6)


def sliderMargins(widthPx: int) -> Tuple[int, int]:
    """Left and right of a slider below a histogram of this width, so that its handle stands below the line."""
    left, right = (max(0, round(share * widthPx - HANDLE_PX / 2)) for share in (LEFT, 1 - RIGHT))
    return left, right


def nearest(threshold: Optional[float], limits: Tuple[float, float]) -> float:
    """A threshold within the limits; their lower end without one."""
    return limits[0] if threshold is None else min(max(threshold, limits[0]), limits[1])
