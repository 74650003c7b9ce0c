"""Picks side by side where the threshold is decided: small pictures, ordered by score, page by page."""

from __future__ import annotations

import functools
import math
import tkinter as tk
from tkinter import ttk
from typing import Any, Callable, Dict, List, NamedTuple, Set

from PIL import ImageTk

from pupicker.viewers.scored_set import ViewerError
from pupicker.window.micrograph_image import Look, Pyramid, renderRegion

SIDE_PX = 96  # of a picture
COLUMNS, ROWS = 8, 5
DIAMETERS = 1.6  # across a picture
MOST_MICROGRAPHS = 6  # that are read for a page
LOW_PASS_PX = 2.0
REJECTED, KEPT, BELOW = "#ff3b3b", "#35d07f", "#505050"  # frames


class Actions(NamedTuple):
    """What a gallery asks of the window that opened it.

    Attributes
    ----------
    read
        Pixels of the micrograph of an id.
    frame
        Colour of the frame of a row: :data:`REJECTED`, :data:`KEPT` or :data:`BELOW`.
    reject
        Called with the row of a pick that is clicked: it is no particle, or is one again.
    show
        Called with the row of a pick that is clicked with the right button.
    """

    read: Callable[[int], Any]
    frame: Callable[[int], str]
    reject: Callable[[int], None]
    show: Callable[[int], None]


class Gallery(tk.Toplevel):
    """A window of thumbnails.

    Parameters
    ----------
    radiusPx
        Of a particle.
    actions
        Of the window that opens it.

    Attributes
    ----------
    cells
        The pictures of the page that is shown, by row.
    """

    def __init__(self, parent: Any, radiusPx: float, actions: Actions) -> None:
        tk.Toplevel.__init__(self, parent)
        self.title("pupicker: picks near the threshold")
        self._radius, self._actions = radiusPx, actions
        self._pyramids: Dict[int, Pyramid] = {}
        self._grid: Any = ttk.Frame(self)
        self.cells: Dict[int, Any] = {}
        self._rest: List[int] = []
        self._broken: Set[int] = set()  # micrographs that cannot be read
        self._pages: List[Dict[int, Any]] = []
        self._number = 0
        ttk.Label(self, text="Weakest first; those with a green frame are kept. Click: not a particle. Right click: "
                             "show it. Arrows: pages. Ctrl+Z, Ctrl+Y: undo, redo.").pack(
            anchor=tk.W, padx=6, pady=(0, 6), side=tk.BOTTOM)
        bar = ttk.Frame(self)
        bar.pack(fill=tk.X, padx=6, pady=4, side=tk.BOTTOM)
        self.previous = ttk.Button(bar, text="Previous", command=lambda: self.show(self._number - 1))
        self.next = ttk.Button(bar, text="Next", command=lambda: self.show(self._number + 1))
        self._text = ttk.Label(bar)
        for part in (self.previous, self.next, self._text):
            part.pack(side=tk.LEFT, padx=4)
        for button, keys in ((self.previous, ("Left", "Prior")), (self.next, ("Right", "Next"))):
            for key in keys:
                self.bind("<%s>" % key, functools.partial(_press, button))

    def fill(self, data: Any, rows: Any) -> None:
        """Show the picks `rows` of the set `data`, so many as there is room for; the others are on further pages."""
        self._data, self._rest = data, rows.tolist()
        self._pages.clear()
        self.show(0)

    def _scoreText(self, row: int) -> str:
        score = float(self._data.score[row])
        return "%0.2f" % score if math.isfinite(score) else "by hand"

    def show(self, number: int) -> None:
        """Show a page; the next one is made when it is asked for."""
        if number == len(self._pages):
            self._pages.append(self._take())
        self._number = number
        self._grid.destroy()
        self._grid = ttk.Frame(self)
        self._grid.pack(padx=6, pady=6)
        self.cells.clear()
        photos = self._pages[number]
        for place, row in enumerate(sorted(photos, key=lambda row: float(self._data.score[row]))):
            cell = tk.Label(self._grid, image=photos[row], text=self._scoreText(row), compound="top",
                            highlightthickness=2)
            cell.grid(row=place // COLUMNS, column=place % COLUMNS, padx=2, pady=2)
            cell.bind("<Button-1>", lambda event, row=row: self._actions.reject(row))  # type: ignore[misc]
            cell.bind("<Button-3>", lambda event, row=row: self._actions.show(row))  # type: ignore[misc]
            self.cells[row] = cell
        self.refresh()
        self._text.configure(text="Page %d" % (number + 1))
        self.previous.state(["!disabled" if number else "disabled"])
        self.next.state(["!disabled" if self._rest or number + 1 < len(self._pages) else "disabled"])

    def refresh(self) -> None:
        """Give the pictures the frames that they have now."""
        for row, cell in self.cells.items():
            cell.configure(highlightbackground=self._actions.frame(row))

    # ------------------------- pictures -------------------------
    def _take(self) -> Dict[int, Any]:
        """Pictures of the next picks; of few micrographs, because each has to be read."""
        photos: Dict[int, Any] = {}
        rest: List[int] = []
        micIds: Set[int] = set()
        for row in self._rest:
            micId = int(self._data.micId[row])
            room = len(photos) < COLUMNS * ROWS and (micId in micIds or len(micIds) < MOST_MICROGRAPHS)
            if room and self._isReadable(micId):
                micIds.add(micId)
                photos[row] = ImageTk.PhotoImage(self._picture(row), master=self)
            elif micId not in self._broken:
                rest.append(row)
        self._rest = rest
        self._pyramids = {micId: pyramid for micId, pyramid in self._pyramids.items() if micId in micIds}
        return photos

    def _isReadable(self, micId: int) -> bool:
        if micId not in self._pyramids and micId not in self._broken:
            try:
                self._pyramids[micId] = Pyramid(self._actions.read(micId))
            except (ViewerError, OSError, ValueError):
                self._broken.add(micId)
        return micId in self._pyramids

    def _picture(self, row: int) -> Any:
        side = 2 * self._radius * DIAMETERS
        corner = (self._data.x[row] + 0.5 - side / 2, self._data.y[row] + 0.5 - side / 2)
        return renderRegion(self._pyramids[int(self._data.micId[row])], corner, SIDE_PX / side, (SIDE_PX, SIDE_PX),
                            Look(LOW_PASS_PX * side / SIDE_PX, 1.0, True))


def _press(button: Any, event: Any) -> None:
    button.invoke()  # nothing while it is disabled
