"""Where else labels could be meant to lie: mirrored, swapped, scaled, moved; and how likely each is beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.preparation.working_micrograph import Resampled

SCALES: Mapping[float, float] = {
    1.0: 0.6, 2.0: 0.08, 4.0: 0.08, 8.0: 0.04, 3.0: 0.03, 0.5: 0.05, 0.25: 0.03, 0.125: 0.02, 1 / 3: 0.02}
"""With their shares; a table in A has what is left, 0.05."""

IN_ANGSTROM = 0.05

ORIENTATIONS: Mapping[tuple[bool, bool, bool], float] = {
    (False, False, False): 0.4, (False, False, True): 0.3, (True, False, False): 0.12, (False, True, False): 0.06,
    (False, True, True): 0.06, (True, True, True): 0.02, (True, True, False): 0.02, (True, False, True): 0.02}
"""Swapped, mirrored in x, mirrored in y, with their shares; rows counted from the bottom are the usual case."""


@dataclass(frozen=True)
class Place:
    """Another place of the labels: their scale, axes swapped, then mirrored, then moved, in pixels of the file."""

    scale: float = 1.0
    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False
    shift: tuple[float, float] = (0.0, 0.0)

    def of(self, table: CoordinateTable, micrograph: Resampled) -> Tensor:
        """The labels of a micrograph there, ``(n, 2)`` in working pixels."""
        own = table.of(str(micrograph.path))
        x, y = own.x * self.scale, own.y * self.scale
        x, y = (y, x) if self.swap else (x, y)
        rows, columns = micrograph.shape
        x = columns - 1 - x if self.flip_x else x
        y = rows - 1 - y if self.flip_y else y
        return torch.from_numpy(micrograph.to_working(x + self.shift[0], y + self.shift[1]))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those that mend it."""
        given = {"scale": self.scale != 1.0, "swap_xy": self.swap, "flip_x": self.flip_x, "flip_y": self.flip_y}
        return tuple(name for name, needed in given.items() if needed)

    @property
    def words(self) -> str:
        """What has to be done to the labels."""
        said = [f"scaled by {self.scale:.4g}"] * (self.scale != 1.0) + ["with x and y swapped"] * self.swap
        axes = "x and y" if self.flip_x and self.flip_y else "x" if self.flip_x else "y"
        said += [f"mirrored in {axes}"] * (self.flip_x or self.flip_y)
        if any(self.shift):
            said.append(f"moved by {self.shift[0]:+.0f}, {self.shift[1]:+.0f} px (are they corners of boxes?)")
        return " and ".join(said)


def other_places(pixel_size_ang: float) -> Iterator[tuple[Place, float]]:
    """All but the labels' own and moved ones, with their shares; a table in A is scaled by the inverse pixel size."""
    scales = {round(1 / pixel_size_ang, 6): IN_ANGSTROM, **SCALES}
    for (scale, likely), ((swap, flip_x, flip_y), usual) in itertools.product(scales.items(), ORIENTATIONS.items()):
        if (scale, swap, flip_x, flip_y) != (1.0, False, False, False):
            yield Place(scale, swap, flip_x, flip_y), likely * usual
