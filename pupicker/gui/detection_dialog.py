"""What a model finds on one micrograph, and what a threshold leaves of it."""

from __future__ import annotations

import math
import tkinter as tk
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from pyworkflow.gui import dialog

from pupicker.convert.picks import Pick, readPicks
from pupicker.gui.micrograph_dialog import Entry, MicrographDialog
from pupicker.plugin.child_process import ChildProcess
from pupicker.shared.plurals import counted
from pupicker.window.colours import scoreColours, scoreRange
from pupicker.window.score_bars import ScoreBars

LOWEST_SCORE = -6.0  # end of the slider, unless a lower one is given: below it hardly anything is a particle
HIGHEST_SCORE = 12.0  # the other end: what is surer needs no decision
STEP = 0.1
POLL_MS = 150


class Preview(NamedTuple):
    """How picks are made.

    Attributes
    ----------
    start
        ``start(mic, minDistanceAng, lowestScore)`` begins to pick and returns the process, which writes
        ``picks.tsv`` into its folder.
    known
        Picks that an earlier preview made with the same settings, by (id of the micrograph, minimum distance, lowest
        score); new ones are added.
    """

    start: Callable[[Any, float, float], ChildProcess]
    known: Dict[Tuple[int, float, float], List[Pick]]


class DetectionDialog(MicrographDialog):
    """Picks of a micrograph, made when it is chosen; the slider and the wheel change the threshold.

    Parameters
    ----------
    preview
        How picks are made.
    radiusPx
        Of the circles, in pixels of the micrographs.
    threshold
        Score to start with.
    minDistanceAng
        Smallest distance of two picks in Å; 0: that of the model.
    """

    def __init__(self, parent: Any, entries: List[Entry], preview: Preview, radiusPx: float, threshold: float,
                 minDistanceAng: float) -> None:
        self._start, self._known, self._radius = preview.start, preview.known, radiusPx
        self.threshold, self.minDistanceAng = threshold, minDistanceAng
        # whole steps, to which the slider rounds
        self._lowest = min(LOWEST_SCORE, STEP * math.floor(threshold / STEP))
        self._highest = max(-LOWEST_SCORE, STEP * math.ceil(threshold / STEP))
        self._process: Optional[ChildProcess] = None
        self._next = ""  # id of the next look at the process
        MicrographDialog.__init__(self, parent, "Detection preview", entries,
                                  "Wheel: threshold, or drag the line. Ctrl + wheel: zoom. Drag: move. "
                                  "Double click: whole micrograph.")

    def getNoteHeading(self) -> str:
        return "picks"

    def createControls(self, frame: Any) -> None:
        frame.columnconfigure(1, weight=1)
        tk.Label(frame, text="Threshold (score)").grid(row=1, column=0, sticky="w")
        self.slider = tk.Scale(frame, from_=self._lowest, to=self._highest, orient="horizontal",
                               showvalue=False, resolution=STEP, command=lambda value: self._slid(float(value)))
        self.slider.grid(row=1, column=1, columnspan=2, sticky="ew", padx=6)
        self.bars = ScoreBars(frame, self.slider, self.setThreshold)
        self.bars.grid(row=0, column=1, columnspan=2, sticky="ew", padx=6)
        self.text = tk.Label(frame, width=48, anchor="w")
        self.text.grid(row=1, column=3)
        tk.Label(frame, text="Minimum distance (Å, 0 = of the model)").grid(row=2, column=0, columnspan=2, sticky="w")
        self.distance = tk.StringVar(self, value="%g" % self.minDistanceAng)
        entry = tk.Entry(frame, textvariable=self.distance, width=8)
        entry.bind("<Return>", lambda event: self.pickAgain() or "break")  # else it would press OK
        entry.grid(row=2, column=2, padx=6)
        tk.Button(frame, text="Pick again", command=self.pickAgain).grid(row=2, column=3, sticky="w")
        self.canvas.onWheel = lambda direction: self.setThreshold(self.threshold + direction * STEP)
        self.slider.set(self.threshold)

    # ------------------------- threshold -------------------------
    def setThreshold(self, threshold: float) -> None:
        """Change the threshold; it stays on the slider."""
        self.threshold = min(max(round(threshold, 2), self._lowest), float(self.slider["to"]))
        self.slider.set(self.threshold)
        self.draw()

    def _slid(self, threshold: float) -> None:
        """What the slider says; it rounds what it was set to, and that is no wish of the user."""
        if abs(threshold - self.threshold) > STEP / 2:
            self.setThreshold(threshold)

    def draw(self) -> None:
        picks = self._picks()
        self.bars.show([pick.score for pick in picks or ()], self.threshold)
        if picks is None:
            self.text.config(text="%0.1f" % self.threshold)
            return
        limits = scoreRange([pick.score for pick in picks])
        kept = [pick for pick in picks if pick.score >= self.threshold]
        colours = scoreColours([pick.score for pick in kept], limits)
        self.canvas.drawCircles([(pick.x, pick.y, colour) for pick, colour in zip(kept, colours)], self._radius)
        text = "%0.1f: %d of %s" % (self.threshold, len(kept), counted(len(picks), "candidate"))
        self.text.config(text=text + expectation([pick.probability for pick in kept]))
        self.note(len(kept))

    def _picks(self) -> Optional[List[Pick]]:
        """Of the micrograph that is shown; None: not yet."""
        return None if self.current is None else self._known.get(self._key())

    def _key(self) -> Tuple[int, float, float]:
        """Of the picks of the micrograph that is shown."""
        return self.current.getObjId(), self.minDistanceAng, self._lowest

    # ------------------------- picking -------------------------
    def micrographShown(self) -> None:
        self._stop()
        if self._picks() is not None:
            return
        self.info("picking…")
        try:
            self._process = self._start(self.current, self.minDistanceAng, self._lowest)
        except Exception as error:
            self._failed(error)
        else:
            self._next = self.after(POLL_MS, self._poll, self._process)

    def nothingShown(self) -> None:
        self._stop()
        self.draw()

    def _poll(self, process: ChildProcess) -> None:
        if process is not self._process:
            return  # another micrograph was chosen in the meantime
        if process.isRunning():
            self._next = self.after(POLL_MS, self._poll, process)
            return
        try:
            process.check()
            picks = readPicks(process.getPath("picks.tsv"))
        except Exception as error:
            self._failed(error)
            return
        self._stop()
        self._known[self._key()] = picks
        if picks:
            self.slider.config(to=max(float(self.slider["to"]), min(HIGHEST_SCORE, round(picks[0].score + STEP, 1))))
        self.draw()

    def _failed(self, error: Exception) -> None:
        self._stop()
        dialog.showError("Picking", str(error), self)

    def pickAgain(self) -> Any:
        """Take over the minimum distance and pick anew."""
        if self._readDistance():
            for number in self.list.rows():
                self.list.setValues(number, [""])
            self._select()

    def _readDistance(self) -> bool:
        try:
            value = float(self.distance.get())
        except ValueError:
            value = -1.0
        if value < 0:
            dialog.showError("Minimum distance", "%s was found; give a number in Å, or 0 for the distance of the model."
                             % (self.distance.get() or "nothing"), self)
            return False
        self.minDistanceAng = value
        return True

    def _stop(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
        if self.winfo_exists():
            self.info("")

    # ------------------------- end -------------------------
    def validate(self) -> bool:
        return self._readDistance()

    def destroy(self) -> None:
        if self._next:
            self.after_cancel(self._next)
            self._next = ""
        if self._process is not None:
            self._process.close()
            self._process = None
        MicrographDialog.destroy(self)


def expectation(probabilities: List[Optional[float]]) -> str:
    """How many of the kept are particles by their probabilities; empty where these are not known."""
    known = [value for value in probabilities if value is not None]
    if not known:
        return ""
    return ", about %s (%d %%)" % (counted(round(sum(known)), "particle"), round(100 * sum(known) / len(known)))
