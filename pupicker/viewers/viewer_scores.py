"""Scored coordinates: picks coloured by score, a threshold to try, and a set made with it."""

from __future__ import annotations

import functools
import os
import tkinter as tk
from tkinter import ttk
from typing import Any, List, Optional, Sequence

import numpy as np
from pwem.objects import SetOfCoordinates
from pyworkflow.viewer import View, Viewer

from pupicker.constants import CUT_SCORES
from pupicker.convert.origin import diameterOf, modelOf
from pupicker.gui.micrograph_reader import readMicrograph
from pupicker.protocols import ProtPuPickerBaseline, ProtPuPickerPick, ProtPuPickerThreshold
from pupicker.schedule import updateRun
from pupicker.shared.lengths import BOX_SIZE
from pupicker.shared.plurals import counted
from pupicker.shared.shares import roughly
from pupicker.viewers.browser import PANEL_WIDTH_PX, MicrographBrowser, WindowView
from pupicker.viewers.gallery import BELOW, KEPT, REJECTED, Actions, Gallery
from pupicker.viewers.pick_editing import HINT, LEFT_OUT, PickEditing, nearThreshold
from pupicker.viewers.scored_set import ScoredSet, ViewerError, hasScores, hasWeaker, readScoredSet, withWeaker
from pupicker.viewers.scores import expected
from pupicker.viewers.threshold_control import ScoreHistogram, ThresholdControl, sliderMargins
from pupicker.window.colours import scoreColours, scoreRange
from pupicker.window.micrograph_canvas import Circle
from pupicker.window.micrograph_image import MicrographError

