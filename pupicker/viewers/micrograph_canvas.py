"""A micrograph, reduced to the size of the window, with circles on it."""

from __future__ import annotations

import os
import tkinter as tk
from typing import Any, Iterable, Tuple

import numpy as np
from PIL import Image, ImageTk
from pwem.emlib.image.image_readers import ImageReadersRegistry

from pupicker.viewers.scored_set import ViewerError

LONGEST_PX = 1024  # longest side of the preview

Circle = Tuple[float, float, str]  # x, y in pixels of the micrograph, colour


def readPreview(path: str) -> Tuple[Any, int]:
    """Micrograph averaged over squares, float32 ``(rows, columns)``, and the side of the squares in px.

    Raises
    ------
    ViewerError
        The file is missing or unreadable; one line.
    """
    if not os.path.exists(path):
        raise ViewerError("%s: no such file." % path)
    try:
        image = np.squeeze(np.asarray(ImageReadersRegistry.open(path).getImage(), dtype=np.float32))
    except Exception as error:
        raise ViewerError("%s: cannot be read (%s)." % (path, str(error).replace("\n", " "))) from error
    if image.ndim != 2:
        raise ViewerError("%s: holds %d images, not one." % (path, len(image)))
    step = max(1, -(-max(image.shape) // LONGEST_PX))
    rows, columns = (side // step for side in image.shape)
    image = image[:rows * step, :columns * step].reshape(rows, step, columns, step)
    return np.nan_to_num(image.mean(axis=(1, 3))), step


def lowPass(image: Any, sigmaPx: float) -> Any:
    """Gaussian filter of standard deviation `sigmaPx`, periodic at the edges."""
    if sigmaPx <= 0:
        return image
    rows, columns = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    weight = np.exp(-2 * (np.pi * sigmaPx) ** 2 * (rows ** 2 + columns ** 2))
    return np.fft.irfft2(np.fft.rfft2(image) * weight, image.shape)


def toGrey(image: Any, contrast: float) -> Any:
    """Bytes: the mean is grey, black and white are ``3 / contrast`` standard deviations from it."""
    spread = float(image.std()) or 1.0
    return np.clip(127.5 + (image - image.mean()) * (42.5 * contrast / spread), 0, 255).astype(np.uint8)


class MicrographCanvas(tk.Canvas):
    """Shows one micrograph as large as the canvas allows."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        tk.Canvas.__init__(self, parent, background="#303030", highlightthickness=0, **kwargs)
        self._image, self._step, self._photo = None, 1, None
        self._grey: Any = None
        self._circles: Tuple[Iterable[Circle], float] = ((), 0.0)
        self.sigmaPx, self.contrast = 2.0, 1.0
        self.bind("<Configure>", lambda event: self._redraw())

    def showFile(self, path: str) -> None:
        """Read and show a micrograph; if that fails, the canvas says why."""
        try:
            self._image, self._step = readPreview(path)
        except ViewerError as error:
            self._image = self._grey = None
            self.delete("all")
            self.create_text(20, 20, anchor=tk.NW, fill="white", text=str(error),
                             width=max(200, self.winfo_width() - 40))
            return
        self.filterChanged()

    def filterChanged(self) -> None:
        """Apply `sigmaPx` (px of the preview) and `contrast` anew."""
        if self._image is not None:
            self._grey = toGrey(lowPass(self._image, self.sigmaPx), self.contrast)
            self._redraw()

    def showCircles(self, circles: Iterable[Circle], radiusPx: float) -> None:
        """Draw circles; positions and radius in pixels of the micrograph."""
        self._circles = (list(circles), radiusPx)
        self._drawCircles()

    def _zoom(self) -> float:
        """Pixels of the screen per pixel of the preview."""
        rows, columns = self._grey.shape
        return min(self.winfo_width() / columns, self.winfo_height() / rows)

    def _redraw(self) -> None:
        if self._grey is None or self.winfo_width() < 2:
            return
        zoom = self._zoom()
        rows, columns = self._grey.shape
        size = (max(1, int(columns * zoom)), max(1, int(rows * zoom)))
        self._photo = ImageTk.PhotoImage(Image.fromarray(self._grey).resize(size, Image.BILINEAR), master=self)
        self.delete("all")
        self.create_image(0, 0, anchor=tk.NW, image=self._photo)
        self._drawCircles()

    def _drawCircles(self) -> None:
        self.delete("circle")
        if self._grey is None:
            return
        circles, radiusPx = self._circles
        zoom = self._zoom() / self._step
        radius = max(3.0, radiusPx * zoom)
        for x, y, colour in circles:
            column, row = (x + 0.5) * zoom, (y + 0.5) * zoom
            self.create_oval(column - radius, row - radius, column + radius, row + radius, outline=colour, width=2,
                             tags="circle")
