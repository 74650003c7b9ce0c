r"""Whether a map is higher at given positions than around each of them: Fisher's test of local ranks.

The value at a position is the largest within a small square around it, and its rank is taken among :math:`K` places on
rings around it, one to two diameters away.  For a position that has nothing to do with the map the place of the rank,

.. math:: u_i = \frac{1 + \#\{\text{places of the rings at least as high}\}}{1 + K},

is uniform, and over :math:`n` of them :math:`s = -\sum_i \ln u_i` has a Gamma distribution, so that

.. math:: p = P(\mathrm{Gamma}(n) \ge s) = Q(n, s)

is the probability of so much by chance.  Ranks are local, so that carbon, ice or crowding on one side of an image say
nothing.  Positions in one square of half a diameter see the same thing: only the first counts.

Limits: does not change under any increasing function of the map; ties, and positions outside of the image, count
against the positions; none at all give 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pupicker.core.detection.agreement import values_at

RINGS = (1.0, 1.35, 1.7, 2.0)
"""Radii in diameters."""
ON_A_RING = 20
FEWEST_ON_RINGS = 30
"""Places of the rings in the image, of all 80, below which a position is too near a corner to tell."""


def largest_near(scores: Tensor) -> Tensor:
    """Largest of each 3×3 of a map ``(h, w)``: positions are not exact."""
    return F.max_pool2d(scores[None, None], 3, stride=1, padding=1)[0, 0]


def chances_of(maps: Sequence[Tensor], places: Sequence[Sequence[Tensor]], diameter: float) -> list[float]:
    """The probability p of positions at each of several places.

    Parameters
    ----------
    maps
        ``(h, w)`` each.
    places
        For each place ``(n, 2)`` x, y on each map, in its pixels.
    diameter
        Of a particle, in pixels of the maps.
    """
    counts, totals = torch.zeros(len(places), dtype=torch.float64), torch.zeros(len(places), dtype=torch.float64)
    for index, scores in enumerate(maps):
        apart = [_apart(positions[index], diameter) for positions in places]
        of_place = torch.cat([torch.full((len(xy),), place) for place, xy in enumerate(apart)])
        ranks = _log_ranks(scores, torch.cat(apart), diameter).double()
        counts += torch.bincount(of_place, minlength=len(places))
        totals += torch.bincount(of_place, ranks, minlength=len(places))
    known = torch.special.gammaincc(counts.clamp(min=1), totals)
    return [float(p) for p in torch.where(counts > 0, known, torch.ones_like(known))]


def _apart(xy: Tensor, diameter: float) -> Tensor:
    """The first position in each square of half a diameter."""
    squares = (xy / (diameter / 2)).floor().long()
    _, group = torch.unique(squares, dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1 if len(group) else 0,), len(xy), dtype=torch.long)
    first = first.scatter_reduce(0, group, torch.arange(len(xy)), "amin")
    return xy[first]


def _log_ranks(scores: Tensor, xy: Tensor, diameter: float) -> Tensor:
    """``(n,)`` -ln u."""
    angles = torch.arange(ON_A_RING, dtype=torch.float64) * (2 * math.pi / ON_A_RING)
    ring = torch.cat([torch.stack([angles.cos(), angles.sin()], dim=1) * radius for radius in RINGS]) * diameter
    own = values_at([scores], [xy.double()])
    around = values_at([scores], [(xy.double()[:, None] + ring).reshape(-1, 2)]).reshape(len(xy), len(ring))
    known = around.isfinite().sum(dim=1)
    higher = (around >= own[:, None]).sum(dim=1)
    tells = own.isfinite() & (known >= FEWEST_ON_RINGS)
    return -torch.where(tells, (1 + higher) / (1 + known), torch.ones(len(xy))).log()
