"""Evaluation: curves, and hits, misses and false picks on the micrographs."""

from __future__ import annotations

import csv
import functools
import os
import tkinter as tk
from tkinter import ttk
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from pyworkflow.viewer import View, Viewer

from pupicker.convert.micrographs import micIdOf
from pupicker.convert.set_columns import collectorPaused
from pupicker.protocols import ProtPuPickerEvaluate
from pupicker.shared.columns import MATCHES
from pupicker.shared.plurals import counted
from pupicker.viewers.browser import PANEL_WIDTH_PX, MicrographBrowser, WindowView
from pupicker.viewers.scored_set import MicrographEntry, ViewerError, readMicrographs
from pupicker.viewers.scores import measuredCurve, thinned
from pupicker.viewers.threshold_control import LEFT, RIGHT, ThresholdControl, nearest, sliderMargins, usualLimits
from pupicker.window.micrograph_canvas import Circle

OUTCOMES = ("hit", "false", "missed")
HIT, FALSE, MISSED, NOTHING = range(4)  # codes of the outcomes; nothing: not drawn, not counted
KINDS = {FALSE: "false pick", MISSED: "missed particle"}  # to go through
TOUR_HINT = "◀: the one before (F, M)."
COLOURS = ("#35d07f", "#ff5050", "#ffd400")
BELOW, ABOVE, BETWEEN = 0.28, 0.16, 0.65  # room beside the plots, in heights of one
NO_SCORE = {"hit": "0", "false": "0", "missed": "-inf"}


class Matches(NamedTuple):
    """Picks and missed particles of a micrograph; arrays ``(n,)``, positions in px, score of a missed one -inf."""

    x: Any
    y: Any
    score: Any
    outcome: Any  # code

    def outcomeAt(self, threshold: float) -> Any:
        """Codes at a threshold on the score: below it, a hit is a missed particle and a false pick is nothing."""
        cut = np.where(self.outcome == FALSE, NOTHING, MISSED)
        return np.where(self.score < threshold, cut, self.outcome)


NO_MATCHES = Matches(*[np.empty(0)] * 4)


def readMatches(path: str) -> Dict[int, Matches]:
    """The table of ``pupicker evaluate --matches`` by micrograph id; raises :class:`ViewerError`."""
    if not os.path.exists(path):
        raise ViewerError("%s: no such file; run the evaluation first." % path)
    byName: Dict[str, List[Tuple[float, float, float, int]]] = {}
    codes = {name: code for code, name in enumerate(OUTCOMES)}
    with open(path, encoding="utf-8", newline="") as stream, collectorPaused():
        rows = csv.reader(stream, delimiter="\t")
        header = next(rows, [])
        if not header:
            raise ViewerError("%s: the table is empty; run the evaluation again." % path)
        micrograph, x, y, score, outcome = (header.index(column) for column in MATCHES)
        for row in rows:
            byName.setdefault(row[micrograph], []).append(
                (float(row[x]), float(row[y]), float(row[score] or NO_SCORE[row[outcome]]), codes[row[outcome]]))
    return {micIdOf(name): Matches(*np.array(some).T) for name, some in byName.items()}


