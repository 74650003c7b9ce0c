"""What ice and detector add to a micrograph that no CTF explains: coloured noise, illumination, defective lines."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray


def add_coloured_noise(
    rng: np.random.Generator, image: NDArray[np.float32], strength: float, correlation_px: float
) -> None:
    """Add noise whose power falls above a frequency, in place.

    Parameters
    ----------
    image
        ``(h, w)`` float32.
    strength
        Standard deviation of the noise over that of the image.
    correlation_px
        Its power is ``1 / (1 + (2 pi f correlation_px)^2)^(3/2)`` at the frequency f (in 1/pixel): about as wide as
        this are its blobs.
    """
    height, width = image.shape
    white = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
    square = torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width)[None] ** 2
    amplitude = (1 + (2 * math.pi * correlation_px) ** 2 * square) ** -0.75
    noise = torch.fft.irfft2(torch.fft.rfft2(white) * amplitude, s=image.shape)
    image += (noise * (strength * float(image.std()) / float(noise.std()))).numpy()


def uneven_illumination(rng: np.random.Generator, shape: tuple[int, ...], strength: float) -> NDArray[np.float32]:
    """Smooth factors ``shape``, 1 in the middle, that differ by up to about `strength` at the corners."""
    row, column = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape)
    a, b, c, d, e = rng.uniform(-1, 1, 5).astype(np.float32) / 2
    y, x = row[:, None], column[None]
    bent: NDArray[np.float32] = 1 + np.float32(strength) * (a * x + b * y + c * x * y + d * x * x + e * y * y) / 2
    return bent


def add_line_defects(rng: np.random.Generator, image: NDArray[np.float32], strength: float) -> None:
    """Shift the grey level of single columns or rows, some of them or all, in place; in standard deviations."""
    lines = image if rng.random() < 0.5 else image.T
    share = 1.0 if rng.random() < 0.3 else float(rng.uniform(0.005, 0.05))
    size = strength * float(image.std()) * (0.2 if share == 1.0 else 1.0)
    shift = rng.standard_normal(lines.shape[1]) * size * (rng.random(lines.shape[1]) < share)
    lines += shift.astype(np.float32)[None]
