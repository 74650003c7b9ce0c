"""Scored coordinates: picks coloured by score, a threshold to try, and a set made with it."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, List, Sequence

import numpy as np
from pwem.objects import SetOfCoordinates
from pyworkflow.viewer import View, Viewer

from pupicker.constants import CUT_SCORES
from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerPick, ProtPuPickerThreshold
from pupicker.schedule import updateRun
from pupicker.shared.lengths import BOX_SIZE
from pupicker.viewers.browser import PANEL_WIDTH_PX, MicrographBrowser, WindowView
from pupicker.viewers.scored_set import ScoredSet, ViewerError, hasScores, readScoredSet
from pupicker.viewers.scores import expected
from pupicker.viewers.threshold_control import ScoreHistogram, ThresholdControl, sliderMargins
from pupicker.window.colours import scoreColours, scoreRange
from pupicker.window.micrograph_canvas import Circle

POLL_MS = 1000
MOST_STEPS_BACK = 20  # from a threshold to the picking that it cuts


class ScoresWindow(MicrographBrowser):
    """`source` is the run that holds the set, `output` the name it has there; circles have the particle's diameter."""

    def __init__(self, parent: Any, data: ScoredSet, project: Any, source: Any, output: str) -> None:
        diameterAng = diameterOf(source)
        radiusPx = diameterAng / data.pixelSizeAng / 2 if diameterAng and data.pixelSizeAng else (
            data.boxSize / BOX_SIZE / 2)
        MicrographBrowser.__init__(self, "pupicker: scored picks", parent, data.micrographs, radiusPx,
                                   ["kept", "all"], data.pixelSizeAng)
        self.data, self._project, self._source, self._output = data, project, source, output
        self.newRun: Any = None
        order = np.argsort(data.micId, kind="stable")
        ids, starts = np.unique(data.micId[order], return_index=True)
        self._rows = dict(zip(ids.tolist(), np.split(order, starts[1:])))
        self._colours = scoreColours(data.score, scoreRange(data.score))
        self.histogram = ScoreHistogram(self.addFigure(3.0, layout=None), data.score,
                                        lambda value: self.threshold.move(value))
        limits = self.histogram.limits
        self.threshold = ThresholdControl(self.panel, limits, limits[0], self._thresholdChanged,
                                          sliderMargins(PANEL_WIDTH_PX))
        self.text = tk.StringVar(master=self.root)
        ttk.Label(self.panel, textvariable=self.text, justify=tk.LEFT, wraplength=390).pack(anchor=tk.W, pady=8)
        self.button = ttk.Button(self.panel, text="Create set", command=self.createSet)
        self.button.pack(anchor=tk.W)
        self.state = tk.StringVar(master=self.root, value="A run of its own (threshold) makes it.")
        ttk.Label(self.panel, textvariable=self.state, wraplength=390).pack(anchor=tk.W, pady=6)
        self.selectFirst()
        self._thresholdChanged()

    # ------------------------- content -------------------------
    def kept(self) -> Any:
        """Mask of the picks at or above the threshold."""
        return self.data.score >= self.threshold.value

    def _rowsOf(self, micId: int) -> Any:
        return self._rows.get(micId, np.zeros(0, dtype=int))

    def circles(self, micId: int) -> List[Circle]:
        data = self.data
        return [(data.x[row], data.y[row], self._colours[row]) for row in self._rowsOf(micId)
                if data.score[row] >= self.threshold.value]

    def count(self, micId: int) -> Sequence[Any]:
        rows = self._rowsOf(micId)
        return int((self.data.score[rows] >= self.threshold.value).sum()), len(rows)

    def _thresholdChanged(self) -> None:
        self._showNumbers()
        self.histogram.show(self.threshold.value)
        self.refreshCounts()
        self.refreshCircles()

    def _showNumbers(self) -> None:
        kept = self.kept()
        lines = ["Kept: %d of %d picks" % (kept.sum(), len(kept))]
        if self.micId():
            lines.append("On this micrograph: %d of %d" % tuple(self.count(self.micId())))
        if self.data.probability is not None and kept.any():
            forecast = expected(self.data.probability, kept)
            lines += ["", "By the probabilities, which are often too high on crowded micrographs:",
                      "about %s particles among the kept" % rounded(forecast.particles),
                      "precision about %0.1f" % forecast.precision,
                      "recall about %0.1f of the particles in this set" % forecast.recall,
                      "Look at the weakest that are kept, and set the threshold by eye."]
        self.text.set("\n".join(lines))

    def _showSelected(self) -> None:
        MicrographBrowser._showSelected(self)
        self._showNumbers()

    # ------------------------- new set -------------------------
    def createSet(self) -> None:
        """Start a run of *threshold* that keeps the picks at or above the threshold, with all their attributes."""
        if not self.kept().any():
            self.state.set("No pick is kept: lower the threshold.")
            return
        run = self._project.newProtocol(ProtPuPickerThreshold, mode=CUT_SCORES, scores=repr(self.threshold.value))
        run.setObjLabel("score at least %0.2f" % self.threshold.value)
        run.inputCoordinates.set(self._source)
        run.inputCoordinates.setExtended(self._output)
        self.button.state(["disabled"])
        try:
            self._project.launchProtocol(run)
        except Exception as error:
            self.button.state(["!disabled"])
            self.state.set("The run could not be started: %s" % str(error).replace("\n", " "))
            return
        self.newRun = run
        self.state.set("Run %d (%s) makes the set ..." % (run.getObjId(), run.getObjLabel()))
        self.root.after(POLL_MS, self._poll)

    def _poll(self) -> None:
        run = self.newRun
        updateRun(self._project, run)
        if run.isActive():
            self.root.after(POLL_MS, self._poll)
            return
        self.button.state(["!disabled"])
        if run.isFinished():
            self.state.set("Run %d (%s): %d picks in the new set."
                           % (run.getObjId(), run.getObjLabel(), run.outputCoordinates1.getSize()))
        else:
            self.state.set("Run %d failed: %s" % (run.getObjId(), run.getErrorMessage()))


