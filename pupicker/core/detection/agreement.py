r"""Whether given positions are where an image has blobs of the particle's size.

With the answer :math:`r` of the difference of Gaussians (:mod:`pupicker.core.detection.dog`) to the clipped image,
scaled to mean 0 and standard deviation 1 in each image, :math:`n` positions :math:`p_i` agree by

.. math:: z = \frac1{\sqrt n}\sum_i r(p_i),

which for positions that have nothing to do with the image has mean 0 and standard deviation about 1.  It is positive
where particles are darker than their surroundings.  Positions in one square of half the diameter see the same blob and
count as one, with their mean: else many on one spot would agree by chance.

Limits: linear in the number of positions over its root; does not change when an image is scaled or shifted in grey
level.  Positions outside of an image count for nothing.  Particles without contrast at their own size are not seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pupicker.core.detection.dog import difference_of_gaussians

CLIP = 4.0
"""Robust standard deviations, above which gold and ice are no more than a dark particle."""


def blob_response(image: Tensor, diameter_px: float) -> Tensor:
    """Answer ``(h, w)``, mean 0 and standard deviation 1, zero for a constant image; `image` is ``(h, w)`` floating."""
    flat = image.reshape(-1)
    sample = flat[:: max(1, len(flat) // 100_000)]
    middle = sample.median()
    spread = 1.4826 * (sample - middle).abs().median()
    if not spread > 0:
        return torch.zeros_like(image)
    response = difference_of_gaussians(((image - middle) / spread).clamp(-CLIP, CLIP), diameter_px)
    response -= response.mean()
    return response / response.std(correction=0).clamp(min=1e-6)


def values_at(responses: Sequence[Tensor], positions: Sequence[Tensor]) -> Tensor:
    """Answers at the nearest pixels of positions ``(n, 2)`` x, y; NaN outside of the image."""
    return values_moved(responses, positions, torch.zeros((1, 2)))[0]


def values_moved(responses: Sequence[Tensor], positions: Sequence[Tensor], shifts: Tensor) -> Tensor:
    """As :func:`values_at` with all positions moved by each of the shifts ``(s, 2)``: ``(s, n)``."""
    values = [torch.empty((len(shifts), 0))]
    for response, xy in zip(responses, positions, strict=True):
        column, row = (xy[None] + shifts[:, None]).round().long().unbind(-1)
        inside = (row >= 0) & (row < response.shape[0]) & (column >= 0) & (column < response.shape[1])
        found = torch.full(inside.shape, torch.nan)
        found[inside] = response[row[inside], column[inside]].to(found.dtype)
        values.append(found)
    return torch.cat(values, dim=1)


def weights_of(positions: Sequence[Tensor], diameter_px: float) -> Tensor:
    """What each of all positions ``(n,)`` counts in the statistic: those in one square share, as float64."""
    image = torch.cat([torch.full((len(xy),), index) for index, xy in enumerate(positions)])
    square = (torch.cat(list(positions)) / (diameter_px / 2)).floor().long()
    _, group = torch.unique(torch.cat([image[:, None], square], dim=1), dim=0, return_inverse=True)
    count = torch.bincount(group)
    return 1 / (count[group].double() * len(count) ** 0.5)


def agreement(values: Tensor, positions: Sequence[Tensor], diameter_px: float) -> float:
    """The statistic of the answers ``(n,)`` at positions; those that are NaN add nothing, but count as positions."""
    if not len(values):
        return 0.0
    return float(values.nan_to_num().double() @ weights_of(positions, diameter_px))
