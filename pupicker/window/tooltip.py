"""A text beside the pointer while it rests on a part of a window."""

from __future__ import annotations

import tkinter as tk
from typing import Any

DELAY_MS = 500
AWAY_PX = 16  # from the pointer, so that it covers nothing of the text
WIDTH_PX = 360


class Tooltip:
    """Shows :attr:`text` while the pointer rests on a widget; an empty one shows nothing."""

    def __init__(self, widget: Any, text: str = "") -> None:
        self.text = text
        self._widget = widget
        self._next = ""  # id of what opens it
        self._window: Any = None
        widget.bind("<Enter>", lambda event: self._soon(), add="+")
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>"):
            widget.bind(event, lambda event: self._hide(), add="+")

    def _soon(self) -> None:
        self._hide()
        if self.text:
            self._next = self._widget.after(DELAY_MS, self._show)

    def _show(self) -> None:
        self._next = ""
        self._window = tk.Toplevel(self._widget)
        self._window.wm_overrideredirect(True)
        tk.Label(self._window, text=self.text, background="#ffffe0", foreground="black", relief="solid", borderwidth=1,
                 justify=tk.LEFT, wraplength=WIDTH_PX).pack()
        self._window.wm_geometry("+%d+%d" % (self._widget.winfo_pointerx() + AWAY_PX,
                                             self._widget.winfo_pointery() + AWAY_PX))

    def _hide(self) -> None:
        if self._next:
            self._widget.after_cancel(self._next)
            self._next = ""
        if self._window is not None:
            self._window.destroy()
            self._window = None
