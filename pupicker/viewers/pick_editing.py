"""Correcting picks where they are seen: clicks, lasso, keys; a part of the scores window."""

from __future__ import annotations

import functools
import tkinter as tk
from abc import ABC, abstractmethod
from tkinter import ttk
from typing import Any, List, Optional, Tuple

import numpy as np

from pupicker.convert.corrections import NOT_PARTICLES
from pupicker.viewers.corrections import Corrections, Marked
from pupicker.window.colours import WRONG
from pupicker.window.label_window import isInside
from pupicker.window.micrograph_canvas import MOVING, Mouse

ADDED_COLOUR, NEGATIVE_COLOUR, LEFT_OUT_COLOUR = "#39ff14", "#ff3b3b", "#909090"
LEFT_OUT, LEAVE_OUT, TAKE_BACK = "left out", "Leave out (e)", "Take back (e)"
HINT = ("Left click: take a pick away, or add one. Right click: not a particle. Drag a pick: move it. Shift + drag: "
        "take away what is inside. Ctrl + drag, middle button: move the image. Ctrl+Z, Ctrl+Y: undo, redo. e: leave "
        "the micrograph out. g: gallery. Double click, 0: all of it.")


class PickEditing(ABC):
    """Mix-in before a window that shows picks of a :class:`~pupicker.viewers.scored_set.ScoredSet`."""

    root: Any
    canvas: Any
    list: Any
    panel: Any
    radiusPx: float
    corrections: Corrections

    def startEditing(self, path: str, data: Any, rows: Any) -> None:
        """Take up the corrections of before; clicks change them."""
        self.corrections = Corrections(path, data, rows, 2 * self.radiusPx)
        self.canvas.mouse = Mouse(functools.partial(self._clicked, False), functools.partial(self._clicked, True),
                                  self._grab, self._dragTo, self._drop, self._lasso, takeBack=self.undo)
        self._grabbed: Optional[Marked] = None
        self.list.table.tag_configure(LEFT_OUT, foreground=LEFT_OUT_COLOUR)
        for key, action in (("Control-z", self.undo), ("Control-y", functools.partial(self.undo, True)),
                            ("e", self.excludeMicrograph), ("0", self.canvas.fit)):
            self.onKey(key, action)  # type: ignore[attr-defined]

    def makeEditControls(self) -> None:
        """Buttons and a line that counts the changes."""
        bar = ttk.Frame(self.panel)
        bar.pack(fill=tk.X, pady=4)
        self.undoButton = ttk.Button(bar, text="Undo", command=self.undo)
        self.redoButton = ttk.Button(bar, text="Redo", command=functools.partial(self.undo, True))
        self.excludeButton = ttk.Button(bar, text=LEAVE_OUT, command=self.excludeMicrograph)
        for button in (self.undoButton, self.redoButton, self.excludeButton):
            button.pack(side=tk.LEFT, padx=2)
        self.changes = ttk.Label(self.panel, wraplength=390)
        self.changes.pack(anchor=tk.W)

    # ------------------------- of the window -------------------------
    @abstractmethod
    def micId(self) -> int:
        """Of the micrograph that is shown."""

    @abstractmethod
    def kept(self) -> Any:
        """Which picks of the set are shown and were not taken away."""

    @abstractmethod
    def corrected(self) -> None:
        """Show that something has changed."""

    # ------------------------- what is shown -------------------------
    def drawCorrections(self) -> None:
        """Picks that were added, and places that are no particles; or that the micrograph is left out."""
        micId = self.micId()
        out = self.corrections.isExcluded(micId)
        self.canvas.locked = "Left out: not in the new set. e: take it back." if out else ""
        added = [(x, y, ADDED_COLOUR) for x, y in self.corrections.byHand(micId)]
        self.canvas.drawCircles(added, self.radiusPx, "added", 2)
        negatives = [(x, y, NEGATIVE_COLOUR) for x, y in self.corrections.places(micId, NOT_PARTICLES)]
        self.canvas.drawCircles(negatives, 0.4 * self.radiusPx, "negatives", 2)

    def showChanges(self) -> None:
        """Count the changes, and offer what can be done now."""
        corrections = self.corrections
        self.changes.configure(text=corrections.record.error or corrections.text() or "No corrections.",
                               foreground=WRONG if corrections.record.error else "")
        for button, possible in ((self.undoButton, corrections.record.canUndo()),
                                 (self.redoButton, corrections.record.canUndo(again=True))):
            button.state(["!disabled" if possible else "disabled"])
        out = corrections.isExcluded(self.micId())
        self.excludeButton.configure(text=TAKE_BACK if out else LEAVE_OUT)

    def markLeftOut(self, micId: int) -> None:
        """Show in the list whether a micrograph is left out."""
        self.list.table.item(str(micId), tags=[LEFT_OUT] if self.corrections.isExcluded(micId) else [])

    # ------------------------- mouse -------------------------
    def _clicked(self, asNegative: bool, x: float, y: float) -> None:
        self.corrections.toggle(self.micId(), x, y, self.kept(), asNegative)
        self.corrected()

    def _grab(self, x: float, y: float) -> bool:
        self._grabbed = self.corrections.nearest(self.micId(), x, y, self.kept())
        return self._grabbed is not None

    def _dragTo(self, x: float, y: float) -> None:
        self.canvas.drawCircles([(x, y, "#ffffff")], self.radiusPx, MOVING, 1)

    def _drop(self, x: float, y: float) -> None:
        if self._grabbed is not None:
            self.corrections.move(self.micId(), self._grabbed, (round(x, 2), round(y, 2)))
            self.corrected()

    def _lasso(self, corners: List[Tuple[float, float]]) -> None:
        if self.corrections.removeInside(self.micId(), functools.partial(isInside, corners), self.kept()):
            self.corrected()

    # ------------------------- keys -------------------------
    def undo(self, again: bool = False) -> None:
        """Take the last change back, or make it again."""
        micId = self.corrections.undo(again)
        if micId and micId != self.micId():
            self.select(micId)  # type: ignore[attr-defined]
        self.corrected()

    def excludeMicrograph(self) -> None:
        """Leave the micrograph that is shown out of the new set, or take it in again."""
        self.corrections.exclude(self.micId())
        self.corrected()


def nearThreshold(score: Any, gone: Any, threshold: float) -> Any:
    """Rows of picks, those first whose scores are closest to the threshold: one above, one below in turn.

    Where one side has too few, there are more of the other.  Those that the mask `gone` names are left out.
    """
    rows = np.flatnonzero(~gone)
    rows = rows[np.argsort(np.abs(score[rows] - threshold), kind="stable")]
    sides = [rows[score[rows] >= threshold], rows[score[rows] < threshold]]
    turns = np.concatenate([np.arange(len(side)) for side in sides])
    return np.concatenate(sides)[np.argsort(turns, kind="stable")]
