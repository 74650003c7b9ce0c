"""From a score map to picks: local maxima, greedy non-maximum suppression, sub-pixel positions.

Candidates are the local maxima of the map (greater than the eight neighbours; of equal neighbours the first in row
order), finite, whose refined score is at or above the threshold: the picks at a threshold are those of a longer list
that reach it.  In order of decreasing score (ties: row order) each candidate is taken
unless a taken one lies within the distance.  Restricting the greedy scheme to local maxima keeps the flanks of a
suppressed peak, which stick out of its disc, from becoming picks of their own.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def local_maxima(scores: Tensor) -> Tensor:
    """``(n, 2)`` int64 (row, column) of the local maxima, in row order; NaN and infinite scores are none."""
    if scores.numel() == 0:
        return torch.zeros((0, 2), dtype=torch.long)
    clean = torch.where(scores.isfinite(), scores, -float("inf"))
    padded = F.pad(clean[None, None], (1, 1, 1, 1), value=-float("inf"))[0, 0]
    height, width = scores.shape
    is_maximum = clean.isfinite()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy == dx == 0:
                continue
            neighbour = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
            earlier = dy < 0 or (dy == 0 and dx < 0)
            is_maximum &= (clean > neighbour) if earlier else (clean >= neighbour)
    return is_maximum.nonzero()


def suppress(positions: Tensor, scores: Tensor, distance: float) -> Tensor:
    """Greedy suppression of points.

    Parameters
    ----------
    positions
        ``(n, 2)`` in any unit, finite.
    scores
        ``(n,)``.
    distance
        A point at most this far from a taken, better one is dropped; same unit.

    Returns
    -------
    Tensor
        Indices of the kept points, best first (ties: lower index first), int64.
    """
    order = torch.argsort(scores, descending=True, stable=True).cpu().numpy()
    points = positions.to(torch.float64).cpu().numpy()
    if not len(points):
        return torch.zeros(0, dtype=torch.long)
    cell = max(distance, 1e-9)
    boxes = np.floor((points - points.min(0)) / cell).astype(np.int64)
    taken: dict[tuple[int, int], list[int]] = {}
    kept: list[int] = []
    limit = distance * distance
    for index in order:
        row, column = int(boxes[index, 0]), int(boxes[index, 1])
        y, x = points[index]
        near = (
            other
            for i in (row - 1, row, row + 1)
            for j in (column - 1, column, column + 1)
            for other in taken.get((i, j), ())
        )
        if all((points[o, 0] - y) ** 2 + (points[o, 1] - x) ** 2 > limit for o in near):
            taken.setdefault((row, column), []).append(int(index))
            kept.append(int(index))
    return torch.tensor(kept, dtype=torch.long)


def refine_maxima(scores: Tensor, maxima: Tensor) -> tuple[Tensor, Tensor]:
    """Sub-pixel position and height of local maxima, by a parabola through each and its neighbours on either axis.

    At a border, or beside a score that is not finite, the axis stays at the whole pixel.  Offsets are at most half a
    pixel, by construction of a maximum.

    Returns
    -------
    tuple
        ``(n, 2)`` float64 (row, column), and ``(n,)`` heights: the scores at the maxima plus the parabolas' gain.
    """
    values = scores.double()
    height, width = scores.shape
    rows, columns = maxima[:, 0], maxima[:, 1]
    centre = values[rows, columns]
    position, gain = maxima.double(), torch.zeros_like(centre)
    for axis, size, index in ((0, height, rows), (1, width, columns)):
        before, after = (index - 1).clamp(min=0), (index + 1).clamp(max=size - 1)
        low = values[before, columns] if axis == 0 else values[rows, before]
        high = values[after, columns] if axis == 0 else values[rows, after]
        curvature = low - 2 * centre + high
        usable = (index > 0) & (index < size - 1) & low.isfinite() & high.isfinite() & (curvature < 0)
        slope = torch.where(usable, high - low, torch.zeros_like(centre))
        bend = torch.where(usable, curvature, torch.full_like(centre, -1.0))
        position[:, axis] += (-slope / (2 * bend)).clamp(-0.5, 0.5)
        gain += -(slope**2) / (8 * bend)
    return position, centre + gain


def pick(
    scores: Tensor, distance: float, threshold: float = -float("inf"), excluded: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Picks of one score map.

    Parameters
    ----------
    scores
        ``(h, w)``.
    distance
        Smallest distance between two picks, in map pixels.
    threshold
        Lowest score of a pick.
    excluded
        Bool ``(h, w)``: maxima there are left out before suppression, so that they suppress nothing beside them.

    Returns
    -------
    tuple
        ``(n, 2)`` float64 (row, column) sub-pixel positions inside the map, best first, and ``(n,)`` float64 scores.
    """
    maxima = local_maxima(scores)
    if excluded is not None:
        maxima = maxima[~excluded[maxima[:, 0], maxima[:, 1]]]
    position, value = refine_maxima(scores, maxima)
    position, value = position[value >= threshold], value[value >= threshold]
    kept = suppress(position, value, distance)
    return position[kept], value[kept]
