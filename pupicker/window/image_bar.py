"""The controls below a micrograph: low-pass, contrast, levelling, inversion, circles."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, List

from pupicker.window.micrograph_canvas import MicrographCanvas
from pupicker.window.micrograph_image import lowPassSigma
from pupicker.window.tooltip import Tooltip

LOW_PASS = {"Å": (30.0, 120.0), "px": (20.0, 80.0)}  # to start with, and the most; by its unit
LOW_PASS_TEXT = ("Gaussian low-pass: structure of this length has half of its amplitude, finer structure less. "
                 "In %s, whatever the zoom.")
UNIT_TEXTS = {"Å": "Å", "px": "pixels of the micrograph, whose pixel size is not known"}
CONTRASTS = (0.3, 3.0)
CIRCLE_FACTORS = (0.3, 2.0)
SLIDER_PX = 70


class ImageBar(ttk.Frame):
    """Changes how a canvas shows its micrograph and its circles.  :meth:`hideCircles` is for a key.

    The low-pass is a length: of the micrograph, so that zooming changes nothing of it.

    Attributes
    ----------
    controls
        In their order; they stand in as many rows as the width asks for.
    """

    def __init__(self, parent: Any, canvas: MicrographCanvas) -> None:
        ttk.Frame.__init__(self, parent)
        self._canvas, self._unit = canvas, ""
        self.controls: List[Any] = []
        self._rows: List[Any] = []
        self.lowPass = self._slider("Low-pass", 0.0, 1.0, 0.0)
        self.lowPassText = ttk.Label(self.controls[-1], width=6)
        self.lowPassText.pack(side=tk.LEFT)
        self._tooltips = [Tooltip(part) for part in self.controls[-1].winfo_children()]
        self.contrast = self._slider("Contrast", *CONTRASTS, 1.0)
        self.levelled = self._check("Level", True)
        self.inverted = self._check("Invert", False, beside=True)
        self.circles = self._check("Circles (h)", True)
        self.circleSize = self._slider("Size", *CIRCLE_FACTORS, 1.0, beside=True)
        self._rows = [ttk.Frame(self) for _ in self.controls]
        for row in self._rows:
            row.lower()  # the controls lie upon them
        canvas.look = canvas.look._replace(levelled=True)
        canvas.onPixelSize = self._pixelSizeChanged
        self._pixelSizeChanged()
        self._arrange(1)
        self.bind("<Configure>", lambda event: self._arrange(event.width))

    def _arrange(self, widthPx: int) -> None:
        """Put the controls into as few rows as there is room for."""
        row, usedPx = 0, 0
        for control in self.controls:
            neededPx = control.winfo_reqwidth()
            if usedPx and usedPx + neededPx > widthPx:
                row, usedPx = row + 1, 0
            if usedPx == 0:
                self._rows[row].pack(anchor=tk.W)
            control.pack(in_=self._rows[row], side=tk.LEFT)
            usedPx += neededPx
        for empty in self._rows[row + 1:]:
            empty.pack_forget()

    def _slider(self, title: str, low: float, high: float, value: float, beside: bool = False) -> Any:
        control = self._control(beside)
        ttk.Label(control, text=title).pack(side=tk.LEFT)
        scale = ttk.Scale(control, from_=low, to=high, length=SLIDER_PX, value=value,
                          command=lambda text: self._changed())
        scale.pack(side=tk.LEFT, padx=(4, 8))
        return scale

    def _check(self, title: str, value: bool, beside: bool = False) -> Any:
        variable = tk.BooleanVar(self, value=value)
        ttk.Checkbutton(self._control(beside), text=title, variable=variable, command=self._changed,
                        takefocus=False).pack(side=tk.LEFT, padx=(0, 8))
        return variable

    def _control(self, beside: bool) -> Any:
        """A new one, or the last, for what belongs beside it."""
        if not beside:
            self.controls.append(ttk.Frame(self))
        return self.controls[-1]

    # ------------------------- low-pass -------------------------
    def _pixelSizeChanged(self) -> None:
        """Another micrograph: the same length, as far as it has a pixel size."""
        unit = "Å" if self._canvas.pixelSizeAng > 0 else "px"
        if unit != self._unit:
            self._unit = unit
            start, most = LOW_PASS[unit]
            self.lowPass.configure(to=most, value=start)
            for tooltip in self._tooltips:
                tooltip.text = LOW_PASS_TEXT % UNIT_TEXTS[unit]
        self._canvas.look = self._canvas.look._replace(lowPassPx=self._lowPassPx())

    def _lowPassPx(self) -> float:
        """Standard deviation of the Gaussian in pixels of the micrograph, as the slider says; its value is written."""
        length = round(float(self.lowPass.get()))
        self.lowPassText.configure(text="%d %s" % (length, self._unit) if length else "off")
        return lowPassSigma(length / (self._canvas.pixelSizeAng if self._unit == "Å" else 1.0))

    # ------------------------- changes -------------------------
    def _changed(self) -> None:
        canvas = self._canvas
        look = canvas.look._replace(lowPassPx=self._lowPassPx(), contrast=float(self.contrast.get()),
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
