r"""Fourier resizing: the band-limited image, sampled on another grid.

For an image of :math:`N` samples along an axis and :math:`M` wanted ones, the discrete spectrum is cropped (or padded
with zeros) to :math:`M` frequencies and transformed back, scaled by :math:`M/N`.  Output sample :math:`j` is the
band-limited image at input position :math:`j\,N/M`: **sample 0 stays on sample 0**, so positions map by plain
multiplication, :math:`x_\mathrm{in} = x_\mathrm{out}\,N/M`, as RELION and Scipion scale coordinates.

Limits: exact when the input has no power at or above the Nyquist frequency of the smaller grid.  When the smaller grid
is even, its Nyquist frequency stands for both :math:`\pm M/2`; the two input coefficients are added (shrinking) or the
one is halved (enlarging), which is what sampling a real cosine of that frequency gives.

Source: Bepler et al. (2018), "Micrograph pre-processing"; the paper crops to integer factors of even images, this is
the general case (any ratio, odd and non-square sizes).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_BLOCK_PIXELS = 1 << 18


def resized_shape(shape: tuple[int, int], pixel_size_ang: float, target_pixel_size_ang: float) -> tuple[int, int]:
    """Number of rows and columns nearest to the wanted pixel size.

    Raises
    ------
    ValueError
        If a pixel size is not positive or the result would be smaller than one pixel.
    """
    if not (pixel_size_ang > 0 and target_pixel_size_ang > 0):
        raise ValueError(f"pixel sizes must be positive, got {pixel_size_ang} and {target_pixel_size_ang} A")
    ratio = pixel_size_ang / target_pixel_size_ang
    rows, columns = round(shape[0] * ratio), round(shape[1] * ratio)
    if min(rows, columns) < 1:
        raise ValueError(f"an image of {shape} pixels of {pixel_size_ang} A vanishes at {target_pixel_size_ang} A")
    return rows, columns


def fourier_resize(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resample real images to `shape` by cropping or padding their spectrum.

    Parameters
    ----------
    image
        ``(..., h, w)`` real floating point.
    shape
        ``(rows, columns)`` of the result.

    Returns
    -------
    Tensor
        ``(..., rows, columns)``, dtype and device of `image`; the mean is unchanged.
    """
    height, width = image.shape[-2:]
    rows, columns = shape
    if (rows, columns) == (height, width):
        return image.clone()
    # A few rows, then a few columns at a time: a whole spectrum takes more memory than the image.
    spectrum = image.new_empty((*image.shape[:-1], columns // 2 + 1), dtype=image.dtype.to_complex())
    for part in _parts(image, -2):
        spectrum[..., part, :] = _resize_half_axis(torch.fft.rfft(image[..., part, :]), width, columns)
    out = spectrum.new_empty((*image.shape[:-2], rows, columns // 2 + 1))
    for part in _parts(spectrum, -1):
        resized = _resize_full_axis(torch.fft.fft(spectrum[..., part], dim=-2), rows)
        out[..., part] = torch.fft.ifft(resized, dim=-2)
    return torch.fft.irfft(out, n=columns, dim=-1) * (rows * columns / (height * width))


def _parts(image: Tensor, axis: int) -> Iterator[slice]:
    """Stretches of an axis that hold about :data:`_BLOCK_PIXELS` each."""
    length = image.shape[axis]
    step = max(1, _BLOCK_PIXELS * length // max(1, image.numel()))
    return (slice(first, first + step) for first in range(0, length, step))


def _resize_half_axis(spectrum: Tensor, old: int, new: int) -> Tensor:
    """Crop or pad the last axis, which holds the frequencies 0..old//2 of a real signal of `old` samples."""
    kept = min(old, new)
    out = spectrum.new_zeros((*spectrum.shape[:-1], new // 2 + 1))
    out[..., : kept // 2 + 1] = spectrum[..., : kept // 2 + 1]
    if kept % 2 == 0 and old != new:
        # The inverse transform counts an even length's last bin once and any other bin for +k and -k.
        out[..., kept // 2] *= 2.0 if new < old else 0.5
    return out


def _resize_full_axis(spectrum: Tensor, new: int) -> Tensor:
    """Crop or pad axis -2, which holds the frequencies 0, 1, .., -2, -1 of a complex signal."""
    old = spectrum.shape[-2]
    kept = min(old, new)
    positive, negative = (kept + 1) // 2, (kept - 1) // 2
    out = spectrum.new_zeros((*spectrum.shape[:-2], new, spectrum.shape[-1]))
    out[..., :positive, :] = spectrum[..., :positive, :]
    if negative:
        out[..., -negative:, :] = spectrum[..., -negative:, :]
    if kept % 2 == 0:
        nyquist = kept // 2
        if old == new:
            out[..., nyquist, :] = spectrum[..., nyquist, :]
        elif new < old:
            out[..., nyquist, :] = spectrum[..., nyquist, :] + spectrum[..., old - nyquist, :]
        else:
            half = spectrum[..., nyquist, :] / 2
            out[..., nyquist, :] = half
            out[..., new - nyquist, :] = half
    return out
