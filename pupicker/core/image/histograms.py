"""Histograms of micrographs: what the fit of the normalisation sees instead of pixels.

A bin holds the number and the mean value of its pixels, so that the cost of a fit does not depend on the size of the
micrographs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_WIDEST_SIGMA = 10.0
_SAMPLE = 65_536


@dataclass(frozen=True)
class Histogram:
    """Binned pixels of ``k`` micrographs: float64 tensors ``(k, bins)``."""

    value: Tensor
    count: Tensor


def histogram(image: Tensor, bins: int = 512) -> Histogram:
    """Bin one micrograph; extreme pixels (gold, hot pixels, X-rays) are left out of the fit.

    The range ends at the 0.01 % and 99.99 % quantiles, and at most 10 robust standard deviations from the median: a few
    pixels far away would otherwise stretch the bins until all others share one.  Quantiles are those of about 65,000
    evenly spaced pixels, always the same ones.

    Raises
    ------
    ValueError
        If the pixels (nearly) all have one value.
    """
    flat = image.detach().reshape(-1).cpu()
    pixels = (flat if flat.dtype in (torch.float32, torch.float64) else flat.double()).numpy()
    low, high = _range(np.sort(pixels[:: _step(len(pixels), image.shape[-1])]))
    if not high > low:
        raise ValueError("the image is constant: it has no scale")
    # What is below or above falls into a bin of its own.  A little less than the width of a bin puts `high` inside.
    place = (pixels - low) * pixels.dtype.type((1 - 1e-6) * bins / (high - low)) + 1
    index = np.clip(place, 0, bins + 1, out=place).astype(np.intp)
    count, total = (np.bincount(index, weights, bins + 2)[1:-1] for weights in (None, pixels))
    centre = low + (np.arange(bins) + 0.5) * (high - low) / bins
    value = np.where(count > 0, total / np.maximum(count, 1), centre)
    return Histogram(torch.from_numpy(value)[None], torch.from_numpy(count.astype(np.float64))[None])


def _range(ordered: np.ndarray) -> tuple[float, float]:
    """Between which values the pixels are counted, from a sorted sample of them."""
    last = len(ordered) - 1
    low, left, middle, right, high = (
        float(ordered[int(place)])
        for place in (1e-4 * last, 0.1587 * last, 0.5 * last, 0.8413 * last, last - int(1e-4 * last))
    )
    if not right > left:
        return low, high
    reach = _WIDEST_SIGMA * (right - left) / 2
    return max(low, middle - reach), min(high, middle + reach)


def _step(pixels: int, columns: int) -> int:
    """Distance of the pixels of the sample: not all in the same few columns."""
    step = max(1, pixels // _SAMPLE)
    while step > 1 and math.gcd(step, columns) > 1:
        step += 1
    return step


def stack_histograms(histograms: list[Histogram]) -> Histogram:
    """Histograms of single micrographs as one."""
    return Histogram(torch.cat([h.value for h in histograms]), torch.cat([h.count for h in histograms]))


def median_and_spread(data: Histogram) -> tuple[Tensor, Tensor]:
    """Median and robust standard deviation (half the 16–84 % range) of each micrograph, ``(k,)`` each."""
    cumulative = data.count.cumsum(1) / data.count.sum(1, keepdim=True)
    low, middle, high = (_quantile(data.value, cumulative, q) for q in (0.1587, 0.5, 0.8413))
    return middle, ((high - low) / 2).clamp(min=1e-30)


def _quantile(value: Tensor, cumulative: Tensor, fraction: float) -> Tensor:
    index = (cumulative < fraction).sum(1, keepdim=True).clamp(max=value.shape[1] - 1)
    return value.gather(1, index)[:, 0]
