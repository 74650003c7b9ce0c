"""The frame of the dialogs that help to fill a form: a list of micrographs, one of them shown, controls below."""

from __future__ import annotations

import tkinter as tk
from typing import Any, List, NamedTuple

from pyworkflow.gui import dialog

from pupicker.gui.micrograph_reader import readMicrograph
from pupicker.window.image_bar import ImageBar
from pupicker.window.micrograph_canvas import MicrographCanvas
from pupicker.window.micrograph_image import MicrographError
from pupicker.window.micrograph_list import MicrographList


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
        columns = [self.getNoteHeading()] if self.getNoteHeading() else []
        self.list = MicrographList(bodyFrame, columns)
        self.list.grid(row=0, column=0, rowspan=4, sticky="ns", padx=(0, 8))
        for number, entry in enumerate(self.entries):
            self.list.add(str(number), entry.mic.getMicName() or entry.mic.getFileName(),
                          [entry.note] if columns else [])
        self.canvas = MicrographCanvas(bodyFrame, height=max(300, min(640, self.winfo_screenheight() - 350)))
        self.canvas.grid(row=0, column=1)
        self.canvas.onView = self.draw
        self.bar = ImageBar(bodyFrame, self.canvas)
        self.bar.grid(row=1, column=1, sticky="ew", pady=(4, 0))
        tk.Label(bodyFrame, text=self._hint, anchor="w", fg="#606060").grid(row=2, column=1, sticky="ew")
        controls = tk.Frame(bodyFrame)
        controls.grid(row=3, column=1, sticky="ew", pady=(6, 0))
        self.createControls(controls)
        self.list.table.bind("<<TreeviewSelect>>", lambda event: self._select())
        self.list.choose("0")  # the event comes when the window is up
        self.initial_focus = self.canvas

    def _select(self) -> None:
        """Show the micrograph that is selected in the list."""
        self.current = self.entries[int(self.list.chosen() or 0)].mic
        self.canvas.pixelSizeAng = self.current.getSamplingRate() or 0.0
        try:
            index, path = self.current.getLocation()
            self.canvas.showPixels(readMicrograph(path, index))
        except MicrographError as error:
            self.current = None
            self.canvas.showText(str(error))
            self.nothingShown()
        else:
            self.micrographShown()

    def note(self, text: Any) -> None:
        """Say something beside the name of the micrograph that is shown."""
        self.list.setValues(self.list.chosen() or "0", [text])

    # ------------------------- for subclasses -------------------------
    def getNoteHeading(self) -> str:
        """Heading of the notes."""
        return ""

    def createControls(self, frame: Any) -> None:
        """Make what is below the image; called once, before a micrograph is shown."""

    def micrographShown(self) -> None:
        """Another micrograph is shown."""

    def nothingShown(self) -> None:
        """The chosen micrograph cannot be read; the canvas says why."""

    def draw(self) -> None:
        """Draw the circles; the view has changed."""
