"""Correcting picks where they are seen: clicks, lasso, keys; a part of the scores window."""

from __future__ import annotations

import functools
import tkinter as tk
from abc import ABC, abstractmethod
from tkinter import ttk
from typing import Any, List, Tuple

import numpy as np

from pupicker.convert.corrections import ADDED, NOT_PARTICLES
from pupicker.shared.plurals import counted
from pupicker.viewers.corrections import Corrections
from pupicker.window.label_window import CLOSE, isInside
from pupicker.window.micrograph_canvas import Mouse

ADDED_COLOUR, NEGATIVE_COLOUR = "#39ff14", "#ff3b3b"
HINT = ("Left click: take a pick away, or add one. Right click: not a particle. Drag: move. Shift + drag: take away "
        "what is inside. Ctrl+Z, Ctrl+Y: undo, redo. e: leave the micrograph out. g: gallery. 0: all of it.")


class PickEditing(ABC):
    """Mix-in before a window that shows picks of a :class:`~pupicker.viewers.scored_set.ScoredSet`."""

    root: Any
    canvas: Any
    panel: Any
    radiusPx: float
    corrections: Corrections

    def startEditing(self, path: str, data: Any, rows: Any) -> None:
        """Take up the corrections of before; clicks change them."""
        self.corrections = Corrections(path, data, rows)
        self.canvas.mouse = Mouse(functools.partial(self._clicked, False), functools.partial(self._clicked, True),
                                  self._grab, self._dragTo, self._drop, self._lasso, False)
        self._grabbed = -1
        for key, action in (("Control-z", self.undo), ("Control-y", functools.partial(self.undo, True)),
                            ("e", self.excludeMicrograph), ("0", self.canvas.fit)):
            self.onKey(key, action)  # type: ignore[attr-defined]

    def makeEditControls(self) -> None:
        """Buttons and a line that counts the changes."""
        bar = ttk.Frame(self.panel)
        bar.pack(fill=tk.X, pady=4)
        for text, action in (("Undo", self.undo), ("Redo", functools.partial(self.undo, True)),
                             ("Leave out (e)", self.excludeMicrograph)):
            ttk.Button(bar, text=text, command=action).pack(side=tk.LEFT, padx=2)
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
        """Picks that were added, and places that are no particles."""
        micId = self.micId()
        added = [(x, y, ADDED_COLOUR) for x, y in self.corrections.places(micId, ADDED)]
        self.canvas.drawCircles(added, self.radiusPx, "added", 2)
        negatives = [(x, y, NEGATIVE_COLOUR) for x, y in self.corrections.places(micId, NOT_PARTICLES)]
        self.canvas.drawCircles(negatives, 0.4 * self.radiusPx, "negatives", 2)

    def changesText(self) -> str:
        """How many changes there are, in words."""
        record = self.corrections.record
        if not self.corrections.number():
            return "No corrections."
        numbers = tuple(record.number(kind) for kind in ("added", "removed", NOT_PARTICLES))
        return "%d added, %d taken away, %d marked as no particle" % numbers + ", %s left out" % counted(
            record.number("excluded"), "micrograph")

    # ------------------------- mouse -------------------------
    def _clicked(self, asNegative: bool, x: float, y: float) -> None:
        self.corrections.toggle(self.micId(), x, y, CLOSE * self.radiusPx, self.kept(), asNegative)
        self.corrected()

    def _grab(self, x: float, y: float) -> bool:
        self._grabbed = self.corrections.nearestPick(self.micId(), x, y, CLOSE * self.radiusPx, self.kept())
        return self._grabbed >= 0

    def _dragTo(self, x: float, y: float) -> None:
        self.canvas.drawCircles([(x, y, "#ffffff")], self.radiusPx, "moving", 1)

    def _drop(self, x: float, y: float) -> None:
        self.canvas.delete("moving")
        if self._grabbed >= 0:
            self.corrections.move(self.micId(), self._grabbed, (x, y))
            self.corrected()

    def _lasso(self, corners: List[Tuple[float, float]]) -> None:
        data = self.corrections.data
        rows = [int(row) for row in self.corrections.rowsOf(self.micId())[self.kept()[
            self.corrections.rowsOf(self.micId())]] if isInside(corners, (data.x[row], data.y[row]))]
        if rows:
            self.corrections.remove(self.micId(), rows)
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


def nearThreshold(score: Any, gone: Any, threshold: float, number: int) -> Any:
    """Rows of so many picks whose scores are closest to the threshold, the closest first: one above, one below in turn.

    Where one side has too few, there are more of the other.  Those that the mask `gone` names are left out.
    """
    rows = np.flatnonzero(~gone)
    rows = rows[np.argsort(np.abs(score[rows] - threshold), kind="stable")]
    sides = [rows[score[rows] >= threshold], rows[score[rows] < threshold]]
    turns = np.concatenate([np.arange(len(side)) for side in sides])
    return np.concatenate(sides)[np.argsort(turns, kind="stable")][:number]
