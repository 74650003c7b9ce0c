r"""Noise that looks like the background of a micrograph and holds no particle.

With the image :math:`x`, its background :math:`B` (a set of :math:`|B|` pixels) and the mean :math:`m` there, the power
of the background at a frequency is estimated by the mean over a ring of frequencies of the same length,

.. math:: S = \overline{\lvert F[(x-m)\,1_B] \rvert^2}\,/\,|B|,

and white noise :math:`n` of unit variance becomes :math:`F^{-1}[\sqrt S\,F[n]] + m`: a Gaussian field with the same
mean and the same radial power spectrum, of any size.

Limits: white noise of any variance gives noise of that variance; a constant background gives itself.  Of a background
that holds particles the noise has their power too, but not their shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

RINGS = 64
"""Of frequencies between 0 and the corner of the spectrum."""


def noise_like(image: Tensor, background: Tensor, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Noise with the radial power spectrum of an image's background.

    Parameters
    ----------
    image
        ``(h, w)`` float32.
    background
        ``(h, w)`` bool; at least one pixel.
    shape
        Rows and columns of the noise.
    generator
        On the CPU.

    Returns
    -------
    Tensor
        `shape`, float32, on the CPU.
    """
    image, background = image.cpu().double(), background.cpu()
    number = int(background.sum())
    mean = image[background].sum() / number
    power = torch.fft.rfft2((image - mean) * background).abs() ** 2 / number
    ring, other = _rings(image.shape), _rings(torch.Size(shape))
    count = torch.zeros(RINGS, dtype=torch.float64).index_add_(0, ring.reshape(-1), torch.ones(ring.numel()).double())
    total = torch.zeros(RINGS, dtype=torch.float64).index_add_(0, ring.reshape(-1), power.reshape(-1))
    amplitude = (total / count.clamp(min=1)).sqrt()
    white = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (torch.fft.irfft2(torch.fft.rfft2(white) * amplitude[other], s=shape) + mean).float()


def _rings(shape: torch.Size) -> Tensor:
    """The ring of each frequency of the half spectrum of an image."""
    height, width = shape
    length = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    return (length * (RINGS * 2**0.5)).long().clamp(max=RINGS - 1)
