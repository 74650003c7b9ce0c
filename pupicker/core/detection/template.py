r"""Template matching: normalised cross-correlation of a micrograph with views of the particle.

With the template :math:`t`, of mean zero and variance one under the mask :math:`m` (a disc of :math:`N` pixels),

.. math:: c(x) = \frac{1}{N\,\sigma(x)}\sum_u t(u)\,m(u)\,I(x+u),\qquad
          \sigma^2(x) = \frac1N\sum_u m(u)\,I(x+u)^2 - \Bigl(\frac1N\sum_u m(u)\,I(x+u)\Bigr)^2,

all sums by Fourier transforms (Roseman, Ultramicroscopy 94, 225, 2003).  The score of a place is the greatest :math:`c`
of all templates and rotations.

Limits: :math:`-1\le c\le1`; 1 where the micrograph is the template up to a positive factor and a constant; unchanged
when the micrograph is scaled or shifted.  Outside of the micrograph is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MASK = 0.75
"""Radius of the mask, in diameters: the rim around the particle tells where it ends."""

EDGE = 0.1
"""Width of a soft disc's edge, in diameters."""

MIN_VARIANCE = 1e-3
"""Of a place, as a share of the micrograph's mean variance: below it nothing is there to compare with."""


def soft_disc(diameter_px: float) -> Tensor:
    """Template ``(n, n)``, n odd: a dark disc (-1) on zero, with a soft edge centred on the diameter."""
    reach = math.ceil(MASK * diameter_px)
    distance = _distance(2 * reach + 1)
    return -torch.sigmoid((diameter_px / 2 - distance) / (EDGE * diameter_px / 4))


def rotated(template: Tensor, step_deg: float) -> list[Tensor]:
    """Turned copies of a square template, every `step_deg` degrees of a full turn, by bilinear interpolation.

    The first one is the template itself.
    """
    turns = max(1, round(360 / step_deg))
    copies = [template]
    for index in range(1, turns):
        angle = 2 * math.pi * index / turns
        cos, sin = math.cos(angle), math.sin(angle)
        matrix = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]], dtype=template.dtype)
        size = [1, 1, *template.shape]
        grid = F.affine_grid(matrix[None], size, align_corners=False)
        copies.append(
            F.grid_sample(template[None, None], grid, padding_mode="border", align_corners=False)[0, 0]
        )
    return copies


def match_templates(image: Tensor, templates: Sequence[Tensor], radius_px: float) -> Tensor:
    """Greatest normalised cross-correlation ``(h, w)`` of all templates.

    Parameters
    ----------
    image
        ``(h, w)`` floating point.
    templates
        ``(n, n)`` each, n odd; the middle pixel of a template lies on the pixel that gets the score.
    radius_px
        Of the mask; at most ``n / 2``.

    Raises
    ------
    ValueError
        If a template has no contrast under the mask.
    """
    side = int(templates[0].shape[0])
    mask = (_distance(side) <= radius_px).double()
    area = mask.sum()
    shape = [n + side - 1 for n in image.shape]
    spectrum = torch.fft.rfft2(image.double(), shape)

    def correlate(kernel: Tensor, of: Tensor = spectrum) -> Tensor:
        """Correlation ``(h, w)`` of a kernel ``(n, n)`` with the image whose spectrum is `of`; zeros lie beyond."""
        full = torch.fft.irfft2(of * torch.fft.rfft2(kernel.flip(0, 1), shape), shape)
        return full[side // 2 :, side // 2 :][: image.shape[0], : image.shape[1]]

    mean = correlate(mask) / area
    variance = correlate(mask, torch.fft.rfft2(image.double() ** 2, shape)) / area - mean**2
    typical = float(variance.mean())
    spread = variance.clamp(min=max(MIN_VARIANCE * typical, 1e-300)).sqrt()
    best = torch.full_like(spread, -math.inf)
    for template in templates:
        best = torch.maximum(best, correlate(_standardised(template.double(), mask)) / (area * spread))
    return best.clamp(-1, 1).to(image.dtype)


def _standardised(template: Tensor, mask: Tensor) -> Tensor:
    """Zero outside of the mask, mean zero and variance one under it."""
    area = mask.sum()
    centred = (template - (template * mask).sum() / area) * mask
    spread = (centred**2).sum().div(area).sqrt()
    if not bool(spread > 1e-6 * template.abs().max()):
        raise ValueError("a template without contrast: all its pixels under the mask are alike")
    return centred / spread


def _distance(side: int) -> Tensor:
    """Distance ``(n, n)`` of each pixel from the middle one."""
    offset = torch.arange(side, dtype=torch.float32) - side // 2
    return torch.hypot(offset[:, None], offset[None, :])
