"""Choosing the diameter of a particle with circles on labelled particles."""

from __future__ import annotations

import tkinter as tk
from typing import Any, Dict, List, Optional, Tuple

from pupicker.gui.micrograph_dialog import Entry, MicrographDialog
from pupicker.window.micrograph_canvas import GREEN, Mouse
from pupicker.window.radial_average import REACH, RadialPlot, radialSums

USUAL_DIAMETER_ANG = 150.0  # to start with, where nothing is known
BOX_IN_DIAMETERS = 1.75  # it is usually 1.5 to 2 times as large as the particle
SMALLEST_PX = 4  # of a diameter, in pixels of the micrograph
PARTICLES_SHOWN = 6  # across the window after "zoom in": enough to judge by, large enough to see the rim


class DiameterDialog(MicrographDialog):
    """Circles of the diameter on labelled particles; the wheel and the slider change it.

    Parameters
    ----------
    entries
        Micrographs, the one with the most labels first.
    points
        Centres in pixels, by id of the micrograph.
    pixelSizeAng
        Of the micrographs, in Å.
    diameterAng
        Where to start; None: where the boxes of the labels let it be, or that of a usual particle.
    boxAng
        Side of these boxes in Å; 0: there are none.
    """

    def __init__(self, parent: Any, entries: List[Entry], points: Dict[int, List[Tuple[float, float]]],
                 pixelSizeAng: float, diameterAng: Optional[float], boxAng: float = 0.0) -> None:
        self._points, self._pixelSize = points, pixelSizeAng
        self._fromBox = bool(boxAng and not diameterAng)
        diameterAng = boxAng / BOX_IN_DIAMETERS if self._fromBox else diameterAng
        width = entries[0].mic.getXDim() or 1000
        self.largest = width * pixelSizeAng / 2
        self.smallest = min(SMALLEST_PX * pixelSizeAng, self.largest / 2)
        self.diameterAng = min(max(diameterAng or USUAL_DIAMETER_ANG, self.smallest), self.largest)
        MicrographDialog.__init__(self, parent, "Particle diameter", entries,
                                  "Wheel: diameter. Ctrl + wheel: zoom. Drag: move. Click: circle there. "
                                  "Double click: whole micrograph.")

    def getNoteHeading(self) -> str:
        return "labels" if self._points else ""

    def createControls(self, frame: Any) -> None:
        frame.columnconfigure(1, weight=1)
        tk.Label(frame, text="Diameter").grid(row=0, column=0)
        self.slider = tk.Scale(frame, from_=self.smallest, to=self.largest, orient="horizontal", showvalue=False,
                               resolution=self.step, command=lambda value: self.setDiameter(float(value)))
        self.slider.grid(row=0, column=1, sticky="ew", padx=6)
        self.text = tk.Label(frame, width=24, anchor="w")
        self.text.grid(row=0, column=2)
        tk.Button(frame, text="Zoom in", command=self.zoomIn).grid(row=0, column=3)
        self.canvas.onWheel = lambda direction: self.setDiameter(self.diameterAng + direction * self.step)
        self.plot = RadialPlot(frame)
        self.plot.grid(row=1, column=1, columnspan=3, sticky="e", pady=(4, 0))
        tk.Label(frame, text=self._advice(), anchor="w", justify="left", wraplength=440, fg="#606060").grid(
            row=1, column=0, columnspan=2, sticky="nw", pady=4)
        self.canvas.mouse = Mouse(click=self._addCircle, takeBack=self._takeBack)
        self._tell()

    @property
    def step(self) -> float:
        """Smallest change in Å: one for most particles, finer for small ones."""
        return 1.0 if self.smallest > 1 else 0.1

    def _advice(self) -> str:
        if not self._points:
            return "Click on some particles: the curve shows their mean, from the centre outwards."
        guessed = " The circles start with a guess from the size of the boxes." if self._fromBox else ""
        return "The red line should stand where the curve reaches the background." + guessed

    def micrographShown(self) -> None:
        self._measure()

    def _measure(self) -> None:
        """The radial average of the particles on the micrograph shown."""
        if self.current is None or not self._points.get(self.current.getObjId()):
            return
        reachPx = REACH * max(self.diameterAng, USUAL_DIAMETER_ANG) / self._pixelSize
        sums = radialSums(self.canvas.pixels(), self._points[self.current.getObjId()], reachPx)
        self.plot.show(*sums, reachPx * self._pixelSize)
        self.plot.draw(self.diameterAng)

    def setDiameter(self, diameterAng: float) -> None:
        """Change the diameter; it stays within what can be drawn."""
        self.diameterAng = min(max(round(diameterAng / self.step) * self.step, self.smallest), self.largest)
        self._tell()
        self.draw()

    def _tell(self) -> None:
        self.slider.set(self.diameterAng)
        self.plot.draw(self.diameterAng)
        self.text.config(text="%0.4g Å = %0.1f px" % (self.diameterAng, self.diameterAng / self._pixelSize))

    def zoomIn(self) -> None:
        """Show some particles large, around the label nearest to the middle."""
        if self.current is None:
            return
        middle = self.canvas.toMicrograph(*(int(self.canvas[side]) / 2 for side in ("width", "height")))
        x, y = min(self._here(), key=lambda point: (point[0] - middle[0]) ** 2 + (point[1] - middle[1]) ** 2,
                   default=middle)
        self.canvas.showPlace(x, y, PARTICLES_SHOWN * self.diameterAng / self._pixelSize)

    def _addCircle(self, x: float, y: float) -> None:
        self._points.setdefault(self.current.getObjId(), []).append((x, y))
        self._measure()
        self.draw()

    def _takeBack(self) -> None:
        self._points[self.current.getObjId()].pop()
        self._measure()
        self.draw()

    def _here(self) -> List[Tuple[float, float]]:
        """Centres on the micrograph shown; one in its middle if nothing is labelled."""
        width, height = self.canvas.shape
        return self._points.get(self.current.getObjId(), []) or [(width / 2, height / 2)]

    def draw(self) -> None:
        if self.current is not None:
            self.canvas.drawCircles([(x, y, GREEN) for x, y in self._here()],
                                    self.diameterAng / self._pixelSize / 2)
