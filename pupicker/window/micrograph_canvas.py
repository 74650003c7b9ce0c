"""A window area that shows a micrograph with circles on it; positions are pixels of the micrograph."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Tuple

from PIL import ImageTk

from pupicker.window.micrograph_image import Look, Pyramid, renderRegion
from pupicker.window.scale_bar import drawScaleBar

MOST_ZOOM = 8  # pixels of the window for each pixel of the micrograph
CLICK = 4  # a press that moves by less is a click, not a drag
GRAB = 8  # what was grabbed moves once the mouse has gone so far: a slip of the hand moves nothing
LEAST_RADIUS = 3  # of a circle, in pixels of the window
CROWDED = 0.12  # share of the window that circles may fill before their lines become thin
SHIFT, CONTROL = 0x0001, 0x0004  # in the state of an event
GREEN = "#39ff14"
MOVING = "moving"  # tag of what follows the mouse; it goes when the button is released
HIDDEN = "The circles are hidden. h: show them."

Circle = Tuple[float, float, str]  # x, y in pixels of the micrograph, colour
Point = Tuple[float, float]


class Mouse(NamedTuple):
    """What a window does with the mouse; each is called with positions in the micrograph, None: nothing.

    None is called for a place outside the micrograph: what was grabbed and is let go there stays where it was.  None is
    called while circles are hidden, or :attr:`MicrographCanvas.locked`.

    Attributes
    ----------
    click, rightClick
        (x, y).
    grab
        (x, y) of a press; whether there is something that a drag moves.  Otherwise it moves the micrograph.
    move, drop
        (x, y) while what was grabbed is dragged, and where it is left.  What `move` draws has the tag :data:`MOVING`.
    lasso
        The corners of what was drawn with Shift held down.
    doubleClickFits
        Whether a double click shows the whole micrograph; else it is two clicks.
    takeBack
        Called when a click turns out to be the first of a double click that shows the whole micrograph.
    """

    click: Optional[Callable[[float, float], None]] = None
    rightClick: Optional[Callable[[float, float], None]] = None
    grab: Optional[Callable[[float, float], bool]] = None
    move: Optional[Callable[[float, float], None]] = None
    drop: Optional[Callable[[float, float], None]] = None
    lasso: Optional[Callable[[List[Point]], None]] = None
    doubleClickFits: bool = True
    takeBack: Optional[Callable[[], None]] = None


class MicrographCanvas(tk.Canvas):
    """Shows a micrograph and circles, and lets the user move and zoom.

    Dragging moves the image, with the middle button or Ctrl also where a drag would move something else; Ctrl with the
    mouse wheel zooms at the pointer; a double click shows all again.

    Parameters
    ----------
    parent
        Window that holds it.
    width, height
        Of the area, in pixels of the screen; it follows when the window gives it another size.

    Attributes
    ----------
    look
        Contrast and filters; :meth:`refresh` shows a change.
    circlesShown, circleFactor
        Whether circles are drawn, and how large for the radius that they are given.
    pixelSizeAng
        Of the micrograph, for a scale bar; 0: none.
    mouse
        What clicks and drags do.
    locked
        Why they change nothing now, shown on the image; empty: they do.
    onWheel
        Called with +1 or -1 when the wheel turns without Ctrl; None: it zooms as well.
    onPixelSize
        Called when the pixel size has changed.
    onView
        Called when circles have to be drawn anew because the view has changed.
    """

    def __init__(self, parent: Any, width: int = 720, height: int = 640) -> None:
        tk.Canvas.__init__(self, parent, width=width, height=height, background="#808080", highlightthickness=0)
        self.onWheel: Optional[Callable[[int], None]] = None
        self.onView: Optional[Callable[[], None]] = None
        self.onPixelSize: Optional[Callable[[], None]] = None
        self.mouse = Mouse()
        self.look = Look(levelled=True)
        self.circlesShown, self.circleFactor, self._pixelSizeAng = True, 1.0, 0.0
        self.locked = ""
        self._size = (width, height)
        self._pyramid: Optional[Pyramid] = None
        self._photo: Any = None
        self._corner, self._scale, self._fitting = (0.0, 0.0), 1.0, 1.0
        self._pressed: Optional[Tuple[int, int, Point]] = None
        self._drag = ""  # what a drag does: move the view, what was grabbed, or draw a lasso
        self._reached, self._clicked = 0, False  # how far the mouse has gone since the press; whether it was a click
        self._lasso: List[Point] = []
        self.bind("<Configure>", self._resized)
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<ButtonRelease-1>", self._release)
        self.bind("<Double-Button-1>", self._doubleClick)
        right, middle = ("2", "3") if self._windowingsystem == "aqua" else ("3", "2")
        self.bind("<ButtonPress-%s>" % right, self._rightPress)
        self.bind("<ButtonPress-%s>" % middle, self._panPress)
        self.bind("<B%s-Motion>" % middle, self._dragged)
        self.bind("<ButtonRelease-%s>" % middle, self._release)
        for sequence in ("Button-4", "Button-5", "MouseWheel"):  # the first two on Linux, the last elsewhere
            self.bind("<%s>" % sequence, self._wheel)
            self.bind("<Control-%s>" % sequence, self._zoomWheel)

    # ------------------------- content -------------------------
    def showPixels(self, pixels: Any) -> None:
        """Show all of a micrograph, an array (rows, columns) or its :class:`Pyramid`."""
        self.clear()
        self._pyramid = pixels if isinstance(pixels, Pyramid) else Pyramid(pixels)
        self.fit()

    def pixels(self) -> Any:
        """The micrograph that is shown, an array (rows, columns); None if there is none."""
        return None if self._pyramid is None else self._pyramid.pixels

    def showText(self, text: str) -> None:
        """Show a text instead of a micrograph."""
        self.clear()
        self.create_text(20, 20, anchor="nw", fill="white", text=text, width=max(200, self._size[0] - 40))

    def clear(self) -> None:
        """Show nothing."""
        self._pyramid = self._photo = None
        self.delete("all")

    def drawCircles(self, circles: Iterable[Circle], radiusPx: float, tag: str = "circles", width: int = 0) -> int:
        """Replace the circles of a `tag`; centres and radius are pixels of the micrograph.  Returns their number.

        Their lines are so many pixels wide; 0: two, or one where they are crowded.
        """
        self.delete(tag)
        self._drawReason()
        if self._pyramid is None or not self.circlesShown:
            return 0
        radius, number = max(LEAST_RADIUS, radiusPx * self._scale * self.circleFactor), 0
        inside = [(*self.toWindow(x, y), colour) for x, y, colour in circles]
        visible = sum(0 <= x <= self._size[0] and 0 <= y <= self._size[1] for x, y, _ in inside)
        thin = visible * 3.14 * radius ** 2 > CROWDED * self._size[0] * self._size[1]
        for column, row, colour in inside:
            self.create_oval(column - radius, row - radius, column + radius, row + radius, outline=colour,
                             width=width or (1 if thin else 2), tags=tag)
            number += 1
        return number

    def isChangeable(self) -> bool:
        """Whether there is a micrograph on which something may be changed: it is shown, with its circles."""
        return self._pyramid is not None and not self._reason()

    def _reason(self) -> str:
        """Why the mouse changes nothing; empty if it does, or if there is nothing that it could change."""
        if self._pyramid is None or self.mouse.click is None:
            return ""
        return self.locked or ("" if self.circlesShown else HIDDEN)

    def _drawReason(self) -> None:
        """Say on the image why the mouse changes nothing."""
        self.delete("reason")
        reason = self._reason()
        if reason:
            text = self.create_text(14, 12, anchor="nw", fill="white", text=reason, tags="reason")
            left, top, right, bottom = self.bbox(text)
            self.create_rectangle(left - 6, top - 4, right + 6, bottom + 4, fill="#303030", outline="", tags="reason")
            self.tag_raise(text)

    # ------------------------- view -------------------------
    @property
    def pixelSizeAng(self) -> float:
        """Of the micrograph."""
        return self._pixelSizeAng

    @pixelSizeAng.setter
    def pixelSizeAng(self, value: float) -> None:
        self._pixelSizeAng = value
        if self.onPixelSize is not None:
            self.onPixelSize()

    @property
    def shape(self) -> Tuple[int, int]:
        """Width and height of the micrograph in its pixels; (0, 0) if none is shown."""
        return (0, 0) if self._pyramid is None else self._pyramid.shape

    @property
    def enlargement(self) -> float:
        """Pixels of the window for each pixel of the micrograph."""
        return self._scale

    def mark(self, x: float, y: float, radiusPx: float) -> None:
        """Draw a square around a place until the view changes; it takes the place of another one."""
        self.delete("mark")
        column, row = self.toWindow(x, y)
        half = max(LEAST_RADIUS, radiusPx * self._scale)
        self.create_rectangle(column - half, row - half, column + half, row + half, outline="white", dash=(4, 3),
                              tags="mark")

    def toWindow(self, x: float, y: float) -> Point:
        """Where a position of the micrograph is in the window; its first pixel has its centre at (0, 0)."""
        return (x + 0.5 - self._corner[0]) * self._scale, (y + 0.5 - self._corner[1]) * self._scale

    def toMicrograph(self, x: float, y: float) -> Point:
        """The inverse of :meth:`toWindow`."""
        return x / self._scale + self._corner[0] - 0.5, y / self._scale + self._corner[1] - 0.5

    def fit(self) -> None:
        """Show the whole micrograph."""
        if self._pyramid is None:
            return
        self._scale = self._fitting = min(s / n for s, n in zip(self._size, self.shape))
        self._place(tuple(n / 2 - s / 2 / self._scale for s, n in zip(self._size, self.shape)))

    def zoom(self, factor: float, at: Optional[Point] = None) -> None:
        """Enlarge by `factor`; the place `at` of the window (default: its middle) stays where it is."""
        if self._pyramid is None:
            return
        at = at or (self._size[0] / 2, self._size[1] / 2)
        x, y = (c + a / self._scale for c, a in zip(self._corner, at))
        self._scale = min(MOST_ZOOM, max(self._fitting, self._scale * factor))
        self._place((x - at[0] / self._scale, y - at[1] / self._scale))

    def centreOn(self, x: float, y: float) -> None:
        """Move so that the position (x, y) of the micrograph is in the middle."""
        self._place((x - self._size[0] / 2 / self._scale, y - self._size[1] / 2 / self._scale))

    def showPlace(self, x: float, y: float, acrossPx: float) -> None:
        """Show `acrossPx` pixels of the micrograph from left to right, with (x, y) in the middle."""
        self.zoom(self._size[0] / acrossPx / self._scale)
        self.centreOn(x, y)

    def refresh(self) -> None:
        """Draw the micrograph anew where it is."""
        if self._pyramid is not None:
            self._place(self._corner)

    def _resized(self, event: Any) -> None:
        if (event.width, event.height) == self._size:
            return
        whole = self._scale <= self._fitting
        middle = self.toMicrograph(self._size[0] / 2, self._size[1] / 2)
        self._size = (event.width, event.height)
        if self._pyramid is not None:
            self._fitting = min(s / n for s, n in zip(self._size, self.shape))
            if whole:
                self.fit()
            else:
                self._scale = max(self._fitting, self._scale)
                self.centreOn(*middle)

    def _place(self, corner: Tuple[float, ...]) -> None:
        """Draw with `corner` of the micrograph in the window's upper left, as far as there is image."""
        if self._pyramid is None:
            return
        limited = []
        for position, side, shown in zip(corner, self.shape, self._size):
            room = side - shown / self._scale
            limited.append(room / 2 if room < 0 else min(max(position, 0.0), room))
        self._corner = (limited[0], limited[1])
        picture = renderRegion(self._pyramid, self._corner, self._scale, self._size, self.look)
        self._photo = ImageTk.PhotoImage(picture, master=self)
        self.delete("all")
        self.create_image(0, 0, image=self._photo, anchor="nw")
        if self.pixelSizeAng > 0:
            drawScaleBar(self, self.pixelSizeAng, self._scale, self._size)
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

    def _placeIn(self, event: Any) -> Optional[Point]:
        """The position in the micrograph where an event was; None: outside, or where it is not shown."""
        x, y = self.toMicrograph(event.x, event.y)
        width, height = self.shape
        if not (0 <= event.x < self._size[0] and 0 <= event.y < self._size[1]
                and -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            return None
        return min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)

    def _doubleClick(self, event: Any) -> None:
        if not self.mouse.doubleClickFits:
            self._press(event)
            return
        if self._clicked and self.mouse.takeBack is not None:
            self.mouse.takeBack()
        self._pressed, self._clicked = None, False
        self.fit()

    def _rightPress(self, event: Any) -> None:
        place = self._placeIn(event)
        if place is not None and self.mouse.rightClick is not None and not self._reason():
            self.mouse.rightClick(*place)

    def _panPress(self, event: Any) -> None:
        self._pressed, self._drag, self._reached, self._clicked = (event.x, event.y, self._corner), "pan", 0, False

    def _press(self, event: Any) -> None:
        self.focus_set()
        self._panPress(event)
        place = self._placeIn(event)
        if event.state & CONTROL or place is None:
            return
        if self._reason():
            self._drag = "view"
        elif event.state & SHIFT and self.mouse.lasso is not None:
            self._drag, self._lasso = "lasso", [place]
        else:
            grabbed = self.mouse.grab is not None and self.mouse.grab(*place)
            self._drag = "grabbed" if grabbed else "view"

    def _dragged(self, event: Any) -> None:
        if self._pressed is None:
            return
        x, y, corner = self._pressed
        self._reached = max(self._reached, abs(event.x - x), abs(event.y - y))
        if self._drag == "lasso":
            self._lasso.append(self.toMicrograph(event.x, event.y))
            self.delete("lasso")
            self.create_line(*[value for point in self._lasso for value in self.toWindow(*point)], fill=GREEN,
                             dash=(4, 3), tags="lasso")
        elif self._drag == "grabbed":
            place = self._placeIn(event)
            if place is None:
                self.delete(MOVING)
            elif self._reached >= GRAB and self.mouse.move is not None:
                self.mouse.move(*place)
        elif self._reached >= CLICK and self._scale > self._fitting:  # else all is shown: there is nowhere to move
            self._place((corner[0] - (event.x - x) / self._scale, corner[1] - (event.y - y) / self._scale))

    def _release(self, event: Any) -> None:
        if self._pressed is None or self._pyramid is None:
            return
        x, y, _ = self._pressed
        self._pressed = None
        self.delete(MOVING)
        place = self._placeIn(event)
        reached = max(self._reached, abs(event.x - x), abs(event.y - y))
        if self._drag == "lasso":
            self.delete("lasso")
            if self.mouse.lasso is not None and len(self._lasso) > 2:
                self.mouse.lasso(self._lasso)
        elif place is None or self._drag == "pan" or self._reason():
            return
        elif reached < CLICK:
            self._clicked = self.mouse.click is not None
            if self.mouse.click is not None:
                self.mouse.click(*place)
        elif self._drag == "grabbed" and reached >= GRAB and self.mouse.drop is not None:
            self.mouse.drop(*place)
