"""Cross-validation: its table, and the figure of all folds."""

from __future__ import annotations

import functools
import tkinter as tk
from tkinter import ttk
from typing import Any, Dict, List, Tuple

from matplotlib.backends.backend_tkagg import FigureCanvasTkAgg
from matplotlib.figure import Figure
from pyworkflow.gui.gui import Window
from pyworkflow.viewer import View, Viewer

from pupicker.protocols import ProtPuPickerCrossValidate
from pupicker.viewers.browser import WindowView

BEST, OTHER = "#d62728", "#1f77b4"
BESIDE = 0.15  # of the distance of two rows
COLUMNS = (("options", 330), ("average precision", 160), ("recall", 130), ("picks / micrograph", 170), ("note", 430))


def tableRows(table: Dict[str, Any]) -> List[Tuple[str, ...]]:
    """One row a combination: options, means with standard errors, picks, what else there is to say."""
    rows: List[Tuple[str, ...]] = []
    for cell in table["cells"]:
        title = cell["cell"]
        if "failed" in cell:
            rows.append((title, "failed", "", "", cell["failed"]))
            continue
        note = "best" if title == table["best"] else "as good as the best" if title in table["as_good"] else ""
        rows.append((title, _withError(cell, "average_precision"), _withError(cell, "recall"),
                     "%0.1f" % cell["picks_per_micrograph"], note))
    return rows


def _withError(cell: Dict[str, Any], name: str) -> str:
    error = cell[name + "_error"]
    return "%0.3f" % cell[name] + ("" if error is None else " ± %0.3f" % error)


def drawCells(figure: Any, table: Dict[str, Any]) -> None:
    """One dot a fold, mean and standard error of each combination."""
    cells = [cell for cell in table["cells"] if "failed" not in cell]
    left = figure.add_subplot(1, 2, 1)
    right = figure.add_subplot(1, 2, 2, sharey=left)
    for axes, name in ((left, "average_precision"), (right, "recall")):
        for place, cell in enumerate(cells):
            colour = BEST if cell["cell"] == table["best"] else OTHER
            # beside the mean, so that equal folds do not hide behind it
            axes.plot([fold[name] for fold in cell["folds"]], [place + BESIDE] * len(cell["folds"]), "o", color=colour,
                      alpha=0.4, markersize=5)
            axes.errorbar(cell[name], place, xerr=cell[name + "_error"], fmt="o", color=colour, capsize=3)
        axes.grid(alpha=0.3)
        axes.set_xlim(right=min(1.0, axes.get_xlim()[1]) + 0.01)
    left.set(xlabel="average precision of what was left out")
    left.set_yticks(range(len(cells)))
    left.set_yticklabels([cell["cell"] for cell in cells], fontsize=8)
    left.set_ylim(len(cells) - 0.5, -0.5)
    right.set(xlabel="recall at the suggested threshold")
    right.tick_params(labelleft=False)


class CrossValidationWindow(Window):
    """The figure above the table; the best combination is red."""

    def __init__(self, parent: Any, table: Dict[str, Any]) -> None:
        Window.__init__(self, "pupicker: cross-validation", parent, minsize=(900, 500))
        self.root.geometry("1240x680")
        self.root.columnconfigure(0, weight=1)
        self.root.rowconfigure(0, weight=1)
        figure = Figure(figsize=(10, min(4.0, 1.2 + 0.5 * len(table["cells"]))), dpi=100, layout="constrained")
        drawCells(figure, table)
        FigureCanvasTkAgg(figure, master=self.root).get_tk_widget().grid(row=0, column=0, sticky="news")
        rows = tableRows(table)
        tree = ttk.Treeview(self.root, columns=[name for name, _ in COLUMNS], show="headings",
                            height=min(10, len(rows)))
        for name, width in COLUMNS:
            tree.heading(name, text=name, anchor=tk.W, command=functools.partial(self._sortBy, name))
            tree.column(name, width=width)
        tree.tag_configure("best", foreground=BEST)
        for row in rows:
            tree.insert("", tk.END, values=row, tags=("best",) if row[-1] == "best" else ())
        tree.grid(row=1, column=0, sticky="news", padx=6, pady=6)
        self.table, self._sorted = tree, ("", False)  # column, downwards
        ttk.Label(self.root, text="%d folds over micrographs; pale dots are folds, bars are standard errors of their "
                                  "mean. A click on a heading sorts."
                  % table["folds"]).grid(row=2, column=0, sticky="w", padx=6, pady=(0, 6))

    def _sortBy(self, column: str) -> None:
        """Sort the rows by a column, numbers large first; once more: the other way round."""
        down = not self._sorted[1] if self._sorted[0] == column else column not in ("options", "note")
        self._sorted = (column, down)
        ordered = sorted(self.table.get_children(), key=lambda row: sortKey(self.table.set(row, column)), reverse=down)
        for place, row in enumerate(ordered):
            self.table.move(row, "", place)


def sortKey(text: str) -> Tuple[float, str]:
    """The number that a cell begins with, and the cell."""
    try:
        return float(text.split(" ")[0]), text
    except ValueError:
        return float("-inf"), text


class PuPickerCrossValidationViewer(Viewer):
    """Table and figure of a cross-validation."""

    _name = "pupicker cross-validation"
    _targets = [ProtPuPickerCrossValidate]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        table = obj.getTable()
        if not table:
            return [self.errorMessage("%s: no such table; the run has not finished." % obj.getTablePath(),
                                      "pupicker cross-validation")]
        return [WindowView(lambda parent: CrossValidationWindow(parent, table), self.formWindow)]
