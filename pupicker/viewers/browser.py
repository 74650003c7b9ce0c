"""A window with a list of micrographs, the chosen one with circles, and a panel; the viewers fill it."""

from __future__ import annotations

import functools
import tkinter as tk
from tkinter import ttk
from typing import Any, Callable, Dict, List, Optional, Sequence

from matplotlib.backends.backend_tkagg import FigureCanvasTkAgg
from matplotlib.figure import Figure
from pyworkflow.gui.gui import Window
from pyworkflow.viewer import View

from pupicker.gui.micrograph_canvas import Circle, MicrographCanvas
from pupicker.gui.micrograph_image import MicrographError
from pupicker.viewers.scored_set import MicrographEntry

PANEL_WIDTH_PX = 400
LOW_PASS_PX = 1.0  # to start with: particles stand out of the noise


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
    to the next and the previous micrograph.
    """

    def __init__(self, title: str, parent: Any, micrographs: Sequence[MicrographEntry], radiusPx: float,
                 columns: Sequence[str]) -> None:
        Window.__init__(self, title, parent, minsize=(1000, 600))
        self.root.geometry("1400x860")
        self.radiusPx = radiusPx
        self._paths = {entry.micId: entry.path for entry in micrographs}
        self.root.columnconfigure(0, weight=0)
        self.root.columnconfigure(1, weight=1)
        self.root.rowconfigure(0, weight=1)
        self.table = self._makeTable(micrographs, columns)
        middle = ttk.Frame(self.root)
        middle.grid(row=0, column=1, sticky="news", padx=6, pady=6)
        self.canvas = MicrographCanvas(middle)
        self.canvas.pack(fill=tk.BOTH, expand=True)
        self.canvas.lowPassPx, self.canvas.onView = LOW_PASS_PX, self.refreshCircles
        self._makeImageControls(middle)
        self.panel = ttk.Frame(self.root, width=PANEL_WIDTH_PX)
        self.panel.grid(row=0, column=2, sticky="ns", padx=6, pady=6)
        for key, step in (("<Right>", 1), ("<Down>", 1), ("<Left>", -1), ("<Up>", -1)):
            self.root.bind(key, functools.partial(self._onArrow, step))

    # ------------------------- what a viewer overrides -------------------------
    def circles(self, micId: int) -> List[Circle]:
        """Circles on a micrograph: x, y in its pixels, colour."""
        raise NotImplementedError

    def count(self, micId: int) -> Sequence[Any]:
        """Values of the columns after the name."""
        raise NotImplementedError

    # ------------------------- parts -------------------------
    def _makeTable(self, micrographs: Sequence[MicrographEntry], columns: Sequence[str]) -> Any:
        frame = ttk.Frame(self.root)
        frame.grid(row=0, column=0, sticky="ns", padx=(6, 0), pady=6)
        table = ttk.Treeview(frame, columns=["name", *columns], show="headings", selectmode="browse")
        for title, width in [("name", 200)] + [(column, 62) for column in columns]:
            table.heading(title, text="micrograph" if title == "name" else title)
            table.column(title, width=width, anchor=tk.W if title == "name" else tk.E, stretch=title == "name")
        bar = ttk.Scrollbar(frame, command=table.yview)
        table.configure(yscrollcommand=bar.set)
        table.pack(side=tk.LEFT, fill=tk.BOTH, expand=True)
        bar.pack(side=tk.RIGHT, fill=tk.Y)
        for entry in micrographs:
            table.insert("", tk.END, iid=str(entry.micId), values=[entry.name] + [""] * len(columns))
        table.bind("<<TreeviewSelect>>", lambda event: self._showSelected())
        return table

    def _makeImageControls(self, parent: Any) -> None:
        bar = ttk.Frame(parent)
        bar.pack(fill=tk.X, pady=(6, 0))
        for title, low, high, name in (("Low-pass (px of the view)", 0.0, 8.0, "lowPassPx"),
                                       ("Contrast", 0.3, 3.0, "contrast")):
            ttk.Label(bar, text=title).pack(side=tk.LEFT)
            scale = ttk.Scale(bar, from_=low, to=high, length=130, value=getattr(self.canvas, name),
                              command=functools.partial(self._onFilter, name))
            scale.pack(side=tk.LEFT, padx=(6, 18))
        for line in ("Arrow keys: next and previous micrograph", "Wheel: zoom. Drag: move. Double click: all of it."):
            ttk.Label(parent, text=line).pack(anchor=tk.W)

    def addFigure(self, heightInch: float) -> Figure:
        """A figure in the panel, as wide as it is; `figure.canvas.draw_idle()` shows changes."""
        figure = Figure(figsize=(PANEL_WIDTH_PX / 100, heightInch), dpi=100, layout="constrained")
        FigureCanvasTkAgg(figure, master=self.panel).get_tk_widget().pack(fill=tk.X)
        return figure

    # ------------------------- events -------------------------
    def _onFilter(self, name: str, value: Any) -> None:
        setattr(self.canvas, name, float(value))
        self.canvas.refresh()

    def _onArrow(self, step: int, event: Any) -> Optional[str]:
        if isinstance(event.widget, (ttk.Entry, tk.Entry, ttk.Scale)):
            return None  # there the arrows move the cursor or the handle
        rows = self.table.get_children()
        if rows:
            place = min(max(rows.index(str(self.micId())) + step, 0), len(rows) - 1) if self.micId() else 0
            self.select(int(rows[place]))
        return "break"

    def micId(self) -> int:
        """Id of the micrograph that is shown; 0 if none is."""
        chosen = self.table.selection()
        return int(chosen[0]) if chosen else 0

    def select(self, micId: int) -> None:
        """Show a micrograph."""
        self.table.selection_set(str(micId))
        self.table.see(str(micId))

    def selectFirst(self) -> None:
        """Show the first micrograph of the list, if there is one."""
        rows = self.table.get_children()
        if rows:
            self.select(int(rows[0]))

    def _showSelected(self) -> None:
        if self.micId():
            try:
                self.canvas.showMicrograph(self._paths[self.micId()])  # draws the circles, too
            except MicrographError as error:
                self.canvas.showText(str(error))

    def refreshCircles(self) -> None:
        """Draw the circles of the shown micrograph anew."""
        if self.micId():
            self.canvas.drawCircles(self.circles(self.micId()), self.radiusPx)

    def refreshCounts(self) -> None:
        """Fill the columns of the list anew."""
        for row in self.table.get_children():
            self.table.item(row, values=[self.table.set(row, "name"), *self.count(int(row))])


class ThresholdControl:
    """Slider and entry for a threshold on the score; `changed()` is called after a change, once the window is idle."""

    def __init__(self, parent: Any, low: float, high: float, value: float, changed: Callable[[], None]) -> None:
        self.value, self._changed, self._parent = value, changed, parent
        self._pending: Dict[str, Any] = {}
        bar = ttk.Frame(parent)
        bar.pack(fill=tk.X, pady=4)
        ttk.Label(bar, text="Threshold (score)").pack(side=tk.LEFT)
        self.entry = ttk.Entry(bar, width=9, justify=tk.RIGHT)
        self.entry.pack(side=tk.RIGHT)
        self.scale = ttk.Scale(parent, from_=low, to=max(high, low + 1e-6), value=value,
                               command=lambda text: self.set(float(text)))
        self.scale.pack(fill=tk.X)
        for key in ("<Return>", "<KP_Enter>", "<FocusOut>"):
            self.entry.bind(key, lambda event: self._onEntry())
        self._showValue()

    def set(self, value: float) -> None:
        """Take a new threshold."""
        self.value = value
        self._showValue()
        if "idle" not in self._pending:
            self._pending["idle"] = self._parent.after_idle(self._notify)

    def _notify(self) -> None:
        self._pending.clear()
        self._changed()

    def _showValue(self) -> None:
        self.entry.delete(0, tk.END)
        self.entry.insert(0, "%.2f" % self.value)

    def _onEntry(self) -> None:
        try:
            value = float(self.entry.get())
        except ValueError:
            self._showValue()
            return
        if abs(value - self.value) >= 0.005:
            self.scale.configure(value=value)
            self.set(value)
