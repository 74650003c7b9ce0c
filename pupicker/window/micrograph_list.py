"""Micrographs by name, cut where the names are alike: a list whose columns a click sorts, one name above an image."""

from __future__ import annotations

import os
import tkinter as tk
from collections import Counter
from tkinter import font, ttk
from typing import Any, Dict, List, Optional, Sequence, Tuple

from pupicker.window.tooltip import Tooltip

NAME_PX, COLUMN_PX = 180, 66  # of the heading with the mark of a sorted column
LEAST_NAME_PX = 60  # of the column, in a narrow window
LIST_SHARE = 0.4  # of list and image together
ELLIPSIS = "…"
FEWEST_LETTERS = 4  # of a name that is cut


def cutMiddle(name: str, characters: int) -> str:
    """A name that is too long without its middle: its beginning and, longer, its end, where names differ."""
    if len(name) <= characters or characters < FEWEST_LETTERS:
        return name
    end = (2 * (characters - 1) + 2) // 3
    return name[:characters - 1 - end] + ELLIPSIS + name[len(name) - end:]


def alikeEnds(names: Sequence[str]) -> Tuple[int, int]:
    """How many letters all names have in common at their beginning and at their end; no number is divided."""
    if len(names) < 2:
        return 0, 0
    first, backwards = min(names), [name[::-1] for name in names]
    start = _sharedLetters(first, max(names))
    end = min(_sharedLetters(min(backwards), max(backwards)), min(map(len, names)) - start)
    while start and first[start - 1].isdigit():
        start -= 1
    while end and first[-end].isdigit():
        end -= 1
    return start, end


def _sharedLetters(name: str, other: str) -> int:
    """At the beginning."""
    pairs = enumerate(zip(name, other))
    return next((place for place, (one, two) in pairs if one != two), min(len(name), len(other)))


def cutAlike(name: str, characters: int, alike: Tuple[int, int]) -> str:
    """A name that is too long without what others have too, by :func:`alikeEnds`."""
    start, end = alike[0], len(name) - alike[1]
    cut = cutMiddle(name, characters)
    if len(name) <= characters or cut.endswith(name[start:]):
        return cut
    room = characters - 2 * len(ELLIPSIS) - (end - start)
    if room < 0:
        return cutMiddle(name[start:end], characters)
    first = max(0, start - room // 2)
    last = min(len(name), first + characters - 2)
    return (ELLIPSIS if first else "") + name[first:last] + (ELLIPSIS if last < len(name) else "")


def shortNames(names: Sequence[str]) -> List[str]:
    """Names without their folders; equal ones with as many folders as tell them apart."""
    parts = [name.split("/") for name in names]
    depths = [1] * len(names)
    while True:
        short = ["/".join(own[-depth:]) for own, depth in zip(parts, depths)]
        number = Counter(short)
        deeper = [place for place, name in enumerate(short) if number[name] > 1 and depths[place] < len(parts[place])]
        if not deeper:
            return short
        for place in deeper:
            depths[place] += 1


class NameLabel(ttk.Label):
    """A name as long as there is room for it; the pointer shows the whole one."""

    def __init__(self, parent: Any) -> None:
        ttk.Label.__init__(self, parent, width=10)  # or a long name would ask for a wide window
        self._name, self._font = "", font.Font(root=self, name="TkDefaultFont", exists=True)
        self._tooltip = Tooltip(self)
        self.bind("<Configure>", lambda event: self._fit(event.width))

    def show(self, name: str) -> None:
        """Take another name."""
        self._name = name
        self._tooltip.text = name
        self._fit(self.winfo_width())

    def _fit(self, widthPx: int) -> None:
        text = self._name
        while len(text) > FEWEST_LETTERS and self._font.measure(text) > widthPx:
            text = cutMiddle(self._name, len(text) - 1)
        self.configure(text=text)


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
        self._given: Dict[str, str] = {}  # names as they were given
        self._names: Dict[str, str] = {}
        self._columns = list(columns)
        self._alike, self._fitting = (0, 0), ""  # what names have in common; id of what looks at new ones
        self._sorted: Tuple[str, bool] = ("", False)  # column, downwards
        self.table = ttk.Treeview(self, columns=["name", *columns], show="headings", selectmode="browse")
        for title, width in [("name", NAME_PX)] + [(column, COLUMN_PX) for column in columns]:
            self.table.heading(title, text="micrograph" if title == "name" else title,
                               command=lambda column=title: self.sortBy(column))  # type: ignore[misc]
            self.table.column(title, width=width, minwidth=LEAST_NAME_PX if title == "name" else width,
                              anchor=tk.W if title == "name" else tk.E, stretch=title == "name")
        bar = ttk.Scrollbar(self, command=self.table.yview)
        self.table.configure(yscrollcommand=bar.set)
        bar.pack(side=tk.RIGHT, fill=tk.Y)
        self.table.pack(side=tk.LEFT, fill=tk.BOTH, expand=True)
        self._letter = max(1, font.Font(root=self, name="TkDefaultFont", exists=True).measure("0"))
        self._characters = NAME_PX // self._letter
        # what the window does with a key comes first: the table would step as well
        own, kind, toplevel, every = self.table.bindtags()
        self.table.bindtags((own, toplevel, kind, every))
        self.table.bind("<Configure>", lambda event: self.after_idle(self._fitNames))  # then it has fitted its columns
        self.table.bind("<ButtonRelease-1>", lambda event: self._fitNames(), add="+")

    def add(self, key: str, name: str, values: Sequence[Any] = ()) -> None:
        """A row at the end."""
        self._given[key], self._names[key] = name, os.path.basename(name)
        if not self._fitting:
            self._fitting = self.after_idle(self._fitNames, True)  # once they are all there
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
        self.table.focus(key)  # from which the table's own keys step
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

    def _fitNames(self, areNew: bool = False) -> None:
        if not self.table.winfo_exists():
            return
        if areNew:
            self._names = dict(zip(self._given, shortNames(list(self._given.values()))))
            self._fitting, self._alike = "", alikeEnds(list(self._names.values()))
        characters = int(self.table.column("name", "width")) // self._letter - 1
        if areNew or characters != self._characters:
            self._characters = characters
            for key, name in self._names.items():
                self.table.set(key, "name", cutAlike(name, characters, self._alike))


class ListPane(ttk.PanedWindow):
    """A list on the left, which can be made wider, and :attr:`middle`, which gets most of a narrow window."""

    def __init__(self, parent: Any, columns: Sequence[str]) -> None:
        ttk.PanedWindow.__init__(self, parent, orient=tk.HORIZONTAL)
        self.list, self.middle = MicrographList(self, columns), ttk.Frame(self)
        self.add(self.list, weight=0)
        self.add(self.middle, weight=1)
        self._wantedPx = 0  # width of the list
        self.bind("<Configure>", lambda event: self._fit(event.width))
        self.bind("<ButtonRelease-1>", lambda event: self._dragged())

    def _dragged(self) -> None:
        self._wantedPx = self.sashpos(0)

    def _fit(self, widthPx: int) -> None:
        wantedPx = self._wantedPx or self.list.winfo_reqwidth()
        leastPx = self.list.winfo_reqwidth() - NAME_PX + LEAST_NAME_PX
        self.sashpos(0, min(wantedPx, max(leastPx, int(LIST_SHARE * widthPx))))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("-inf")