def rounded(number: float) -> str:
    """A number of which only two digits mean something."""
    digits = max(0, len("%d" % number) - 2)
    return "%d" % round(number, -digits)


def diameterOf(run: Any) -> float:
    """Diameter in Å of the particles that a run picked; 0: it is not known."""
    for _ in range(MOST_STEPS_BACK):
        if run is None:
            break
        model = getattr(run, "inputModel", None)
        if model is not None and model.get() is not None:
            return float(model.get().getDiameterAng() or 0)
        if getattr(run, "diameter", None) is not None:
            return float(run.diameter.get() or 0)
        pointer = getattr(run, "inputCoordinates", None)
        run = pointer.getObjValue() if pointer is not None and pointer.hasExtended() else None
    return 0.0


class PuPickerScoresViewer(Viewer):
    """Picks coloured by score, with a threshold."""

    _name = "pupicker scores"
    _targets = [SetOfCoordinates, ProtPuPickerPick, ProtPuPickerBaseline, ProtPuPickerThreshold]

    @classmethod
    def can_handle_this_instance(cls, instance: Any) -> bool:
        """Sets with scores; runs that have no picks yet, or some with scores."""
        if isinstance(instance, SetOfCoordinates):
            return hasScores(instance)
        sets = [output for _, output in instance.iterOutputAttributes() if isinstance(output, SetOfCoordinates)]
        return not sets or any(output.getSize() == 0 or hasScores(output) for output in sets)

    def _maker(self, coordSet: Any) -> Any:
        """The run that made the set; it may be shown as the input of another one."""
        try:
            return self._project.getProtocol(coordSet.getObjParentId())
        except Exception:  # whatever Scipion says of an id that it does not know
            return self.protocol

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        source = self._maker(obj) if isinstance(obj, SetOfCoordinates) else obj
        sets = {name: output for name, output in source.iterOutputAttributes()
                if isinstance(output, SetOfCoordinates) and (output.getSize() == 0 or hasScores(output))}
        if isinstance(obj, SetOfCoordinates):
            sets = {name: output for name, output in sets.items() if output.getObjId() == obj.getObjId()}
        if not sets:
            return [self.errorMessage("This run has no coordinates yet.", "pupicker scores")]
        if not any(output.getSize() for output in sets.values()):
            return [self.errorMessage("This run has not a single pick.", "pupicker scores")]
        name = max(sets, key=lambda key: sets[key].getSize())  # nested sets: the largest holds the others
        try:
            data = readScoredSet(sets[name])
        except ViewerError as error:
            return [self.errorMessage(str(error), "pupicker scores")]
        return [WindowView(lambda parent: ScoresWindow(parent, data, self._project, source, name), self.formWindow)]
