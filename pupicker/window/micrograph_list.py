"""A list of micrographs: names cut where they are alike, columns that a click on their heading sorts."""

from __future__ import annotations

import os
import tkinter as tk
from tkinter import font, ttk
from typing import Any, Dict, Optional, Sequence, Tuple

NAME_PX, COLUMN_PX = 180, 66  # of the heading with the mark of a sorted column
ELLIPSIS = "…"


def cutMiddle(name: str, characters: int) -> str:
    """A name that is too long without its middle: its beginning and, longer, its end, where names differ."""
    if len(name) <= characters or characters < 4:
        return name
    end = (2 * (characters - 1) + 2) // 3
    return name[:characters - 1 - end] + ELLIPSIS + name[len(name) - end:]


class MicrographList(ttk.Frame):
    """Rows with a name and numbers; the arrow keys and a click choose one.

    Parameters
    ----------
    columns
        Titles of the columns behind the name.

    Attributes
    ----------
    table
        The rows; the item of each is the key that it was added with.
    """

    def __init__(self, parent: Any, columns: Sequence[str]) -> None:
        ttk.Frame.__init__(self, parent)
        self._names: Dict[str, str] = {}
        self._columns = list(columns)
        self._sorted: Tuple[str, bool] = ("", False)  # column, downwards
        self.table = ttk.Treeview(self, columns=["name", *columns], show="headings", selectmode="browse")
        for title, width in [("name", NAME_PX)] + [(column, COLUMN_PX) for column in columns]:
            self.table.heading(title, text="micrograph" if title == "name" else title,
                               command=lambda column=title: self.sortBy(column))  # type: ignore[misc]
            self.table.column(title, width=width, anchor=tk.W if title == "name" else tk.E, stretch=title == "name")
        bar = ttk.Scrollbar(self, command=self.table.yview)
        self.table.configure(yscrollcommand=bar.set)
        bar.pack(side=tk.RIGHT, fill=tk.Y)
        self.table.pack(side=tk.LEFT, fill=tk.BOTH, expand=True)
        self._letter = max(1, font.Font(root=self, name="TkDefaultFont", exists=True).measure("0"))
        self._characters = NAME_PX // self._letter
        self.table.bind("<Configure>", lambda event: self._fitNames())
        self.table.bind("<ButtonRelease-1>", lambda event: self._fitNames(), add="+")

    def add(self, key: str, name: str, values: Sequence[Any] = ()) -> None:
        """A row at the end."""
        self._names[key] = os.path.basename(name)
        cells = list(values) or [""] * len(self._columns)
        self.table.insert("", tk.END, iid=key, values=[cutMiddle(self._names[key], self._characters), *cells])

    def setValues(self, key: str, values: Sequence[Any]) -> None:
        """New numbers of a row."""
        self.table.item(key, values=[self.table.set(key, "name"), *values])

    def name(self, key: str) -> str:
        """The whole name of a row."""
        return self._names.get(key, "")

    def rows(self) -> Tuple[str, ...]:
        """Keys in the order in which they are shown."""
        return tuple(self.table.get_children())

    def chosen(self) -> Optional[str]:
        """Key of the row that is selected."""
        selection = self.table.selection()
        return str(selection[0]) if selection else None

    def choose(self, key: str) -> None:
        """Select a row and bring it into sight."""
        self.table.selection_set(key)
        self.table.see(key)

    def step(self, number: int) -> None:
        """Select the row that is so many below the selected one."""
        rows, chosen = self.rows(), self.chosen()
        if rows:
            place = min(max(rows.index(chosen) + number, 0), len(rows) - 1) if chosen else 0
            self.choose(rows[place])

    def sortBy(self, column: str) -> None:
        """Sort the rows by a column: numbers large first, names in their order; once more: the other way round."""
        down = not self._sorted[1] if self._sorted[0] == column else column != "name"
        self._sorted = (column, down)
        rows = self.rows()
        if column == "name":
            ordered = sorted(rows, key=self.name, reverse=down)
        else:
            ordered = sorted(rows, key=lambda key: _number(self.table.set(key, column)), reverse=down)
        for place, key in enumerate(ordered):
            self.table.move(key, "", place)
        for title in ["name", *self._columns]:
            mark = (" ▼" if down else " ▲") if title == column else ""
            self.table.heading(title, text=("micrograph" if title == "name" else title) + mark)

    def _fitNames(self) -> None:
        characters = int(self.table.column("name", "width")) // self._letter - 1
        if characters != self._characters:
            self._characters = characters
            for key, name in self._names.items():
                self.table.set(key, "name", cutMiddle(name, characters))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("-inf")