POLL_MS = 1000
READY, NOTHING_KEPT = "A run of its own (threshold) makes it.", "No pick is kept: lower the threshold."


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
        self.gallery: Optional[Gallery] = None
        self._candidates = ""  # folder of the weaker picks, once they are shown
        self._suggested = suggestedFor(source)
        self._figure = self.addFigure(3.0, layout=None)
        self.startEditing(source._getExtraPath("corrections_%s.json" % output), data, {})
        self._takeData(data)
        limits = self.histogram.limits
        self.threshold = ThresholdControl(self.panel, limits, limits[0], self._thresholdChanged,
                                          sliderMargins(PANEL_WIDTH_PX))
        self.threshold.ends = (limits[0], data.highestScore())
        suggested = self._suggestion()
        if suggested is not None:
            self.threshold.suggest(suggested)
            if not isinstance(source, ProtPuPickerThreshold):  # what was cut is shown whole
                self.threshold.move(suggested)
        self.text = tk.StringVar(master=self.root)
        ttk.Label(self.panel, textvariable=self.text, justify=tk.LEFT, wraplength=390).pack(anchor=tk.W, pady=8)
        self.makeEditControls()
        buttons = ttk.Frame(self.panel)
        buttons.pack(fill=tk.X, pady=6)
        self.button = ttk.Button(buttons, text="Create set", command=self.createSet)
        self.button.pack(side=tk.LEFT)
        ttk.Button(buttons, text="Gallery (g)", command=self.openGallery).pack(side=tk.LEFT, padx=6)
        self.weakerButton = ttk.Button(buttons, text="Weaker picks too", command=self.showWeaker)
        if hasWeaker(data, candidatesOf(source)):
            self.weakerButton.pack(side=tk.LEFT)
        self.onKey("g", self.openGallery)
        self.state = tk.StringVar(master=self.root, value=READY)
        ttk.Label(self.panel, textvariable=self.state, wraplength=390).pack(anchor=tk.W, pady=6)
        self.selectFirst()
        self._thresholdChanged()

    def _takeData(self, data: ScoredSet) -> None:
        """Show these picks."""
        self.data = data
        order = np.argsort(data.micId, kind="stable")
        ids, starts = np.unique(data.micId[order], return_index=True)
        self._rows = dict(zip(ids.tolist(), np.split(order, starts[1:])))
        self.corrections.take(data, self._rows)
        self._colours = scoreColours(data.score, scoreRange(data.score))
        self._figure.clear()
        self.histogram = ScoreHistogram(self._figure, data.score, lambda value: self.threshold.move(value))
        suggested = self._suggestion()
        if suggested is not None:
            self.histogram.mark(suggested)

    def _suggestion(self) -> Optional[float]:
        """Threshold that the model suggests, if that is one for these picks."""
        value, limits = self._suggested, self.histogram.limits
        return value if value is not None and limits[0] < value <= limits[1] else None

    def showWeaker(self) -> None:
        """Take what the picking found below its threshold into the window, so that the line can be moved there."""
        self.weakerButton.state(["disabled"])
        folder, value = candidatesOf(self._source), self.threshold.value
        data = withWeaker(self.data, folder)
        weaker = len(data.score) - len(self.data.score)
        if not weaker:
            self.state.set("There are no weaker picks: the picking kept all that it found.")
            return
        self.state.set("%s there now: lower the threshold." % counted(weaker, "weaker pick is", "weaker picks are"))
        self._candidates = folder
        self._takeData(data)
        limits = self.histogram.limits
        self.threshold.scale.configure(from_=limits[0], to=limits[1])
        self.threshold.ends = (limits[0], data.highestScore())
        self.threshold.move(value)
        suggested = self._suggestion()
        if suggested is not None:
            self.threshold.suggest(suggested)
        if self._galleryIsOpen():
            self.openGallery()

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
        self._refreshRow(self.micId())
        self._showNumbers()

    def _refreshRow(self, micId: int) -> None:
        self.list.setValues(str(micId), self.count(micId))
        self.markLeftOut(micId)

    def refreshCounts(self) -> None:
        """Fill the columns of the list anew."""
        for row in self.list.rows():
            self._refreshRow(int(row))

    def numberKept(self) -> int:
        """Of picks that a new set would have: of the list, and by hand."""
        return int(self.kept().sum()) + self.corrections.numberByHand()

    def count(self, micId: int) -> Sequence[Any]:
        rows = self._rowsOf(micId)
        if self.corrections.isExcluded(micId):
            return LEFT_OUT, len(rows)
        kept = (self.data.score[rows] >= self.threshold.value) & ~self.corrections.gone[rows]
        return int(kept.sum()) + len(self.corrections.byHand(micId)), len(rows)

    def _thresholdChanged(self) -> None:
        self._showNumbers()
        self.histogram.show(self.threshold.value)
        self.refreshCounts()
        self.refreshCircles()

    def _showNumbers(self) -> None:
        kept, byHand = self.kept(), self.corrections.numberByHand()
        lines = ["Kept: %d of %s" % (self.numberKept(), counted(len(kept), "pick"))
                 + (", %d of them by hand" % byHand if byHand else "")]
        if self.micId():
            own, every = self.count(self.micId())
            lines.append("This micrograph is left out." if own == LEFT_OUT
                         else "On this micrograph: %d of %d" % (own, every))
        if self.data.probability is not None and kept.any():
            there = ~self.corrections.gone  # what was taken away by hand is no particle that is missed
            forecast = expected(self.data.probability[there], kept[there])
            lines += ["", "By the probabilities, which are often too high on crowded micrographs:",
                      "about %s among the kept" % counted(rounded(forecast.particles), "particle"),
                      "precision %s" % roughly(forecast.precision),
                      "recall %s of the particles in this set" % roughly(forecast.recall),
                      "Look at the weakest that are kept, and set the threshold by eye."]
        self.text.set("\n".join(lines))
        self.showChanges()
        if self.state.get() == NOTHING_KEPT and self.numberKept():
            self.state.set(READY)
        if self.gallery is not None and self._galleryIsOpen():
            self.gallery.refresh()

    def _showSelected(self) -> None:
        MicrographBrowser._showSelected(self)
        self._showNumbers()

    # ------------------------- gallery -------------------------
    def openGallery(self) -> None:
        """Show the picks whose scores are closest to the threshold, side by side."""
        if self.gallery is None or not self._galleryIsOpen():
            self.gallery = Gallery(self.root, self.radiusPx,
                                   Actions(self._pixelsOf, self._frameOf, self._toggled, self._showRow))
            for key, action in (("Control-z", self.undo), ("Control-y", functools.partial(self.undo, True)),
                                ("g", self.openGallery)):
                self.gallery.bind("<%s>" % key, lambda event, act=action: act())  # type: ignore[misc]
        rows = nearThreshold(self.data.score, self.corrections.gone, self.threshold.value)
        self.gallery.fill(self.data, rows)
        self.gallery.lift()

    def _galleryIsOpen(self) -> bool:
        return self.gallery is not None and bool(self.gallery.winfo_exists())

    def _frameOf(self, row: int) -> str:
        """Colour of the frame of a pick in the gallery."""
        if self.corrections.gone[row]:
            return REJECTED
        return KEPT if self.data.score[row] >= self.threshold.value else BELOW

    def _pixelsOf(self, micId: int) -> Any:
        try:
            return readMicrograph(*self._places[micId])
        except MicrographError as error:
            raise ViewerError(str(error)) from error

    def _toggled(self, row: int) -> None:
        """Mark a pick as no particle, or take it in again."""
        micId = int(self.data.micId[row])
        if self.corrections.gone[row]:
            self.corrections.restore(micId, row)
        else:
            self.corrections.remove(micId, [row], asNegative=True)
        self._refreshRow(micId)
        self.corrected()

    def _showRow(self, row: int) -> None:
        self.showPlace(int(self.data.micId[row]), self.data.x[row], self.data.y[row])

    # ------------------------- new set -------------------------
    def createSet(self) -> None:
        """Start a run of *threshold* that keeps the picks at or above the threshold, with all their attributes."""
        if not self.numberKept():
            self.state.set(NOTHING_KEPT)
            return
        try:
            corrections = self.corrections.freeze()
        except OSError as error:
            self.state.set("No set: the corrections cannot be written: %s" % error)
            return
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


def suggestedFor(run: Any) -> Optional[float]:
    """Threshold that the model of a picking suggests; None: it is not known."""
    model = modelOf(run)
    return None if model is None else model.getSuggestedThreshold()


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
