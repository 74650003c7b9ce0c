"""The frame of the dialogs that help to fill a form: a list of micrographs, one of them shown, controls below."""

from __future__ import annotations

import os
import tkinter as tk
from tkinter import ttk
from typing import Any, List, NamedTuple

from pyworkflow.gui import dialog

from pupicker.gui.micrograph_canvas import MicrographCanvas
from pupicker.gui.micrograph_image import MicrographError

NAME_WIDTH = 28  # characters; of a longer name the end is shown, which tells micrographs apart


class Entry(NamedTuple):
    """One line of the list."""

    mic: Any
    note: str  # shown beside the name, e.g. the number of labels


class MicrographDialog(dialog.Dialog):
    """Base of the dialogs; a subclass makes `controls` and draws.

    Parameters
    ----------
    parent
        Window of the form.
    title
        Of the dialog.
    entries
        Micrographs in the order of the list; the first is shown at once.
    hint
        One line below the image: what the mouse does.
    """

    def __init__(self, parent: Any, title: str, entries: List[Entry], hint: str) -> None:
        self.entries, self._hint = entries, hint
        self.current: Any = None
        dialog.Dialog.__init__(self, parent, title, buttons=[("OK", dialog.RESULT_YES),
                                                             ("Cancel", dialog.RESULT_CANCEL)])

    def body(self, bodyFrame: Any) -> None:
        table = tk.Frame(bodyFrame)
        table.grid(row=0, column=0, rowspan=3, sticky="ns", padx=(0, 8))
        table.rowconfigure(0, weight=1)
        self.list = ttk.Treeview(table, columns=("note",), selectmode="browse", height=18)
        self.list.heading("#0", text="Micrograph", anchor="w")
        self.list.heading("note", text=self.getNoteHeading(), anchor="e")
        self.list.column("#0", width=230)
        self.list.column("note", width=70, anchor="e", stretch=False)
        for number, entry in enumerate(self.entries):
            self.list.insert("", "end", iid=str(number), text=self._shortName(entry.mic), values=(entry.note,))
        bar = ttk.Scrollbar(table, command=self.list.yview)
        self.list.configure(yscrollcommand=bar.set)
        self.list.grid(row=0, column=0, sticky="ns")
        bar.grid(row=0, column=1, sticky="ns")
        self.canvas = MicrographCanvas(bodyFrame)
        self.canvas.grid(row=0, column=1)
        self.canvas.onView = self.draw
        tk.Label(bodyFrame, text=self._hint, anchor="w", fg="#606060").grid(row=1, column=1, sticky="ew")
        controls = tk.Frame(bodyFrame)
        controls.grid(row=2, column=1, sticky="ew", pady=(6, 0))
        self.createControls(controls)
        self.list.bind("<<TreeviewSelect>>", lambda event: self._select())
        self.list.selection_set("0")  # the event comes when the window is up
        self.initial_focus = self.canvas

    @staticmethod
    def _shortName(mic: Any) -> str:
        name = os.path.basename(mic.getMicName() or mic.getFileName())
        return name if len(name) <= NAME_WIDTH else "…" + name[1 - NAME_WIDTH:]

    def _select(self) -> None:
        """Show the micrograph that is selected in the list."""
        self.current = self.entries[int(self.list.selection()[0])].mic
        try:
            index, path = self.current.getLocation()
            self.canvas.showMicrograph(path, index)
        except MicrographError as error:
            self.current = None
            dialog.showError("Micrograph", str(error), self)
        else:
            self.micrographShown()

    # ------------------------- for subclasses -------------------------
    def getNoteHeading(self) -> str:
        """Heading of the notes."""
        return ""

    def createControls(self, frame: Any) -> None:
        """Make what is below the image; called once, before a micrograph is shown."""

    def micrographShown(self) -> None:
        """Another micrograph is shown."""

    def draw(self) -> None:
        """Draw the circles; the view has changed."""
