"""Scored coordinates: picks coloured by score, a threshold to try, and a set made with it."""

from __future__ import annotations

import os
import tkinter as tk
from tkinter import ttk
from typing import Any, List, Sequence

import numpy as np
from pwem.objects import SetOfCoordinates
from pyworkflow.viewer import View, Viewer

from pupicker.constants import CUT_SCORES
from pupicker.convert.corrections import ADDED
from pupicker.convert.origin import diameterOf
from pupicker.gui.micrograph_reader import readMicrograph
from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerPick, ProtPuPickerThreshold
from pupicker.schedule import updateRun
from pupicker.shared.lengths import BOX_SIZE
from pupicker.shared.plurals import counted
from pupicker.shared.shares import roughly
from pupicker.viewers.browser import PANEL_WIDTH_PX, MicrographBrowser, WindowView
from pupicker.viewers.gallery import Actions, Gallery
from pupicker.viewers.pick_editing import HINT, PickEditing, nearThreshold
from pupicker.viewers.scored_set import ScoredSet, ViewerError, hasScores, readScoredSet, withWeaker
from pupicker.viewers.scores import expected
from pupicker.viewers.threshold_control import ScoreHistogram, ThresholdControl, sliderMargins
from pupicker.window.colours import scoreColours, scoreRange
from pupicker.window.micrograph_canvas import Circle
from pupicker.window.micrograph_image import MicrographError

POLL_MS = 1000
MOST_IN_GALLERY = 120  # of them as many are shown as have their micrographs read


