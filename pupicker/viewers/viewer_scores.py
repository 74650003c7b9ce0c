"""Scored coordinates: picks coloured by score, a threshold to try, and a set made with it."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, List, Sequence

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from pwem.objects import SetOfCoordinates
from pyworkflow.viewer import View, Viewer

from pupicker.constants import CUT_SCORES
from pupicker.gui.micrograph_canvas import Circle
from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerPick, ProtPuPickerThreshold
from pupicker.schedule import updateRun
from pupicker.viewers.browser import MicrographBrowser, ThresholdControl, WindowView
from pupicker.viewers.scored_set import ScoredSet, ViewerError, hasScores, readScoredSet
from pupicker.viewers.scores import expected

POLL_MS = 1000


class ScoresWindow(MicrographBrowser):
    """`source` is the run that holds the set, `output` the name it has there."""

    def __init__(self, parent: Any, data: ScoredSet, project: Any, source: Any, output: str) -> None:
        MicrographBrowser.__init__(self, "pupicker: scored picks", parent, data.micrographs, data.boxSize / 2,
                                   ["kept", "all"])
        self.data, self._project, self._source, self._output = data, project, source, output
        self.newRun: Any = None
        order = np.argsort(data.micId, kind="stable")
        ids, starts = np.unique(data.micId[order], return_index=True)
        self._rows = dict(zip(ids.tolist(), np.split(order, starts[1:])))
        low, high = (float(data.score.min()), float(data.score.max())) if len(data.score) else (0.0, 1.0)
        shades = np.clip((data.score - low) / max(high - low, 1e-9), 0, 1)
        palette = [to_hex(colour) for colour in matplotlib.colormaps["plasma"](np.linspace(0, 1, 64))]
        self._colours = [palette[int(shade * 63)] for shade in shades]
        self.threshold = ThresholdControl(self.panel, low, high, low, self._thresholdChanged)
        self._makeHistogram(low, high)
        self.text = tk.StringVar(master=self.root)
        ttk.Label(self.panel, textvariable=self.text, justify=tk.LEFT, wraplength=390).pack(anchor=tk.W, pady=8)
        self.button = ttk.Button(self.panel, text="Create set", command=self.createSet)
        self.button.pack(anchor=tk.W)
        self.state = tk.StringVar(master=self.root, value="A run of its own (threshold) makes it.")
        ttk.Label(self.panel, textvariable=self.state, wraplength=390).pack(anchor=tk.W, pady=6)
        self.selectFirst()
        self._thresholdChanged()

    def _makeHistogram(self, low: float, high: float) -> None:
        self._figure = self.addFigure(3.4)
        axes = self._figure.add_subplot()
        counts, edges = np.histogram(self.data.score, bins=60, range=(low, max(high, low + 1e-6)))
        centres = (edges[1:] + edges[:-1]) / 2
        colours = matplotlib.colormaps["plasma"]((centres - low) / max(high - low, 1e-9))
        axes.bar(centres, counts, width=edges[1] - edges[0], color=colours)
        axes.set(xlabel="score (colour of the circles)", ylabel="picks")
        axes.spines[["top", "right"]].set_visible(False)
        self._line = axes.axvline(low, color="black", linestyle="--")

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
        self._line.set_xdata([self.threshold.value] * 2)
        self._figure.canvas.draw_idle()
        self.refreshCounts()
        self.refreshCircles()

    def _showNumbers(self) -> None:
        kept = self.kept()
        lines = ["Kept: %d of %d picks" % (kept.sum(), len(kept))]
        if self.micId():
            lines.append("On this micrograph: %d of %d" % tuple(self.count(self.micId())))
        if self.data.probability is not None and kept.any():
            forecast = expected(self.data.probability, kept)
            lines += ["", "Expected from the probabilities:", "particles among the kept: %0.0f" % forecast.particles,
                      "precision: %0.3f" % forecast.precision,
                      "recall: %0.3f of the particles in this set" % forecast.recall]
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
        sets = {name: output for name, output in source.iterOutputAttributes() if isinstance(output, SetOfCoordinates)}
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
