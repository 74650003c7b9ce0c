"""The right side of the window that labels: diameter, counts, suggestions, training."""

from __future__ import annotations

import threading
import tkinter as tk
from tkinter import ttk
from typing import Any, Callable, Dict, List, Optional

from pupicker.shared.plurals import counted
from pupicker.shared.shares import roughly
from pupicker.window.colours import WRONG
from pupicker.window.label_record import NOT_PARTICLES, Point
from pupicker.window.micrograph_image import MicrographError
from pupicker.window.radial_average import REACH, LabelMean, RadialPlot
from pupicker.window.scroll_panel import ScrollPanel
from pupicker.window.suggester import LabelMicrograph

WIDTH_PX = 270
LOWEST, HIGHEST = -12.0, 8.0  # of the slider of suggestions
START = 0.0  # as likely a particle as not
READ_S = 2.0  # that a closed window waits for a micrograph: a dead disk does not keep it open
AVERAGE_MS = 250
ENOUGH = 10  # labels for a first model that is of use


class LabelPanel(ttk.Frame):
    """Shows what a :class:`~pupicker.window.label_window.LabelWindow` knows, and calls its actions."""

    def __init__(self, parent: Any, window: Any) -> None:
        ttk.Frame.__init__(self, parent)
        self._window = window
        ttk.Button(self, text="Done (Ctrl+D)", command=window.done).pack(side=tk.BOTTOM, fill=tk.X, pady=(8, 0))
        self.scrolled = ScrollPanel(self)
        self.scrolled.pack(side=tk.TOP, fill=tk.Y, expand=True)
        self._parts = self.scrolled.inside
        self._average = ""  # id of the next measurement
        self._wasSet = False  # whether the user has moved the slider
        self._mean = LabelMean()
        self._reading: Optional[threading.Thread] = None  # of a micrograph that is not shown
        self._makeDiameter()
        self.counts = self._text()
        buttons = ttk.Frame(self._parts)
        buttons.pack(fill=tk.X, pady=4)
        for text, action in (("Undo", window.undo), ("Redo", window.redo)):
            ttk.Button(buttons, text=text, command=action).pack(side=tk.LEFT, padx=2)
        self._makeSuggestions()
        ttk.Separator(self._parts).pack(fill=tk.X, pady=10)
        self.model = self._text()
        self.trainButton = ttk.Button(self._parts, text="Train now (t)", command=window.train)
        self.trainButton.pack(anchor=tk.W, pady=2)
        self.stateText = self._text()
        ttk.Label(self._parts, text="Labels are on disk at every click; close the window and go on whenever you like.",
                  wraplength=WIDTH_PX, foreground="#505050").pack(anchor=tk.W, pady=(8, 0))

    def _text(self) -> Any:
        label = ttk.Label(self._parts, wraplength=WIDTH_PX, justify=tk.LEFT)
        label.pack(anchor=tk.W, pady=2)
        return label

    def _makeDiameter(self) -> None:
        bar = ttk.Frame(self._parts)
        bar.pack(fill=tk.X)
        ttk.Label(bar, text="Particle diameter (Å)").pack(side=tk.LEFT)
        self.diameter = ttk.Entry(bar, width=8, justify=tk.RIGHT)
        self.diameter.pack(side=tk.RIGHT)
        self.diameter.bind("<FocusOut>", lambda event: self._typedDiameter())
        for key in ("<Return>", "<KP_Enter>", "<Escape>"):
            self.diameter.bind(key, self._leaveDiameter)
        self.plot = RadialPlot(self._parts, WIDTH_PX - 4, 100)
        self.plot.pack(pady=(4, 10))
        self._write()

    def _makeSuggestions(self) -> None:
        ttk.Separator(self._parts).pack(fill=tk.X, pady=10)
        bar = ttk.Frame(self._parts)
        bar.pack(fill=tk.X)
        ttk.Label(bar, text="Suggestions scoring at least").pack(side=tk.LEFT)
        suggester = self._window.suggester
        start = min(max(suggester.threshold, LOWEST), HIGHEST) if suggester is not None and suggester.model else START
        self.value = ttk.Label(bar, text="%0.1f" % start)
        self.value.pack(side=tk.RIGHT)
        self.slider = ttk.Scale(self._parts, from_=LOWEST, to=HIGHEST, value=start, command=lambda text: self._slid())
        self.slider.pack(fill=tk.X)
        self.suggested = self._text()
        self.acceptButton = ttk.Button(self._parts, text="Accept all shown (a)", command=self._window.accept)
        self.acceptButton.pack(anchor=tk.W, pady=2)
        ttk.Button(self._parts, text="Most useful micrograph (u)", command=self._window.goToMostUseful).pack(
            anchor=tk.W, pady=2)

    # ------------------------- events -------------------------
    def threshold(self) -> float:
        """Lowest score of the suggestions that are shown."""
        return float(self.slider.get())

    def _slid(self) -> None:
        self._wasSet = True
        self.value.configure(text="%0.1f" % self.threshold())
        self._window.changed(everything=True)

    def _leaveDiameter(self, event: Any) -> None:
        """Take what was typed, or not with Escape; keys are for the window again."""
        if event.keysym == "Escape":
            self._write()
        else:
            self._typedDiameter()
        self._window.canvas.focus_set()

    def _typedDiameter(self) -> None:
        try:
            value = float(self.diameter.get().replace(",", "."))
        except ValueError:
            value = 0.0
        if 0 < value < float("inf") and abs(value - self._window.record.diameterAng) > 0.05:
            self._window.setDiameter(value)
        else:
            self._write()

    def _write(self) -> None:
        self.diameter.delete(0, tk.END)
        self.diameter.insert(0, ("%0.1f" % self._window.record.diameterAng).replace(".0", ""))

    # ------------------------- content -------------------------
    def modelChanged(self) -> None:
        """Another model makes the suggestions: its own threshold is where to start.

        A slider that was moved stays where it is, unless the scores were those of another kind of model.
        """
        if not self._wasSet or self._window.suggester.trained <= 1:
            self.slider.set(min(max(self._window.suggester.threshold, LOWEST), HIGHEST))
            self._wasSet = False
        self.refresh()

    def averageSoon(self) -> None:
        """Measure the labels once the user pauses: it takes longer than a click may."""
        if self._average:
            self.after_cancel(self._average)
        self._average = self.after(AVERAGE_MS, self.showAverage)

    def destroy(self) -> None:
        """With the window; nothing is measured any more."""
        if self._average:
            self.after_cancel(self._average)
            self._average = ""
        if self._reading is not None:
            self._reading.join(READ_S)
        ttk.Frame.destroy(self)

    def showAverage(self) -> None:
        """Measure the labels of the micrograph that is shown, and draw the mean of all."""
        self._average = ""
        window, key = self._window, self._window.key()
        reachAng = REACH * window.record.diameterAng
        labelled = {one: points for one, points in window.record.labelled().items() if window.micrograph(one)}
        if key in labelled and window.canvas.pixels() is not None:
            self._mean.measure(key, window.canvas.pixels(), labelled[key], window.pixelSizeAng(), reachAng)
        self.plot.show(*self._mean.sums(labelled, reachAng), reachAng)
        self.plot.draw(window.record.diameterAng)
        self._measureElsewhere(labelled, reachAng)

    def _measureElsewhere(self, labelled: Dict[str, List[Point]], reachAng: float) -> None:
        """Read another micrograph with labels that count nothing yet, behind the window, and look again."""
        missing = self._mean.missing(labelled, reachAng)
        if self._reading is not None and not self._reading.is_alive():
            self._reading = None
        if missing and self._reading is None:
            one = self._window.micrograph(missing[0])
            self._reading = threading.Thread(target=_measure, daemon=True, args=(
                self._mean, one, self._window.read, labelled[one.key], reachAng))
            self._reading.start()
        if missing:
            self.averageSoon()

    def refresh(self) -> None:
        """Everything anew."""
        window = self._window
        record = window.record
        self._write()
        self.plot.draw(record.diameterAng)
        self.averageSoon()
        number, none = record.number(), record.number(NOT_PARTICLES)
        advice = "" if number >= ENOUGH else " %d or more make a first model." % ENOUGH
        counts = "Labels: %d, on micrographs: %d; places that are no particles: %d.%s" % (
            number, len(record.labelled()), none, advice)
        self.counts.configure(text=record.error or counts, foreground=WRONG if record.error else "")
        shown = len(window.suggestions())
        self.suggested.configure(text="%s shown on this micrograph%s" % (
            counted(shown, "suggestion"), "" if shown else self._whyNone()))
        self.acceptButton.state(["!disabled" if shown else "disabled"])
        self.refreshState()

    def _whyNone(self) -> str:
        """Why no suggestion is shown, as far as it is known."""
        best = self._window.bestScore()
        if best is None:
            return ""
        if best >= self.threshold():
            return "; all of them are decided"
        return "; the best scores %0.1f%s" % (best, ", noise alone gives as much" if best < START else "")

    def refreshState(self) -> None:
        """What goes on behind the window."""
        suggester = self._window.suggester
        if suggester is None:
            self.stateText.configure(text="No suggestions.")
            return
        self.trainButton.state(["!disabled" if suggester.canTrain() else "disabled"])
        failure = suggester.failure(self._window.key())
        self.stateText.configure(text=suggester.error or (
            "no suggestions here: %s" % failure if failure else suggester.state))
        text = "Suggestions of the general model, which has seen no particle of yours."
        if suggester.model and not suggester.trained:
            text = "Suggestions of the model that you chose, which has seen no label of yours."
        elif suggester.model:
            text = "Suggestions of a model that learnt from your labels."
            if suggester.averagePrecision is not None and self._window.record.number() >= ENOUGH:
                text += " Average precision to expect: %s." % roughly(suggester.averagePrecision)
        self.model.configure(text=text)


def _measure(mean: LabelMean, one: LabelMicrograph, read: Callable[[LabelMicrograph], Any], points: List[Point],
             reachAng: float) -> None:
    """Measure a micrograph that is not shown; one that cannot be read counts nothing."""
    try:
        pixels = read(one)
    except MicrographError:
        pixels = None
    mean.measure(one.key, pixels, points, one.pixelSizeAng, reachAng)