class ScoresWindow(MicrographBrowser, PickEditing):
    """`source` is the run that holds the set, `output` the name it has there; circles have the particle's diameter."""

    def __init__(self, parent: Any, data: ScoredSet, project: Any, source: Any, output: str) -> None:
        diameterAng = diameterOf(source)
        radiusPx = diameterAng / data.pixelSizeAng / 2 if diameterAng and data.pixelSizeAng else (
            data.boxSize / BOX_SIZE / 2)
        self.hints = (*MicrographBrowser.hints[:1], HINT)
        MicrographBrowser.__init__(self, "pupicker: scored picks", parent, data.micrographs, radiusPx,
                                   ["kept", "all"], data.pixelSizeAng)
        self._project, self._source, self._output = project, source, output
        self.newRun: Any = None
        self._candidates = ""  # folder of the weaker picks, once they are shown
        self._figure = self.addFigure(3.0, layout=None)
        self._takeData(data)
        limits = self.histogram.limits
        self.threshold = ThresholdControl(self.panel, limits, limits[0], self._thresholdChanged,
                                          sliderMargins(PANEL_WIDTH_PX))
        self.text = tk.StringVar(master=self.root)
        ttk.Label(self.panel, textvariable=self.text, justify=tk.LEFT, wraplength=390).pack(anchor=tk.W, pady=8)
        self.makeEditControls()
        buttons = ttk.Frame(self.panel)
        buttons.pack(fill=tk.X, pady=6)
        self.button = ttk.Button(buttons, text="Create set", command=self.createSet)
        self.button.pack(side=tk.LEFT)
        ttk.Button(buttons, text="Gallery (g)", command=self.openGallery).pack(side=tk.LEFT, padx=6)
        self.weakerButton = ttk.Button(buttons, text="Weaker picks too", command=self.showWeaker)
        if candidatesOf(source):
            self.weakerButton.pack(side=tk.LEFT)
        self.onKey("g", self.openGallery)
        self.state = tk.StringVar(master=self.root, value="A run of its own (threshold) makes it.")
        ttk.Label(self.panel, textvariable=self.state, wraplength=390).pack(anchor=tk.W, pady=6)
        self.selectFirst()
        self._thresholdChanged()

    def _takeData(self, data: ScoredSet) -> None:
        """Show these picks."""
        self.data = data
        order = np.argsort(data.micId, kind="stable")
        ids, starts = np.unique(data.micId[order], return_index=True)
        self._rows = dict(zip(ids.tolist(), np.split(order, starts[1:])))
        self.startEditing(self._source._getExtraPath("corrections_%s.json" % self._output), data, self._rows)
        self._colours = scoreColours(data.score, scoreRange(data.score))
        self._figure.clear()
        self.histogram = ScoreHistogram(self._figure, data.score, lambda value: self.threshold.move(value))

    def showWeaker(self) -> None:
        """Take what the picking found below its threshold into the window, so that the line can be moved there."""
        value = self.threshold.value
        self._candidates = candidatesOf(self._source)
        self.weakerButton.state(["disabled"])
        self._takeData(withWeaker(self.data, self._candidates))
        self.threshold.scale.configure(from_=self.histogram.limits[0], to=self.histogram.limits[1])
        self.threshold.move(value)

    # ------------------------- content -------------------------
    def kept(self) -> Any:
        """Mask of the picks at or above the threshold that were not taken away."""
        return (self.data.score >= self.threshold.value) & ~self.corrections.gone

    def _rowsOf(self, micId: int) -> Any:
        return self._rows.get(micId, np.zeros(0, dtype=int))

    def circles(self, micId: int) -> List[Circle]:
        data, rows = self.data, self._rowsOf(micId)
        shown = (data.score[rows] >= self.threshold.value) & ~self.corrections.gone[rows]
        return [(data.x[row], data.y[row], self._colours[row]) for row in rows[shown]]

    def refreshCircles(self) -> None:
        MicrographBrowser.refreshCircles(self)
        if self.micId():
            self.drawCorrections()

    def corrected(self) -> None:
        self.refreshCircles()
        self.list.setValues(str(self.micId()), self.count(self.micId()))
        self._showNumbers()

    def count(self, micId: int) -> Sequence[Any]:
        rows = self._rowsOf(micId)
        kept = (self.data.score[rows] >= self.threshold.value) & ~self.corrections.gone[rows]
        return int(kept.sum()) + len(self.corrections.places(micId, ADDED)), len(rows)

    def _thresholdChanged(self) -> None:
        self._showNumbers()
        self.histogram.show(self.threshold.value)
        self.refreshCounts()
        self.refreshCircles()

    def _showNumbers(self) -> None:
        kept = self.kept()
        lines = ["Kept: %d of %s" % (kept.sum(), counted(len(kept), "pick"))]
        if self.micId():
            lines.append("On this micrograph: %d of %d" % tuple(self.count(self.micId())))
        if self.data.probability is not None and kept.any():
            forecast = expected(self.data.probability, kept)
            lines += ["", "By the probabilities, which are often too high on crowded micrographs:",
                      "about %s among the kept" % counted(rounded(forecast.particles), "particle"),
                      "precision %s" % roughly(forecast.precision),
                      "recall %s of the particles in this set" % roughly(forecast.recall),
                      "Look at the weakest that are kept, and set the threshold by eye."]
        self.text.set("\n".join(lines))
        self.changes.configure(text=self.changesText())

    def _showSelected(self) -> None:
        MicrographBrowser._showSelected(self)
        self._showNumbers()

    # ------------------------- gallery -------------------------
    def openGallery(self) -> None:
        """Show the picks whose scores are closest to the threshold, side by side."""
        rows = nearThreshold(self.data.score, self.corrections.gone, self.threshold.value, MOST_IN_GALLERY)
        self.gallery = Gallery(self.root, rows, self.data, self.radiusPx, self.threshold.value,
                               Actions(self._pixelsOf, self._toggled, self._showRow))

    def _pixelsOf(self, micId: int) -> Any:
        try:
            return readMicrograph(*self._places[micId])
        except MicrographError as error:
            raise ViewerError(str(error)) from error

    def _toggled(self, row: int) -> bool:
        """Mark a pick as no particle, or take it in again; whether it is in."""
        micId = int(self.data.micId[row])
        restored = self.corrections.restore(micId, row)
        if not restored:
            self.corrections.remove(micId, [row], asNegative=True)
        self.list.setValues(str(micId), self.count(micId))
        self.corrected()
        return restored

    def _showRow(self, row: int) -> None:
        self.showPlace(int(self.data.micId[row]), self.data.x[row], self.data.y[row])

    # ------------------------- new set -------------------------
    def createSet(self) -> None:
        """Start a run of *threshold* that keeps the picks at or above the threshold, with all their attributes."""
        if not self.kept().any():
            self.state.set("No pick is kept: lower the threshold.")
            return
        corrections = self.corrections.record.path if self.corrections.number() else ""
        run = self._project.newProtocol(ProtPuPickerThreshold, mode=CUT_SCORES, scores=repr(self.threshold.value),
                                        corrections=corrections, candidates=self._candidates)
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
            self.state.set("Run %d (%s): %s in the new set."
                           % (run.getObjId(), run.getObjLabel(), counted(run.outputCoordinates1.getSize(), "pick")))
        else:
            self.state.set("Run %d failed: %s" % (run.getObjId(), run.getErrorMessage()))


def rounded(number: float) -> str:
    """A number of which only two digits mean something."""
    digits = max(0, len("%d" % number) - 2)
    return "%d" % round(number, -digits)


def candidatesOf(run: Any) -> str:
    """Folder of the weaker picks of a picking; empty if the run keeps none, or is no picking."""
    folder = run.getCandidatesDir() if hasattr(run, "getCandidatesDir") else ""
    return folder if folder and os.path.isdir(folder) else ""


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
