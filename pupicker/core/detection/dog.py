r"""Difference of Gaussians: a filter that answers to blobs of one size.

.. math:: r = (G_{\sigma_2} - G_{\sigma_1}) * x,\qquad \sigma_1 = \frac{D/2}{\sqrt2}\,\frac1{\sqrt\kappa},\quad
          \sigma_2 = \kappa\,\sigma_1,\quad \kappa = 1.6

positive where the image is darker than its surroundings.  It approximates the Laplacian of a Gaussian, whose answer to
a disc of diameter :math:`D` is greatest at :math:`\sigma = D/(2\sqrt2)`.

Limits: zero for a constant image; linear in the image; the same for every direction.  A ring and a disc of one diameter
are the same to it.  Sources: Marr and Hildreth (1980), where 1.6 comes from; for particles Voss et al. (2009).
"""

from __future__ import annotations

from torch import Tensor

from pupicker.core.image.background import gaussian_mean

RATIO = 1.6


def difference_of_gaussians(image: Tensor, diameter_px: float) -> Tensor:
    """Answer ``(h, w)`` of the filter to particles darker than their surroundings.

    Parameters
    ----------
    image
        ``(h, w)`` floating point.
    diameter_px
        Of the particle.
    """
    inner = diameter_px / 2 / 2**0.5 / RATIO**0.5
    return gaussian_mean(image, RATIO * inner) - gaussian_mean(image, inner)
