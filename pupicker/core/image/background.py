r"""Flattening: what varies on a scale larger than the particle is removed from a normalised micrograph.

Ice thickness, uneven illumination and carbon edges shift the grey level of a particle by more than its contrast, and
labels never cover all of them.  With :math:`G` a Gaussian of standard deviation :math:`\tau` (in pixels), normalised
where it leaves the image,

.. math:: m = G * x,\qquad v = G * (x - m)^2,\qquad y = (x - m)\,\sqrt{\bar v / \max(v, \bar v / c^2)}

with :math:`\bar v` the median of :math:`v`: the local mean becomes zero and the local spread that of a typical place of
the micrograph, but is raised by at most the factor :math:`c = 2`, so that empty places are not blown up.

What shows no specimen (gold, ice crystals, dense carbon) is given as :math:`w = 0`, all else has :math:`w = 1`.  Then
:math:`m = (G * wx)/(G * w)` and :math:`v = (G * w(x - m)^2)/(G * w)`, the median is that of the rest, and
:math:`y = 0` where :math:`w = 0`.  Otherwise a dark object raises its surroundings as far as :math:`G` reaches: a halo
as wide as a particle.

Limits: the identity for an image whose local mean is zero and local variance constant; invariant to adding any
constant, and equivariant to scaling.  What has :math:`w = 0` changes nothing elsewhere, whatever its grey level.  A
large object's inside that is not left out is darkened or brightened towards zero, only its rim stays.

Along an axis of :math:`n` pixels :math:`G` is a matrix with :math:`g_{ij} \propto e^{-(i-j)^2/2\tau^2}` for
:math:`|i-j| \le 3\tau`, else zero, each row with the sum one.  Its band is multiplied block by block: a product of
matrices is many times faster than a convolution with hundreds of taps.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

LARGEST_GAIN = 2.0
MIN_WEIGHT = 1e-6  # far inside of what is left out, where nothing is looked at

_BLOCK = 128
_CACHED_BANDS = 16  # a micrograph needs six: two axes of its own and of what finds contamination

_Block = tuple[slice, Tensor]


def gaussian_mean(image: Tensor, sigma_px: float) -> Tensor:
    """Local mean ``(h, w)`` under a Gaussian, weights outside of the image left out; float32 or float64."""
    rows, columns = (_band(n, sigma_px, image.dtype, image.device) for n in image.shape)
    out = torch.cat([block @ image[inside] for inside, block in rows])
    return torch.cat([out[:, inside] @ block.T for inside, block in columns], dim=1)


@lru_cache(_CACHED_BANDS)
def _band(n: int, sigma_px: float, dtype: torch.dtype, device: torch.device) -> tuple[_Block, ...]:
    """The matrix of the module's docstring in blocks of rows: which columns are not zero, and their values."""
    reach = max(1, int(3 * sigma_px + 0.5))
    blocks: list[_Block] = []
    known: dict[tuple[int, int, int], Tensor] = {}  # those away from the borders are alike
    with torch.inference_mode(False):  # what is kept is used outside of it, too
        for first in range(0, n, _BLOCK):
            last = min(first + _BLOCK, n)
            inside = slice(max(0, first - reach), min(n, last + reach))
            place = (first - inside.start, last - first, inside.stop - inside.start)
            if place not in known:
                known[place] = _weights(*place, sigma_px, reach).to(device, dtype)
            blocks.append((inside, known[place]))
    return tuple(blocks)


def _weights(before: int, rows: int, columns: int, sigma_px: float, reach: int) -> Tensor:
    """Float64 ``(rows, columns)`` with rows that sum to one; the first row's own pixel is in column `before`."""
    offset = torch.arange(columns, dtype=torch.float64) - before - torch.arange(rows, dtype=torch.float64)[:, None]
    weight = torch.exp(-(offset**2) / (2 * sigma_px**2)) * (offset.abs() <= reach)
    return weight / weight.sum(1, keepdim=True)


def flatten(image: Tensor, sigma_px: float, excluded: Tensor | None = None) -> Tensor:
    """Remove the local mean and even out the local spread; formula and limits in the module's docstring.

    Parameters
    ----------
    image
        ``(h, w)`` floating point.
    sigma_px
        Standard deviation of the Gaussian.
    excluded
        Bool ``(h, w)``: where there is no specimen, which becomes zero and counts for nothing else; not all of it.
    """
    if excluded is None:
        centred = image - gaussian_mean(image, sigma_px)
        variance = gaussian_mean(centred**2, sigma_px)
        typical = variance.median()
    else:
        counted = (~excluded).to(image.dtype)
        weight = gaussian_mean(counted, sigma_px).clamp(min=MIN_WEIGHT)
        centred = (image - gaussian_mean(image * counted, sigma_px) / weight) * counted
        variance = gaussian_mean(centred**2, sigma_px) / weight
        typical = variance[~excluded].median()
    if not bool(typical > 0):
        return centred
    return centred * (typical / variance.clamp(min=float(typical) / LARGEST_GAIN**2)).sqrt()
