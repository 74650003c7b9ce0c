r"""Where not to pick: a margin at the edges, and an estimate of carbon, ice crystals and gold.

**Contamination.**  What scatters far more than a protein is far darker than any particle.  With :math:`D` the diameter
of the particle, :math:`s` the image averaged over cells of about :math:`D/8` and smoothed by a Gaussian of standard
deviation :math:`D/8`, :math:`L` its mean under a Gaussian of :math:`4D` over what is not excluded, and
:math:`\sigma` the noise of :math:`s`, the *depth* is

.. math:: d = (L - s)/\sigma,\qquad \sigma = Q_{0.6827}(|s(x) - s(x + D e)|)/\sqrt2,\quad e\in\{e_x, e_y\},

and what is deeper than a limit is excluded, with a rim of :math:`D/4`; level and excluded area are found in turns, at
most four, until the area stays as it is.  Differences over :math:`D` see the noise, not the slopes of thickness, nor
two levels of grey; :math:`x` runs over every second row of :math:`s`.

**Limit.**  Particles themselves may be deep in denoised or dilute micrographs.  So the limit is twice the depth of the
labelled particles (their 90 % quantile, deepest place within :math:`D/4`), at least :data:`MIN_DEPTH`.  Without
labels the :data:`PROPOSALS` places of a micrograph that most resemble a blob of the diameter stand in for them: twice
their median depth, at least :data:`DEPTH_WITHOUT_LABELS`.

Limits: the identity of the image is not touched; the mask does not change when the image is scaled or shifted.  Only
what is darker is found.  Carbon that is no darker than particles is not: its texture is left to training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pupicker.core.detection.dog import difference_of_gaussians
from pupicker.core.detection.suppression import pick
from pupicker.core.image.background import gaussian_mean

SMOOTHING = 1 / 8
LEVEL_SCALE = 4.0
TURNS = 4
RIM = 1 / 4
MIN_DEPTH = 15.0
DEPTH_WITHOUT_LABELS = 20.0
LABELS_FACTOR = 2.0
LABELS_QUANTILE = 0.9
PROPOSALS = 50
MIN_NOISE = 1e-4  # of the standard deviation of an image; what is less is rounding


def margin_mask(shape: tuple[int, int], margin_px: float) -> Tensor:
    """Bool ``shape``: pixels closer than `margin_px` to an edge (a pixel at the edge is half a pixel away from it)."""
    rows, columns = (torch.arange(n) for n in shape)
    to_edge = [torch.minimum(index, index.flip(0)) + 0.5 for index in (rows, columns)]
    return torch.minimum(to_edge[0][:, None], to_edge[1][None, :]) < margin_px


def depth(image: Tensor, diameter_px: float, limit: float) -> Tensor:
    """How dark each place is, in units of the noise; the formula is in the module's docstring.

    Parameters
    ----------
    image
        ``(h, w)`` floating point, neither flattened nor clipped.
    diameter_px
        Of the particle.
    limit
        Depth above which a place does not count for the level of its surroundings.

    Returns
    -------
    Tensor
        ``(h, w)``; constant in cells of about an eighth of the diameter, zero for an image without noise (less than
        :data:`MIN_NOISE`).
    """
    cell = max(1, int(SMOOTHING * diameter_px))
    image = image - image.mean()  # a large constant would leave little of the noise in single precision
    pooled = F.avg_pool2d(image[None, None], cell, ceil_mode=True, count_include_pad=False)[0, 0]
    diameter = diameter_px / cell
    smooth = gaussian_mean(pooled, SMOOTHING * diameter)
    noise = _noise(smooth, max(1, round(diameter)))
    if not noise > MIN_NOISE * float(image.std(correction=0)):
        return torch.zeros_like(image)
    counted = torch.ones_like(smooth)
    for _ in range(TURNS):
        level = gaussian_mean(smooth * counted, LEVEL_SCALE * diameter)
        level /= gaussian_mean(counted, LEVEL_SCALE * diameter).clamp(min=1e-6)
        found = (level - smooth) / noise
        before, counted = counted, (found <= limit).to(smooth.dtype)
        if torch.equal(counted, before):
            break
    height, width = image.shape
    return found.repeat_interleave(cell, 0)[:height].repeat_interleave(cell, 1)[:, :width]


def contamination_mask(image: Tensor, diameter_px: float, limit: float) -> Tensor:
    """Bool ``(h, w)``: what is deeper than `limit` (:func:`depth`), with its rim."""
    deep = depth(image, diameter_px, limit) > limit
    if not bool(deep.any()):
        return deep
    reach = max(1, round(RIM * diameter_px))
    return _grown(deep, reach)


def limit_from_particles(depths: Sequence[Tensor], particles: Sequence[Tensor], diameter_px: float) -> float:
    """Depth that no particle like the labelled ones has.

    Parameters
    ----------
    depths
        Of each micrograph.
    particles
        ``(n, 2)`` x, y of each.
    """
    own = [_deepest(found, xy, diameter_px) for found, xy in zip(depths, particles, strict=True)]
    together = torch.cat(own) if own else torch.zeros(0)
    if not len(together):
        return DEPTH_WITHOUT_LABELS
    return max(MIN_DEPTH, LABELS_FACTOR * float(together.quantile(LABELS_QUANTILE)))


def limit_from_blobs(image: Tensor, diameter_px: float) -> float:
    """Depth that no particle of a micrograph ``(h, w)`` should have, where no particle is known.

    Half of the most blob-like places may be contamination; if more are, less is excluded.
    """
    response = difference_of_gaussians(image, diameter_px)
    position, _ = pick(response, diameter_px / 2)
    found = _deepest(depth(image, diameter_px, DEPTH_WITHOUT_LABELS), position[:PROPOSALS].flip(1), diameter_px)
    return max(DEPTH_WITHOUT_LABELS, LABELS_FACTOR * float(found.median())) if len(found) else DEPTH_WITHOUT_LABELS


def pixels_of(xy: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column ``(n,)`` of the pixels of an image that hold positions ``(n, 2)`` x, y."""
    row, column = xy.flip(1).round().long().unbind(1)
    return row.clamp(0, image.shape[0] - 1), column.clamp(0, image.shape[1] - 1)


def _deepest(found: Tensor, xy: Tensor, diameter_px: float) -> Tensor:
    """Greatest depth ``(n,)`` within a quarter of the diameter of each place."""
    reach = max(1, round(RIM * diameter_px))
    offset = torch.arange(-reach, reach + 1, device=found.device)
    rows, columns = ((place[:, None] + offset).clamp(0, size - 1)
                     for place, size in zip(pixels_of(xy, found), found.shape, strict=True))
    return found[rows[:, :, None], columns[:, None, :]].amax((1, 2))


def _noise(smooth: Tensor, step: int) -> float:
    parts = [smooth[step::2] - smooth[:-step:2], smooth[::2, step:] - smooth[::2, :-step]]
    difference = torch.cat([part.reshape(-1) for part in parts]).abs()
    if not len(difference):
        return 0.0
    return float(difference.kthvalue(int(0.6827 * len(difference)) + 1).values) / 2**0.5


def _grown(mask: Tensor, reach: int) -> Tensor:
    """With everything that is at most `reach` pixels away from it, on a disc."""
    offset = torch.arange(-reach, reach + 1, device=mask.device)
    disc = (offset[:, None] ** 2 + offset[None, :] ** 2 <= reach**2).to(torch.float32)
    return F.conv2d(mask.to(torch.float32)[None, None], disc[None, None], padding=reach)[0, 0] > 0.5
