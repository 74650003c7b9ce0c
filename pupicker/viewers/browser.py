"""A window with a list of micrographs, the chosen one with circles, and a panel; the viewers fill it."""

from __future__ import annotations

import functools
import tkinter as tk
from tkinter import ttk
from typing import Any, Callable, List, Optional, Sequence, Tuple

from matplotlib.backends.backend_tkagg import FigureCanvasTkAgg
from matplotlib.figure import Figure
from pyworkflow.gui.gui import Window
from pyworkflow.viewer import View

from pupicker.gui.micrograph_reader import readMicrograph
from pupicker.viewers.scored_set import MicrographEntry
from pupicker.window.image_bar import ImageBar
from pupicker.window.micrograph_canvas import Circle, MicrographCanvas
from pupicker.window.micrograph_image import MicrographError
from pupicker.window.micrograph_list import ListPane, NameLabel
from pupicker.window.scroll_panel import ScrollPanel

PANEL_WIDTH_PX = 400
SHOWN_DIAMETERS = 12  # across the window around a particle that is shown large
SIZE_PX = (1400, 860)  # of a window on a large screen
LEAST_SIZE_PX = (980, 480)  # it fits a screen of 1024 by 600


class WindowView(View):
    """Opens a window made by `build(parent)`; without a main window it keeps the program running until it is closed."""

    def __init__(self, build: Callable[[Any], Window], parent: Any) -> None:
        self._build, self._parent = build, parent
        self.window: Optional[Window] = None

    def show(self) -> None:
        self.window = self._build(self._parent)
        self.window.root.deiconify()
        if self._parent is None:
            self.window.root.mainloop()


class MicrographBrowser(Window):
    """Base of the viewers' windows.

    A viewer overrides :meth:`circles` and :meth:`count`, and puts what it likes into :attr:`panel`.  The arrow keys go
    to the next and the previous micrograph, *h* hides the circles.
    """

    hints = ("Arrow keys: next and previous micrograph. Wheel: zoom. h: hide the circles. A click on a heading sorts.",
             "Drag: move. Double click: all of it.")

    def __init__(self, title: str, parent: Any, micrographs: Sequence[MicrographEntry], radiusPx: float,
                 columns: Sequence[str], pixelSizeAng: float = 0.0) -> None:
        Window.__init__(self, title, parent, minsize=LEAST_SIZE_PX)
        self.root.geometry("%dx%d" % (min(SIZE_PX[0], self.root.winfo_screenwidth() - 40),
                                      min(SIZE_PX[1], self.root.winfo_screenheight() - 60)))
        self.radiusPx, self._shown = radiusPx, 0
        self._places = {entry.micId: (entry.path, entry.image) for entry in micrographs}
        self.root.columnconfigure(0, weight=1)
        self.root.rowconfigure(0, weight=1)
        parts = ListPane(self.root, columns)
        parts.grid(row=0, column=0, sticky="news", padx=6, pady=6)
        self.list, self.table, middle = parts.list, parts.list.table, parts.middle
        for entry in micrographs:
            self.list.add(str(entry.micId), entry.name)
        self.table.bind("<<TreeviewSelect>>", lambda event: self._showSelected())
        self.title = NameLabel(middle)
        self.title.pack(fill=tk.X)
        for line in reversed(self.hints):
            hint = ttk.Label(middle, text=line)
            hint.pack(anchor=tk.W, side=tk.BOTTOM, fill=tk.X)
            hint.bind("<Configure>", lambda event: event.widget.configure(wraplength=event.width))
        self.canvas = MicrographCanvas(middle)
        self.canvas.onView, self.canvas.pixelSizeAng = self.refreshCircles, pixelSizeAng
        self.bar = ImageBar(middle, self.canvas)
        self.bar.pack(fill=tk.X, pady=(6, 0), side=tk.BOTTOM)
        self.canvas.pack(fill=tk.BOTH, expand=True)
        self._side = ScrollPanel(self.root)
        self._side.grid(row=0, column=1, sticky="ns", padx=6, pady=6)
        self.panel = self._side.inside
        self._marked: Optional[Tuple[int, float, float]] = None  # micrograph, x and y of a place that was asked for
        for key, step in (("<Right>", 1), ("<Down>", 1), ("<Left>", -1), ("<Up>", -1)):
            self.root.bind(key, functools.partial(self._onArrow, step))
        self.onKey("h", self.bar.hideCircles)

    # ------------------------- what a viewer overrides -------------------------
    def circles(self, micId: int) -> List[Circle]:
        """Circles on a micrograph: x, y in its pixels, colour."""
        raise NotImplementedError

    def count(self, micId: int) -> Sequence[Any]:
        """Values of the columns after the name."""
        raise NotImplementedError

    # ------------------------- parts -------------------------
    def addFigure(self, heightInch: float, layout: Any = "constrained") -> Figure:
        """A figure in the panel, as wide as it is; `figure.canvas.draw_idle()` shows changes."""
        figure = Figure(figsize=(PANEL_WIDTH_PX / 100, heightInch), dpi=100, layout=layout)
        FigureCanvasTkAgg(figure, master=self.panel).get_tk_widget().pack(fill=tk.X)
        return figure

    # ------------------------- events -------------------------
    def onKey(self, key: str, action: Callable[[], None]) -> None:
        """Do something when a key is pressed, but not while the user writes into a field."""
        def pressed(event: Any) -> Optional[str]:
            if isinstance(event.widget, (ttk.Entry, tk.Entry)):
                return None
            action()
            return "break"
        self.root.bind("<%s>" % key, pressed)

    def _onArrow(self, step: int, event: Any) -> Optional[str]:
        if isinstance(event.widget, (ttk.Entry, tk.Entry, ttk.Scale)):
            return None  # there the arrows move the cursor or the handle
        self.list.step(step)
        return "break"

    def micId(self) -> int:
        """Id of the micrograph that is shown; 0 if none is."""
        return int(self.list.chosen() or 0)

    def select(self, micId: int) -> None:
        """Show a micrograph."""
        self.list.choose(str(micId))

    def showPlace(self, micId: int, x: float, y: float) -> None:
        """Show a particle of a micrograph large, with a mark."""
        self.select(micId)
        self._showSelected()
        self._marked = (micId, x, y)
        self.canvas.showPlace(x, y, SHOWN_DIAMETERS * 2 * self.radiusPx)

    def selectFirst(self) -> None:
        """Show the first micrograph of the list, if there is one."""
        rows = self.list.rows()
        if rows:
            self.select(int(rows[0]))

    def _showSelected(self) -> None:
        if self.micId() and self.micId() != self._shown:  # Tk tells again later what was chosen by the program
            self._shown = self.micId()
            self.title.show(self.list.name(str(self.micId())))
            try:
                self.canvas.showPixels(readMicrograph(*self._places[self.micId()]))  # draws the circles, too
            except MicrographError as error:
                self.canvas.showText(str(error))

    def refreshCircles(self) -> None:
        """Draw the circles of the shown micrograph anew."""
        if self.micId():
            self.canvas.drawCircles(self.circles(self.micId()), self.radiusPx)
            if self._marked is not None and self._marked[0] == self.micId():
                self.canvas.mark(*self._marked[1:], 1.6 * self.radiusPx)

    def refreshCounts(self) -> None:
        """Fill the columns of the list anew."""
        for row in self.list.rows():
            self.list.setValues(row, self.count(int(row)))
