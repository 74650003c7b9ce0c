"""The window in which particles are labelled: clicks, suggestions that learn from them, the diameter by the wheel."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
import tkinter as tk
from tkinter import messagebox, ttk
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from pupicker.shared.json_files import read_json, write_json
from pupicker.window.colours import scoreColours, scoreRange
from pupicker.window.image_bar import ImageBar
from pupicker.window.label_panel import LabelPanel
from pupicker.window.label_record import DIGITS, NOT_PARTICLES, LabelRecord
from pupicker.window.micrograph_canvas import MOVING, Circle, MicrographCanvas, Mouse
from pupicker.window.micrograph_image import MicrographError
from pupicker.window.micrograph_list import ListPane, NameLabel
from pupicker.window.suggester import LabelMicrograph, Suggester

SIZE_PX = (1360, 860)  # on a large screen
LEAST_SIZE_PX = (880, 440)
POLL_MS = 150
LABEL, NOT_A_PARTICLE = "#39ff14", "#ff3b3b"
DECIDED = 0.5  # diameters around a label within which nothing is suggested
CLOSE = 0.6  # radii around the centre of a circle that count as a click on it: particles may touch
WHEEL = 1.04  # factor of the diameter
USUAL_DIAMETER_ANG = 150.0
STATE, SHOWN = "window.json", "shown"  # beside the labels: which micrograph was shown last
COLUMNS = ("labels", "not", "found")
HINT = ("Left: particle, or remove a circle. Right: not a particle. Drag: move. Shift + drag: remove what is inside. "
        "Wheel: diameter, with Ctrl: zoom.")
KEYS = ("n, p: next, previous. h: hide circles. a: accept. t: train. u: most useful. Ctrl+Z, Ctrl+Y: undo, redo. "
        "Arrows, Return, x: cross, particle there, none there. 0: all of it.")


class LabelWindow:
    """A list of micrographs, one of them with labels and suggestions, and a panel.

    Parameters
    ----------
    root
        Window of Tk that it fills.
    micrographs
        The list.
    record
        The labels; changed at every click.
    read
        Pixels of a micrograph, an array (rows, columns); raises :class:`~.micrograph_image.MicrographError`.
    suggester
        Makes suggestions; None: there are none.

    Attributes
    ----------
    finished
        Whether *Done* was pressed.
    """

    def __init__(self, root: Any, micrographs: Sequence[LabelMicrograph], record: LabelRecord,
                 read: Callable[[LabelMicrograph], Any], suggester: Optional[Suggester] = None) -> None:
        self.root, self.record, self.read, self.suggester = root, record, read, suggester
        self.finished = False
        self._byKey = {one.key: one for one in micrographs}
        self._grabbed: Optional[Tuple[str, int]] = None
        self._cross: Optional[Tuple[float, float]] = None
        self._next = ""
        if not record.diameterAng:
            record.setDiameter(USUAL_DIAMETER_ANG)
        root.title("pupicker: label")
        root.minsize(*LEAST_SIZE_PX)
        root.geometry("%dx%d" % (min(SIZE_PX[0], root.winfo_screenwidth() - 20),
                                 min(SIZE_PX[1], root.winfo_screenheight() - 60)))
        self._build(micrographs)
        self._bindKeys()
        root.protocol("WM_DELETE_WINDOW", self.close)
        labelled = next((one.key for one in micrographs if record.places(one.key)), micrographs[0].key)
        before = read_json(self._statePath()).get(SHOWN)
        self.goTo(before if before in self._byKey else labelled)
        self._poll()

    # ------------------------- parts -------------------------
    def _build(self, micrographs: Sequence[LabelMicrograph]) -> None:
        self.root.columnconfigure(0, weight=1)
        self.root.rowconfigure(0, weight=1)
        parts = ListPane(self.root, COLUMNS)
        parts.grid(row=0, column=0, sticky="news", padx=6, pady=6)
        self.list, middle = parts.list, parts.middle
        for one in micrographs:
            self.list.add(one.key, one.name, self._counts(one.key))
        self.list.table.bind("<<TreeviewSelect>>", lambda event: self._show())
        self.title = NameLabel(middle)
        self.title.pack(fill=tk.X)
        for line in (KEYS, HINT):
            hint = ttk.Label(middle, text=line, foreground="#505050")
            hint.pack(anchor=tk.W, side=tk.BOTTOM, fill=tk.X)
            hint.bind("<Configure>", lambda event: event.widget.configure(wraplength=event.width))
        self.canvas = MicrographCanvas(middle, 640, 560)
        self.canvas.onView, self.canvas.onWheel = self.draw, self._turned
        self.canvas.mouse = Mouse(self.click, self.rightClick, self._grab, self._move, self._drop, self._lasso, False)
        self.bar = ImageBar(middle, self.canvas)
        self.bar.pack(fill=tk.X, pady=(4, 0), side=tk.BOTTOM)
        self.canvas.pack(fill=tk.BOTH, expand=True)
        self.panel = LabelPanel(self.root, self)
        self.panel.grid(row=0, column=1, sticky="ns", padx=(0, 8), pady=6)

    def _bindKeys(self) -> None:
        actions: Dict[str, Callable[[], Any]] = {
            "n": lambda: self.list.step(1), "Next": lambda: self.list.step(1),
            "p": lambda: self.list.step(-1), "Prior": lambda: self.list.step(-1),
            "h": self.bar.hideCircles, "a": self.accept, "t": self.train, "u": self.goToMostUseful,
            "0": self.canvas.fit, "Control-z": self.undo, "Control-y": self.redo, "Control-d": self.done,
            "Return": self._clickCross,
            "x": self._rejectCross, "Delete": self._rejectCross,
            "plus": functools.partial(self.canvas.zoom, 1.25), "minus": functools.partial(self.canvas.zoom, 0.8),
        }
        for name, direction in (("Left", (-1, 0)), ("Right", (1, 0)), ("Up", (0, -1)), ("Down", (0, 1))):
            actions[name] = functools.partial(self._moveCross, direction)
        for key, action in actions.items():
            self.root.bind("<%s>" % key, functools.partial(self._pressed, action))

    @staticmethod
    def _pressed(action: Callable[[], Any], event: Any) -> Optional[str]:
        if isinstance(event.widget, (ttk.Entry, tk.Entry)):
            return None
        action()
        return "break"

    # ------------------------- what is shown -------------------------
    def key(self) -> str:
        """Key of the micrograph that is shown."""
        return self.list.chosen() or ""

    def radiusPx(self) -> float:
        """Of a particle, in pixels of the micrograph that is shown."""
        return self.record.diameterAng / self._byKey[self.key()].pixelSizeAng / 2

    def micrograph(self, key: str) -> Optional[LabelMicrograph]:
        """One of the list; None: it is not there, though it may have labels of an earlier start."""
        return self._byKey.get(key)

    def pixelSizeAng(self) -> float:
        """Of the micrograph that is shown."""
        return self._byKey[self.key()].pixelSizeAng

    def goTo(self, key: str) -> None:
        """Show a micrograph."""
        self.list.choose(key)

    def goToMostUseful(self) -> None:
        """Show the micrograph whose labels would help most."""
        key = self.suggester.mostUseful() if self.suggester is not None else ""
        if key:
            self.goTo(key)

    def _show(self) -> None:
        one = self._byKey[self.key()]
        self.title.show(one.name)
        self._cross = None
        self.canvas.pixelSizeAng = one.pixelSizeAng
        try:
            self.canvas.showPixels(self.read(one))
        except MicrographError as error:
            self.canvas.showText(str(error))
        self.panel.refresh()
        self._remember()

    def _statePath(self) -> str:
        return os.path.join(os.path.dirname(self.record.path), STATE) if self.record.path else os.devnull

    def _remember(self) -> None:
        """Which micrograph is shown, for the next start."""
        if self.record.path:
            with contextlib.suppress(OSError):  # nothing depends on it
                write_json(self._statePath(), {SHOWN: self.key()})

    def suggestions(self) -> List[Tuple[float, float, float]]:
        """x, y, score of those at or above the slider, best first, that nothing has been decided of."""
        found = self.suggester.known.get(self.key()) if self.suggester is not None else None
        if found is None or self.canvas.pixels() is None:
            return []
        decided = self.record.places(self.key()) + self.record.places(self.key(), NOT_PARTICLES)
        reach = (2 * DECIDED * self.radiusPx()) ** 2
        return [(x, y, score) for x, y, score in zip(found.x, found.y, found.score)
                if score >= self.panel.threshold()
                and not any((x - px) ** 2 + (y - py) ** 2 < reach for px, py in decided)]

    def bestScore(self) -> Optional[float]:
        """Of all suggestions on the micrograph that is shown, be it ever so low; None: there are none."""
        found = self.suggester.known.get(self.key()) if self.suggester is not None else None
        return max(found.score, default=None) if found is not None and self.canvas.pixels() is not None else None

    def draw(self) -> None:
        """Draw all circles anew."""
        if not self.key():
            return
        shown = self.suggestions()
        every = self.suggester.known[self.key()].score if shown and self.suggester is not None else []
        limits = scoreRange(every)
        colours = scoreColours([score for _, _, score in shown], limits)
        self.canvas.drawCircles([(x, y, colour) for (x, y, _), colour in zip(shown, colours)], self.radiusPx(),
                                "suggestions", 1)
        self.drawLabels()

    def drawLabels(self) -> None:
        """Draw the labels anew; quick, for a click."""
        key, radius = self.key(), self.radiusPx()
        labels: List[Circle] = [(x, y, LABEL) for x, y in self.record.places(key)]
        self.canvas.drawCircles(labels, radius, "labels", 2)
        self.canvas.delete("crosses")
        for x, y in self.record.places(key, NOT_PARTICLES):
            self._drawCross(x, y, 0.5 * radius, NOT_A_PARTICLE, "crosses")
        self.canvas.delete("cross")
        if self._cross is not None:
            self._drawCross(*self._cross, radius, "#ffffff", "cross")

    def _drawCross(self, x: float, y: float, halfPx: float, colour: str, tag: str) -> None:
        (left, top), (right, bottom) = (self.canvas.toWindow(x + sign * halfPx, y + sign * halfPx)
                                        for sign in (-1, 1))
        if tag == "cross":
            column, row = self.canvas.toWindow(x, y)
            lines = ((left, row, right, row), (column, top, column, bottom))
        else:
            lines = ((left, top, right, bottom), (left, bottom, right, top))
        for line in lines:
            self.canvas.create_line(*line, fill=colour, width=2, tags=tag)

    def _counts(self, key: str) -> List[Any]:
        found = self.suggester.known.get(key) if self.suggester is not None else None
        number: Any = "" if found is None else sum(score >= self._threshold() for score in found.score)
        return [len(self.record.places(key)) or "", len(self.record.places(key, NOT_PARTICLES)) or "", number]

    def _threshold(self) -> float:
        return self.panel.threshold() if hasattr(self, "panel") else 0.0

    def changed(self, everything: bool = False) -> None:
        """Show that labels have changed; with `everything` the suggestions of all micrographs, too."""
        if self.suggester is not None:
            self.suggester.touched()
        for key in self.list.rows() if everything else (self.key(),):
            self.list.setValues(key, self._counts(key))
        self.draw()
        self.panel.refresh()

    # ------------------------- mouse -------------------------
    def click(self, x: float, y: float) -> None:
        """A particle there; or no circle any more, if there is one."""
        found = self.record.nearest(self.key(), x, y, CLOSE * self.radiusPx())
        if found is not None:
            self.record.remove(self.key(), *found)
        else:
            self.record.add(self.key(), [self._snapped(x, y)])
        self.changed()

    def rightClick(self, x: float, y: float) -> None:
        """No particle there."""
        found = self.record.nearest(self.key(), x, y, CLOSE * self.radiusPx())
        if found is not None and found[0] == NOT_PARTICLES:
            self.record.remove(self.key(), *found)
        else:
            x, y = self._snapped(x, y)
            self.record.exchange(self.key(), [found] if found is not None else [],
                                 {NOT_PARTICLES: [(round(x, DIGITS), round(y, DIGITS))]})  # one click, one undo
        self.changed()

    def _snapped(self, x: float, y: float) -> Tuple[float, float]:
        """The centre of the suggestion that was clicked on, else the place itself."""
        near = [((x - sx) ** 2 + (y - sy) ** 2, sx, sy) for sx, sy, _ in self.suggestions()]
        closest = min(near, default=None)
        return (closest[1], closest[2]) if closest is not None and closest[0] < (0.5 * self.radiusPx()) ** 2 else (x, y)

    def _grab(self, x: float, y: float) -> bool:
        self._grabbed = self.record.nearest(self.key(), x, y, CLOSE * self.radiusPx())
        return self._grabbed is not None

    def _move(self, x: float, y: float) -> None:
        self.canvas.drawCircles([(x, y, "#ffffff")], self.radiusPx(), MOVING, 1)

    def _drop(self, x: float, y: float) -> None:
        if self._grabbed is not None:
            self.record.move(self.key(), *self._grabbed, (x, y))
            self.changed()

    def _lasso(self, corners: List[Tuple[float, float]]) -> None:
        if self.record.removeAll(self.key(), functools.partial(isInside, corners)):
            self.changed()

    def _turned(self, direction: int) -> None:
        self.setDiameter(self.record.diameterAng * WHEEL ** direction)

    # ------------------------- keyboard -------------------------
    def _moveCross(self, direction: Tuple[int, int]) -> None:
        if not self.canvas.isChangeable():
            return
        width, height = self.canvas.shape
        x, y = self._cross or self.canvas.toMicrograph(self.canvas.winfo_width() / 2, self.canvas.winfo_height() / 2)
        step = self.radiusPx() / 2
        self._cross = (min(max(x + direction[0] * step, 0), width - 1),
                       min(max(y + direction[1] * step, 0), height - 1))
        self.drawLabels()

    def _clickCross(self) -> None:
        if self._cross is not None and self.canvas.isChangeable():
            self.click(*self._cross)

    def _rejectCross(self) -> None:
        if self._cross is not None and self.canvas.isChangeable():
            self.rightClick(*self._cross)

    # ------------------------- actions -------------------------
    def undo(self) -> None:
        """Take the last change back, on whichever micrograph it was."""
        self._undone(self.record.undo())

    def redo(self) -> None:
        """Make it again."""
        self._undone(self.record.redo())

    def _undone(self, key: str) -> None:
        if key in self._byKey and key != self.key():
            self.goTo(key)
        self.changed(everything=True)

    def accept(self) -> None:
        """Label all suggestions that are shown; while circles are hidden, they are shown first."""
        if not self.canvas.circlesShown:
            self.bar.hideCircles()
            return
        self.record.add(self.key(), [(x, y) for x, y, _ in self.suggestions()])
        self.changed()

    def setDiameter(self, diameterAng: float) -> None:
        """Take another diameter of the particles."""
        pixelSize = self.pixelSizeAng()
        most = min(self.canvas.shape) * pixelSize or math.inf  # no particle is larger than its micrograph
        self.record.setDiameter(round(min(max(4 * pixelSize, diameterAng), most), 1))
        self.record.keep()
        if self.suggester is not None:
            self.suggester.touched()
            self.suggester.diameterChanged()
        self.draw()
        self.panel.refresh()

    def train(self) -> None:
        """Train now, with the labels so far."""
        if self.suggester is not None and self.suggester.canTrain():
            self.suggester.train(now=True)
            self.panel.refresh()

    def done(self) -> None:
        """Close the window; the labels are meant to be used."""
        self.finished = self.close()

    def close(self) -> bool:
        """Close the window; what was labelled is on disk, or the user was asked; whether it is closed."""
        self.record.keep()
        if self.record.error and not self.askToLose(self.record.error):
            self.panel.refresh()
            return False
        if self._next:
            self.root.after_cancel(self._next)
        self.root.destroy()
        return True

    def askToLose(self, reason: str) -> bool:
        """Whether to close though the last labels cannot be written."""
        return messagebox.askyesno("pupicker: label", "%s\n\nClose all the same, and lose the last labels?" % reason,
                                   parent=self.root, icon="warning", default="no")

    def _poll(self) -> None:
        began = time.monotonic()
        if self.suggester is not None and self.key():
            model = self.suggester.model
            if self.suggester.poll(self.key()):
                if self.suggester.model != model:
                    self.panel.modelChanged()
                for key in self.suggester.known:
                    self.list.setValues(key, self._counts(key))
                self.draw()
                self.panel.refresh()
            self.panel.refreshState()
        self._next = self.root.after(max(POLL_MS, int(2000 * (time.monotonic() - began))), self._poll)


def isInside(corners: Sequence[Tuple[float, float]], point: Tuple[float, float]) -> bool:
    """Whether a point lies inside of a polygon: a line from it crosses an odd number of edges."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, list(corners[1:]) + [corners[0]]):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
    return inside
