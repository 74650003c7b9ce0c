"""Picks side by side where the threshold is decided: small pictures, ordered by score."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, Callable, Dict, List, NamedTuple

from PIL import ImageTk

from pupicker.viewers.scored_set import ViewerError
from pupicker.window.micrograph_image import Look, Pyramid, renderRegion

SIDE_PX = 96  # of a picture
COLUMNS, ROWS = 8, 5
DIAMETERS = 1.6  # across a picture
MOST_MICROGRAPHS = 6  # that are read for it
LOW_PASS_PX = 2.0
REJECTED, KEPT, BELOW = "#ff3b3b", "#35d07f", "#505050"  # frames


class Actions(NamedTuple):
    """What a gallery asks of the window that opened it.

    Attributes
    ----------
    read
        Pixels of the micrograph of an id.
    reject
        Called with the row of a pick that is clicked: it is no particle.  Returns whether it is one again.
    show
        Called with the row of a pick that is clicked with the right button.
    """

    read: Callable[[int], Any]
    reject: Callable[[int], bool]
    show: Callable[[int], None]


class Gallery(tk.Toplevel):
    """A window of thumbnails.

    Parameters
    ----------
    rows
        Picks to show; of more than there is room for, the first.
    data
        The set they are of.
    radiusPx
        Of a particle.
    threshold
        Score from which on picks are kept.
    actions
        Of the window that opens it.
    """

    def __init__(self, parent: Any, rows: Any, data: Any, radiusPx: float, threshold: float, actions: Actions) -> None:
        tk.Toplevel.__init__(self, parent)
        self.title("pupicker: picks near the threshold")
        self._data, self._radius, self._threshold, self._actions = data, radiusPx, threshold, actions
        self._pyramids: Dict[int, Pyramid] = {}
        self._photos: List[Any] = []
        grid = ttk.Frame(self)
        grid.pack(padx=6, pady=6)
        self.cells: Dict[int, Any] = {}
        pictures = self._pictures(rows.tolist())
        for place, row in enumerate(sorted(pictures, key=lambda row: float(data.score[row]))):
            self._photos.append(ImageTk.PhotoImage(pictures[row], master=self))
            cell = tk.Label(grid, image=self._photos[-1], text="%0.2f" % data.score[row], compound="top",
                            highlightthickness=2, highlightbackground=self._frame(row))
            cell.grid(row=place // COLUMNS, column=place % COLUMNS, padx=2, pady=2)
            cell.bind("<Button-1>", lambda event, row=row: self._clicked(row))  # type: ignore[misc]
            cell.bind("<Button-3>", lambda event, row=row: actions.show(row))  # type: ignore[misc]
            self.cells[row] = cell
        ttk.Label(self, text="Weakest first; those with a green frame are kept. Click: not a particle. Right click: "
                             "show it.").pack(anchor=tk.W, padx=6, pady=(0, 6))

    def _frame(self, row: int) -> str:
        """Colour of the frame of a pick."""
        return KEPT if self._data.score[row] >= self._threshold else BELOW

    def _pictures(self, rows: List[int]) -> Dict[int, Any]:
        """Of as many picks as there is room for."""
        found: Dict[int, Any] = {}
        for row in rows:
            picture = self._picture(row) if len(found) < COLUMNS * ROWS else None
            if picture is not None:
                found[row] = picture
        return found

    def _picture(self, row: int) -> Any:
        """Of a pick; None if its micrograph cannot be read, or too many others were."""
        micId = int(self._data.micId[row])
        if micId not in self._pyramids:
            if len(self._pyramids) == MOST_MICROGRAPHS:
                return None
            try:
                self._pyramids[micId] = Pyramid(self._actions.read(micId))
            except (ViewerError, OSError, ValueError):
                return None
        side = 2 * self._radius * DIAMETERS
        corner = (self._data.x[row] + 0.5 - side / 2, self._data.y[row] + 0.5 - side / 2)
        return renderRegion(self._pyramids[micId], corner, SIDE_PX / side, (SIDE_PX, SIDE_PX),
                            Look(LOW_PASS_PX * side / SIDE_PX, 1.0, True))

    def _clicked(self, row: int) -> None:
        kept = self._actions.reject(row)
        self.cells[row].configure(highlightbackground=self._frame(row) if kept else REJECTED)
