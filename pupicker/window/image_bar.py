"""The controls below a micrograph: low-pass, contrast, levelling, inversion, circles."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

from pupicker.window.micrograph_canvas import MicrographCanvas

LOW_PASS_PX = 1.0  # to start with: particles stand out of the noise
MOST_LOW_PASS_PX = 8.0
CONTRASTS = (0.3, 3.0)
CIRCLE_FACTORS = (0.3, 2.0)
SLIDER_PX = 70


class ImageBar(ttk.Frame):
    """Changes how a canvas shows its micrograph and its circles.  :meth:`hideCircles` is for a key."""

    def __init__(self, parent: Any, canvas: MicrographCanvas) -> None:
        ttk.Frame.__init__(self, parent)
        self._canvas = canvas
        self._group = self._image = ttk.Frame(self)
        canvas.look = canvas.look._replace(lowPassPx=LOW_PASS_PX, levelled=True)
        self.lowPass = self._slider("Low-pass", 0.0, MOST_LOW_PASS_PX, LOW_PASS_PX)
        self.contrast = self._slider("Contrast", *CONTRASTS, 1.0)
        self.levelled = self._check("Level", True)
        self.inverted = self._check("Invert", False)
        self._group = self._circles = ttk.Frame(self)
        self.circles = self._check("Circles (h)", True)
        self.circleSize = self._slider("Size", *CIRCLE_FACTORS, 1.0)
        self._image.grid(row=0, column=0, sticky="w")
        self._circles.grid(row=0, column=1, sticky="w")
        self.bind("<Configure>", lambda event: self._arrange(event.width))

    def _arrange(self, widthPx: int) -> None:
        """Put the controls of the circles into a second row where the window is narrow."""
        below = self._image.winfo_reqwidth() + self._circles.winfo_reqwidth() > widthPx
        if below != bool(int(self._circles.grid_info()["row"])):
            self._circles.grid(row=int(below), column=int(not below))

    def _slider(self, title: str, low: float, high: float, value: float) -> Any:
        ttk.Label(self._group, text=title).pack(side=tk.LEFT)
        scale = ttk.Scale(self._group, from_=low, to=high, length=SLIDER_PX, value=value,
                          command=lambda text: self._changed())
        scale.pack(side=tk.LEFT, padx=(4, 8))
        return scale

    def _check(self, title: str, value: bool) -> Any:
        variable = tk.BooleanVar(self, value=value)
        ttk.Checkbutton(self._group, text=title, variable=variable, command=self._changed, takefocus=False).pack(
            side=tk.LEFT, padx=(0, 8))
        return variable

    def _changed(self) -> None:
        canvas = self._canvas
        look = canvas.look._replace(lowPassPx=float(self.lowPass.get()), contrast=float(self.contrast.get()),
                                    levelled=bool(self.levelled.get()), inverted=bool(self.inverted.get()))
        onlyCircles = look == canvas.look
        canvas.look = look
        canvas.circlesShown, canvas.circleFactor = bool(self.circles.get()), float(self.circleSize.get())
        if not onlyCircles:
            canvas.refresh()
        elif canvas.onView is not None:
            canvas.onView()

    def hideCircles(self) -> None:
        """Hide the circles, or show them again."""
        self.circles.set(not self.circles.get())
        self._changed()
