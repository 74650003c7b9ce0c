"""A window area that shows a micrograph with circles on it; positions are pixels of the micrograph."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Callable, Iterable, Optional, Tuple

from PIL import ImageTk

from pupicker.gui.micrograph_image import readMicrograph, renderRegion

MOST_ZOOM = 8  # pixels of the window for each pixel of the micrograph
CLICK = 4  # a press that moves by less is a click, not a drag
LEAST_RADIUS = 3  # of a circle, in pixels of the window
GREEN = "#39ff14"

Circle = Tuple[float, float, str]  # x, y in pixels of the micrograph, colour


class MicrographCanvas(tk.Canvas):
    """Shows a micrograph and circles, and lets the user move and zoom.

    Dragging moves the image; Ctrl with the mouse wheel zooms at the pointer; a double click shows all again.

    Parameters
    ----------
    parent
        Window that holds it.
    width, height
        Of the area, in pixels of the screen; it follows when the window gives it another size.

    Attributes
    ----------
    lowPassPx, contrast
        See :func:`~pupicker.gui.micrograph_image.renderRegion`; :meth:`refresh` shows a change.
    onWheel
        Called with +1 or -1 when the wheel turns without Ctrl; None: it zooms as well.
    onClick
        Called with (x, y) in the micrograph when the user clicks.
    onView
        Called when circles have to be drawn anew because the view has changed.
    """

    def __init__(self, parent: Any, width: int = 720, height: int = 640) -> None:
        tk.Canvas.__init__(self, parent, width=width, height=height, background="#808080", highlightthickness=0)
        self.onWheel: Optional[Callable[[int], None]] = None
        self.onClick: Optional[Callable[[float, float], None]] = None
        self.onView: Optional[Callable[[], None]] = None
        self.lowPassPx, self.contrast = 0.0, 1.0
        self._size = (width, height)
        self._pixels: Any = None
        self._photo: Any = None
        self._corner, self._scale, self._fitting = (0.0, 0.0), 1.0, 1.0
        self._pressed: Optional[Tuple[int, int, Tuple[float, float]]] = None
        self.bind("<Configure>", self._resized)
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", self._release)
        self.bind("<Double-Button-1>", lambda event: self.fit())
        for sequence in ("Button-4", "Button-5", "MouseWheel"):  # the first two on Linux, the last elsewhere
            self.bind("<%s>" % sequence, self._wheel)
            self.bind("<Control-%s>" % sequence, self._zoomWheel)

    # ------------------------- content -------------------------
    def showMicrograph(self, path: str, index: int = 0) -> None:
        """Read a micrograph (image `index` of a stack, from 1) and show all of it.

        Raises
        ------
        MicrographError
            It cannot be read; the area is left empty.
        """
        self.clear()
        self._pixels = readMicrograph(path, index)
        self.fit()

    def showText(self, text: str) -> None:
        """Show a text instead of a micrograph."""
        self.clear()
        self.create_text(20, 20, anchor="nw", fill="white", text=text, width=max(200, self._size[0] - 40))

    def clear(self) -> None:
        """Show nothing."""
        self._pixels = self._photo = None
        self.delete("all")

    def drawCircles(self, circles: Iterable[Circle], radiusPx: float) -> int:
        """Replace the circles; centres and radius are pixels of the micrograph.  Returns their number."""
        self.delete("circles")
        if self._pixels is None:
            return 0
        radius, number = max(LEAST_RADIUS, radiusPx * self._scale), 0
        for x, y, colour in circles:
            column, row = self.toWindow(x, y)
            self.create_oval(column - radius, row - radius, column + radius, row + radius, outline=colour, width=2,
                             tags="circles")
            number += 1
        return number

    # ------------------------- view -------------------------
    @property
    def shape(self) -> Tuple[int, int]:
        """Width and height of the micrograph in its pixels; (0, 0) if none is shown."""
        return (0, 0) if self._pixels is None else (self._pixels.shape[1], self._pixels.shape[0])

    def toWindow(self, x: float, y: float) -> Tuple[float, float]:
        """Where a position of the micrograph is in the window; its first pixel has its centre at (0, 0)."""
        return (x + 0.5 - self._corner[0]) * self._scale, (y + 0.5 - self._corner[1]) * self._scale

    def toMicrograph(self, x: float, y: float) -> Tuple[float, float]:
        """The inverse of :meth:`toWindow`."""
        return x / self._scale + self._corner[0] - 0.5, y / self._scale + self._corner[1] - 0.5

    def fit(self) -> None:
        """Show the whole micrograph."""
        if self._pixels is None:
            return
        self._scale = self._fitting = min(s / n for s, n in zip(self._size, self.shape))
        self._place(tuple(n / 2 - s / 2 / self._scale for s, n in zip(self._size, self.shape)))

    def zoom(self, factor: float, at: Optional[Tuple[float, float]] = None) -> None:
        """Enlarge by `factor`; the place `at` of the window (default: its middle) stays where it is."""
        if self._pixels is None:
            return
        at = at or (self._size[0] / 2, self._size[1] / 2)
        x, y = (c + a / self._scale for c, a in zip(self._corner, at))
        self._scale = min(MOST_ZOOM, max(self._fitting, self._scale * factor))
        self._place((x - at[0] / self._scale, y - at[1] / self._scale))

    def centreOn(self, x: float, y: float) -> None:
        """Move so that the position (x, y) of the micrograph is in the middle."""
        self._place((x - self._size[0] / 2 / self._scale, y - self._size[1] / 2 / self._scale))

    def refresh(self) -> None:
        """Draw the micrograph anew where it is."""
        if self._pixels is not None:
            self._place(self._corner)

    def _resized(self, event: Any) -> None:
        if (event.width, event.height) == self._size:
            return
        whole = self._scale <= self._fitting
        self._size = (event.width, event.height)
        if self._pixels is not None:
            self._fitting = min(s / n for s, n in zip(self._size, self.shape))
            if whole:
                self.fit()
            else:
                self.zoom(1.0)

    def _place(self, corner: Tuple[float, ...]) -> None:
        """Show the view with this upper left corner, moved so that the micrograph fills the window if it can."""
        limited = []
        for position, number, size in zip(corner, self.shape, self._size):
            room = number - size / self._scale
            limited.append(room / 2 if room < 0 else min(max(position, 0.0), room))
        self._corner = (limited[0], limited[1])
        picture = renderRegion(self._pixels, self._corner, self._scale, self._size, self.lowPassPx, self.contrast)
        self._photo = ImageTk.PhotoImage(picture, master=self)
        self.delete("all")
        self.create_image(0, 0, image=self._photo, anchor="nw")
        if self.onView is not None:
            self.onView()

    # ------------------------- mouse -------------------------
    @staticmethod
    def _direction(event: Any) -> int:
        return 1 if event.num == 4 or event.delta > 0 else -1

    def _zoomWheel(self, event: Any) -> None:
        self.zoom(1.25 ** self._direction(event), (event.x, event.y))

    def _wheel(self, event: Any) -> None:
        if self.onWheel is None:
            self._zoomWheel(event)
        else:
            self.onWheel(self._direction(event))

    def _press(self, event: Any) -> None:
        self._pressed = (event.x, event.y, self._corner)

    def _drag(self, event: Any) -> None:
        if self._pressed is None or self._scale <= self._fitting:
            return  # all is shown: there is nowhere to move
        x, y, corner = self._pressed
        if max(abs(event.x - x), abs(event.y - y)) >= CLICK:
            self._place((corner[0] - (event.x - x) / self._scale, corner[1] - (event.y - y) / self._scale))

    def _release(self, event: Any) -> None:
        if self._pressed is None or self._pixels is None:
            return
        x, y, _ = self._pressed
        self._pressed = None
        if self.onClick is not None and max(abs(event.x - x), abs(event.y - y)) < CLICK:
            self.onClick(*self.toMicrograph(event.x, event.y))
