"""A side panel that scrolls where the window is too low for all of it."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

STEP_PX = 30  # of the wheel


class ScrollPanel(ttk.Frame):
    """As wide as what is put into :attr:`inside`; the scrollbar is there only when it is needed."""

    def __init__(self, parent: Any) -> None:
        ttk.Frame.__init__(self, parent)
        background = ttk.Style(self).lookup("TFrame", "background")
        self._area = tk.Canvas(self, height=1, width=1, highlightthickness=0, background=background,
                               yscrollincrement=STEP_PX)
        self.inside = ttk.Frame(self._area)
        self._area.create_window(0, 0, anchor="nw", window=self.inside)
        self.bar = ttk.Scrollbar(self, command=self._area.yview)
        self._area.configure(yscrollcommand=self.bar.set)
        self.rowconfigure(0, weight=1)
        self._area.grid(row=0, column=0, sticky="ns")
        for one in (self.inside, self._area):
            one.bind("<Configure>", lambda event: self._fit())
        self._tag = "scroll %s" % self  # of all that lies inside, for the wheel
        for sequence in ("Button-4", "Button-5", "MouseWheel"):  # the first two on Linux, the last elsewhere
            self.bind_class(self._tag, "<%s>" % sequence, self._wheel)

    def _fit(self) -> None:
        width, height = self.inside.winfo_reqwidth(), self.inside.winfo_reqheight()
        self._area.configure(width=width, scrollregion=(0, 0, width, height))
        if self._isCut():
            self.bar.grid(row=0, column=1, sticky="ns")
        else:
            self.bar.grid_remove()
            self._area.yview_moveto(0.0)
        self._tagAll(self.inside)

    def _isCut(self) -> bool:
        return bool(self.inside.winfo_reqheight() > self._area.winfo_height())

    def _tagAll(self, widget: Any) -> None:
        if self._tag not in widget.bindtags():
            widget.bindtags((*widget.bindtags(), self._tag))
        for child in widget.winfo_children():
            self._tagAll(child)

    def _wheel(self, event: Any) -> None:
        if self._isCut():
            self._area.yview_scroll(-1 if event.num == 4 or event.delta > 0 else 1, "units")
