r"""Borders without an image: the live area of a micrograph.

Motion correction and other programs leave bands at the edges that hold no image: zeros, one grey level, or the last row
repeated.  A network sees bars or a step there, a label beside them teaches it that bars are particles, and their pixels
are neither particle nor background.  So they are cut off before anything else is done.

With :math:`d_i` the mean of :math:`|x_{i+1,j} - x_{ij}|` over the columns (about :data:`LINES` of them, evenly spaced,
where there are more) and :math:`\bar d` its median over the rows, a row is *dead* if :math:`d_i < \bar d/3`: real rows
differ by noise, which is alike everywhere.  The band at an edge reaches to the innermost dead row in the outer fifth of
the image such that half of the rows from the edge to it or more are dead (programs that blur repeated edges leave a few
rows alive at the very edge; a single doubled line inside is no band).  Columns likewise.

A particle beside a cut border is cut itself, and averages of shifted frames are incomplete there; so no pick is made
closer to it than half a diameter (:func:`away_from_cut`).  At borders where the image really ends nothing is left out.

Limits: an image without such bands is left whole, bit by bit; one without any differences too.  A band of a single row
is not seen.
"""

from __future__ import annotations

import torch
from torch import Tensor

DEAD = 1 / 3
STEP = 2.0
LARGEST_BAND = 0.2
LINES = 512


def live_area(image: Tensor) -> tuple[slice, slice]:
    """Rows and columns that hold an image.

    Parameters
    ----------
    image
        ``(h, w)`` floating point, finite.
    """
    some_columns = image[:, :: max(1, image.shape[1] // LINES)]
    some_rows = image[:: max(1, image.shape[0] // LINES)]
    top, bottom = _bands((some_columns[1:] - some_columns[:-1]).abs().mean(dim=1))
    left, right = _bands((some_rows[:, 1:] - some_rows[:, :-1]).abs().mean(dim=0))
    return slice(top, image.shape[0] - bottom), slice(left, image.shape[1] - right)


def _bands(difference: Tensor) -> tuple[int, int]:
    """Width of the dead band at the start and at the end of a line of ``n - 1`` mean differences."""
    if not len(difference) or not float(difference.median()) > 0:
        return 0, 0
    relative = difference / difference.median()
    return _band(relative), _band(relative.flip(0))


def _band(relative: Tensor) -> int:
    dead = relative[: int(LARGEST_BAND * (len(relative) + 1))] < DEAD
    share = dead.cumsum(0) / torch.arange(1, len(dead) + 1)
    ends = (dead & (share >= 0.5)).nonzero()
    if not len(ends):
        return 0
    # A dead difference i makes rows i and i + 1 alike.  The second one is the repeated row itself, which is real, or
    # the last one of a blank band, from which the step to the image is larger than between real rows.
    after = int(ends[-1]) + 1
    return after + int(after < len(relative) and float(relative[after]) > STEP)


def away_from_cut(xy: Tensor, shape: tuple[int, int], cut: tuple[bool, bool, bool, bool], distance_px: float) -> Tensor:
    """Which positions ``(n, 2)`` x, y in an image of `shape` are at least a distance from the edges that were `cut`.

    `cut` is for top, bottom, left, right.  Returns bool ``(n,)``.
    """
    height, width = shape
    to_edge = torch.stack([xy[:, 1], height - 1 - xy[:, 1], xy[:, 0], width - 1 - xy[:, 0]])
    return (to_edge >= distance_px)[torch.tensor(cut)].all(dim=0)
