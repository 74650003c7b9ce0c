r"""Noise that looks like the background of a micrograph and holds no particle.

With the image :math:`x`, its background :math:`B` and the mean :math:`m` there, the power of the background is
estimated in overlapping tiles :math:`w` with a soft window (Welch 1967), for rings of frequencies of the same length,

.. math:: S_w = \overline{\lvert F[w\,1_B\,(x-m)] \rvert^2}\,/\sum w^2 1_B,\qquad S = \mathrm{median}_w\,S_w,

and white noise :math:`n` of unit variance becomes :math:`F^{-1}[\sqrt S\,F[n]] + m`: a Gaussian field with the same
mean and radial power spectrum, of any size.  The median, because a micrograph may be of several kinds: carbon in a
corner must not stand for the ice beside it, nor a few strong particles for what lies between them.

Limits: white noise of any variance gives noise of that variance; a constant background gives itself.  Of a background
that is full of particles the noise has their power too, but not their shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

TILE_PX = 64
"""Three particles wide in working pixels; longer waves are no longer there after the flattening."""

MOST_TILES = 1000
_OWN_SHARE = 0.5


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
    mean = image[background].sum() / background.sum()
    power = _radial_power((image - mean) * background, background)
    length = _length(shape) * TILE_PX
    below = length.long().clamp(max=len(power) - 2)
    amplitude = torch.lerp(power[below], power[below + 1], (length - below).clamp(0, 1)).sqrt()
    white = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (torch.fft.irfft2(torch.fft.rfft2(white) * amplitude, s=shape) + mean).float()


def _radial_power(image: Tensor, background: Tensor) -> Tensor:
    """Power at the frequencies 0, 1, 2, ... over :data:`TILE_PX`, up to the corner of the spectrum."""
    missing = [max(0, TILE_PX - side) for side in image.shape]
    image, own = (torch.nn.functional.pad(x, (0, missing[1], 0, missing[0])) for x in (image, background.double()))
    line = torch.hann_window(TILE_PX, dtype=torch.float64)
    window = line[:, None] * line
    tiles, shares = (_tiles(x) for x in (image, own))
    weight = (shares * window**2).sum((1, 2))
    enough = weight >= _OWN_SHARE * window.square().sum()
    if not bool(enough.any()):
        enough = weight >= weight.max()
    power = torch.fft.rfft2(tiles[enough] * window).abs() ** 2 / weight[enough, None, None]
    ring = _length((TILE_PX, TILE_PX)).mul(TILE_PX).round().long().reshape(-1)
    rings = int(ring.max()) + 1
    count = torch.zeros(rings, dtype=torch.float64).index_add_(0, ring, torch.ones(len(ring), dtype=torch.float64))
    total = torch.zeros(len(power), rings, dtype=torch.float64).index_add_(1, ring, power.flatten(1))
    return (total / count).median(0).values


def _tiles(image: Tensor) -> Tensor:
    """``(n, side, side)``, half overlapping; at most :data:`MOST_TILES`, evenly spaced."""
    step = TILE_PX // 2
    cut = image.unfold(0, TILE_PX, step).unfold(1, TILE_PX, step)
    number = cut.shape[0] * cut.shape[1]
    chosen = torch.arange(0, number, max(1, -(-number // MOST_TILES)))
    return cut[chosen // cut.shape[1], chosen % cut.shape[1]]


def _length(shape: tuple[int, int]) -> Tensor:
    """Of each frequency of the half spectrum of an image, in waves a pixel."""
    height, width = shape
    return torch.hypot(torch.fft.fftfreq(height, dtype=torch.float64)[:, None],
                       torch.fft.rfftfreq(width, dtype=torch.float64)[None])
