r"""Regions: the pixels within the training radius of a label are positive, all others unlabelled.

Class-prior arithmetic (pixels of the training micrographs, so every quantity is an area fraction):

* :math:`\pi`: fraction of pixels that are positive, labelled or not, = particles × disc area / area;
* :math:`\pi_L`: fraction that is labelled positive (known exactly: the union of the labelled discs);
* labelled pixels are taken out of the unlabelled set, so among the unlabelled ones the expected fraction is
  :math:`\pi_U = (\pi - \pi_L)/(1 - \pi_L)`; with a fraction :math:`\pi_N` of labelled negatives taken out too, the
  denominator is :math:`1 - \pi_L - \pi_N`.

Source: Bepler et al. (2018), "Training": regions with centres within a radius of a labelled particle are positive.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def disc_offsets(radius_px: float) -> Tensor:
    """Integer offsets ``(n, 2)`` (dy, dx), int64, with ``dy² + dx² <= radius²``; 29 for radius 3, 49 for 4."""
    reach = int(radius_px)
    grid = torch.arange(-reach, reach + 1)
    dy, dx = torch.meshgrid(grid, grid, indexing="ij")
    inside = dy**2 + dx**2 <= radius_px**2 + 1e-9
    return torch.stack([dy[inside], dx[inside]], dim=1)


def mean_disc_area(radius_px: float) -> float:
    """Number of pixels of a disc, on average over sub-pixel centres: exactly its area.

    A disc centred on a pixel has more or fewer (29 for radius 3, 28.3 on average); labels are not centred on pixels.
    """
    return math.pi * radius_px**2


def disc_mask(shape: tuple[int, int], xy: Tensor, radius_px: float) -> Tensor:
    """Union of the discs around sub-pixel centres.

    Parameters
    ----------
    shape
        Rows and columns.
    xy
        ``(n, 2)`` centres, x = column, y = row; those outside of the image contribute the part that is inside.
    radius_px
        A pixel belongs to a disc when its centre is at most this far away.

    Returns
    -------
    Tensor
        ``shape``, bool.
    """
    mask = torch.zeros(shape, dtype=torch.bool)
    if xy.numel() == 0:
        return mask
    offsets = disc_offsets(radius_px + 1)
    centre = xy.flip(1).to(torch.float64)
    pixel = centre.round().long()[:, None] + offsets[None]
    near = ((pixel - centre[:, None]) ** 2).sum(-1) <= radius_px**2 + 1e-9
    y, x = pixel[near].unbind(1)
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    mask[y[inside], x[inside]] = True
    return mask


def ring_mask(
    shape: tuple[int, int], xy: Tensor, inner_px: float, outer_px: float, others: Tensor | None = None
) -> Tensor:
    """Pixels around labelled centres that cannot be centres themselves.

    Parameters
    ----------
    shape
        Rows and columns.
    xy
        ``(n, 2)`` centres, x = column, y = row.
    inner_px, outer_px
        A pixel is on a ring when it is farther than `inner_px` from every centre and at most `outer_px` from one.
    others
        ``(m, 2)`` centres that have no ring but keep their distance too.

    Returns
    -------
    Tensor
        ``shape``, bool.
    """
    known = xy if others is None else torch.cat([xy, others])
    return disc_mask(shape, xy, outer_px) & ~disc_mask(shape, known, inner_px)


def class_prior_from_count(particles: float, radius_px: float, pixels: float) -> float:
    """Area fraction covered by the discs of `particles` particles that do not overlap."""
    return particles * mean_disc_area(radius_px) / pixels


def unlabelled_prior(prior: float, labelled_fraction: float, negative_fraction: float = 0.0) -> float:
    """Fraction of positives among the unlabelled pixels, those that are labelled neither as particle nor as none.

    Raises
    ------
    ValueError
        If the labels alone already cover the class prior: then it is too small; or if labels cover everything.
    """
    if not 0 < prior < 1:
        raise ValueError(f"the share of the area must lie between 0 and 1, got {prior}")
    if labelled_fraction >= prior:
        raise ValueError(
            f"the labelled particles cover {labelled_fraction:.4f} of the area, so the share on particles must"
            f" be larger, got {prior:.4f}"
        )
    rest = 1 - labelled_fraction - negative_fraction
    if rest <= prior - labelled_fraction:
        raise ValueError(
            f"labelled particles and negatives cover {labelled_fraction + negative_fraction:.4f} of the area, which"
            f" leaves no room for a share of {prior:.4f}"
        )
    return (prior - labelled_fraction) / rest