def drawReliability(axes: Any, bins: Sequence[Dict[str, float]]) -> None:
    """Share of hits against the probability with 95 % intervals; right probabilities lie on the diagonal."""
    axes.plot([0, 1], [0, 1], color="#888888", linestyle="--", linewidth=1)
    observed = [one["observed"] for one in bins]
    errors = [[max(0.0, one["observed"] - one["observed_low"]) for one in bins],
              [max(0.0, one["observed_high"] - one["observed"]) for one in bins]]
    axes.errorbar([one["probability"] for one in bins], observed, yerr=errors, fmt="o-", color="#1f77b4", capsize=2,
                  markersize=4)
    axes.set(xlabel="probability of the picks", ylabel="share of hits", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_title("calibration; dashed: probabilities that are right", fontsize=9)


class Evaluation(NamedTuple):
    """What an evaluation found; the circles have the matching radius, half the diameter of the particle."""

    matches: Dict[int, Matches]  # by micrograph id
    radiusPx: float
    bestThreshold: float
    averagePrecision: Optional[float]  # None: nothing ranks the picks, and there is no threshold to choose
    reliability: Sequence[Dict[str, float]] = ()  # none: the picks have no probability
    pixelSizeAng: float = 0.0


class EvaluationWindow(MicrographBrowser):
    """A hit below the threshold is a missed particle, drawn where the pick was."""

    def __init__(self, parent: Any, micrographs: Sequence[MicrographEntry], found: Evaluation) -> None:
        MicrographBrowser.__init__(self, "pupicker: evaluation", parent, micrographs, found.radiusPx,
                                   ["hits", "false", "missed"], found.pixelSizeAng)
        self.matches = found.matches
        self._every = Matches(*map(np.concatenate, zip(NO_MATCHES, *found.matches.values())))
        score = self._every.score[self._every.outcome != MISSED]
        self._limits = usualLimits(score)
        self.threshold: Optional[ThresholdControl] = None
        if found.averagePrecision is not None:
            self.threshold = ThresholdControl(self.panel, self._limits, found.bestThreshold, self._thresholdChanged,
                                              sliderMargins(PANEL_WIDTH_PX))
        self.text = tk.StringVar(master=self.root)
        ttk.Label(self.panel, textvariable=self.text, justify=tk.LEFT).pack(anchor=tk.W, pady=6)
        legend = tk.Frame(self.panel, background="#606060")
        legend.pack(fill=tk.X)
        for colour, meaning in zip(COLOURS, ("hit", "false pick", "missed particle")):
            tk.Label(legend, text="○ " + meaning, foreground=colour, background="#606060").pack(side=tk.LEFT, padx=8)
        self._makeTour()
        self._drawFigure(found)
        self.selectFirst()
        self._thresholdChanged()

    def _makeTour(self) -> None:
        """Buttons and keys that go from one false pick, or missed particle, to the next, and a line that says which."""
        buttons = ttk.Frame(self.panel)
        buttons.pack(fill=tk.X, pady=6)
        for kind, text, key in ((FALSE, "Next false pick (f)", "f"), (MISSED, "Next missed (m)", "m")):
            for step, title, pressed in ((-1, "◀", key.upper()), (1, text, key)):
                action = functools.partial(self.goToNext, kind, step)
                ttk.Button(buttons, text=title, command=action, width=0).pack(side=tk.LEFT, padx=2)
                self.onKey(pressed, action)
        self.place = ttk.Label(self.panel, text=TOUR_HINT)
        self.place.pack(anchor=tk.W)
        self._visited: Dict[int, int] = {}  # how far each kind was looked through

    def _drawFigure(self, found: Evaluation) -> None:
        """Precision against recall, both against the threshold, and the reliability of the probabilities."""
        panels = 1 + (found.averagePrecision is not None) + bool(found.reliability)
        self._figure = self.addFigure(2.3 * panels if found.reliability else 2.8 * panels, layout=None)
        self._figure.subplots_adjust(LEFT, BELOW / panels, RIGHT, 1 - ABOVE / panels, hspace=BETWEEN)  # as the slider
        above = self._figure.add_subplot(panels, 1, 1)
        if found.reliability:
            drawReliability(self._figure.add_subplot(panels, 1, panels), found.reliability)
        isPick = self._every.outcome != MISSED
        hit = self._every.outcome[isPick] == HIT
        curves = measuredCurve(self._every.score[isPick], hit, int(hit.sum()) + int((~isPick).sum()))
        cut, precision, recall, f1 = (values[thinned(len(values))] for values in curves)
        above.plot(recall, precision, color="#1f77b4", marker="o" if len(cut) == 1 else None)
        above.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        if found.averagePrecision is None:
            above.set_title("one point: nothing ranks the picks")
            return
        above.set_title("average precision %0.3f" % found.averagePrecision, fontsize=10)
        below = self._figure.add_subplot(panels, 1, 2)
        self._figure.canvas.mpl_connect("button_press_event", functools.partial(self._clickedFigure, below))
        self._figure.canvas.mpl_connect("motion_notify_event", functools.partial(self._clickedFigure, below))
        for values, name, colour in ((precision, "precision", "#1f77b4"), (recall, "recall", "#2ca02c"),
                                     (f1, "F1", "#d62728")):
            below.plot(cut, values, label=name, color=colour)
        below.set(xlabel="threshold (score); drag the line", ylim=(0, 1.02), xlim=self._limits)
        below.legend(frameon=False, fontsize=8)
        self._line = below.axvline(found.bestThreshold, color="black", linestyle="--")

    def _clickedFigure(self, axes: Any, event: Any) -> None:
        if self.threshold is not None and event.inaxes is axes and event.button == 1:
            self.threshold.move(nearest(float(event.xdata), self._limits))

    def _cut(self) -> float:
        """The threshold, below every score if there is none."""
        return -np.inf if self.threshold is None else self.threshold.value

    def goToNext(self, kind: int, step: int = 1) -> None:
        """Show the next false pick, the surest first, or the next missed particle, micrograph by micrograph.

        With a `step` of -1 the one before.
        """
        places = []
        for micId, some in self.matches.items():
            for row in np.flatnonzero(some.outcomeAt(self._cut()) == kind):
                places.append((-some.score[row] if kind == FALSE else 0.0, micId, row))
        if not places:
            self.place.configure(text="There is no %s." % KINDS[kind])
            return
        number = (self._visited.get(kind, min(0, -step)) + step) % len(places)
        self._visited[kind] = number
        _, micId, row = sorted(places)[number]
        some = self.matches[micId]
        self.place.configure(text="%s %d of %d%s" % (KINDS[kind].capitalize(), number + 1, len(places),
                                                     self._scoreText(float(some.score[row]))))
        self.showPlace(micId, some.x[row], some.y[row])

    def _scoreText(self, score: float) -> str:
        if self.threshold is None:
            return ""
        if not np.isfinite(score):
            return ": no pick there"
        return ": score %0.2f" % score + (", below the threshold" if score < self.threshold.value else "")

    def circles(self, micId: int) -> List[Circle]:
        some = self.matches.get(micId, NO_MATCHES)
        return [(x, y, COLOURS[int(outcome)]) for x, y, outcome in
                zip(some.x, some.y, some.outcomeAt(self._cut())) if outcome != NOTHING]

    def count(self, micId: int) -> Sequence[int]:
        outcomes = self.matches.get(micId, NO_MATCHES).outcomeAt(self._cut())
        return [int((outcomes == kind).sum()) for kind in (HIT, FALSE, MISSED)]

    def _thresholdChanged(self) -> None:
        outcomes = self._every.outcomeAt(self._cut())
        hits, false, missed = (int((outcomes == kind).sum()) for kind in (HIT, FALSE, MISSED))
        self.place.configure(text=TOUR_HINT)
        self.text.set("%s, %s, %d missed\nprecision %0.3f, recall %0.3f"
                      % (counted(hits, "hit"), counted(false, "false pick"), missed, hits / max(1, hits + false),
                         hits / max(1, hits + missed)))
        if self.threshold is not None:
            self._line.set_xdata([self.threshold.value] * 2)
        self._figure.canvas.draw_idle()
        self.refreshCounts()
        self.refreshCircles()


class PuPickerEvaluationViewer(Viewer):
    """Curves and matches of an evaluation."""

    _name = "pupicker evaluation"
    _targets = [ProtPuPickerEvaluate]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        try:
            matches = readMatches(obj.getMatchesFile())
            micSet = obj.inputCoordinates.get().getMicrographs()
            micrographs = [entry for entry in readMicrographs(micSet) if entry.micId in matches]
        except ViewerError as error:
            return [self.errorMessage(str(error), "pupicker evaluation")]
        found = Evaluation(matches, obj.diameter.get() / micSet.getSamplingRate() / 2, obj.bestThreshold.get() or 0.0,
                           obj.averagePrecision.get(), obj.getReliability(), micSet.getSamplingRate() or 0.0)
        return [WindowView(lambda parent: EvaluationWindow(parent, micrographs, found), self.formWindow)]
