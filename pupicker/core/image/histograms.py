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

BINS = 512
"""Of the histogram of a micrograph."""

_WIDEST_SIGMA = 10.0
_SAMPLE = 65_536
_PART = 65_536


@dataclass(frozen=True)
class Histogram:
    """Binned pixels of ``k`` micrographs: float64 tensors ``(k, bins)``."""

    value: Tensor
    count: Tensor


def histogram(image: Tensor, bins: int = BINS) -> Histogram:
    """Bin one micrograph; extreme pixels (gold, hot pixels, X-rays) are left out of the fit.

    The range ends at the 0.01 % and 99.99 % quantiles, and at most 10 robust standard deviations from the median: a few
    pixels far away would otherwise stretch the bins until all others share one.  Median and deviation are those of
    about 65,000 evenly spaced pixels, always the same ones.

    Raises
    ------
    ValueError
        If the pixels (nearly) all have one value.
    """
    flat = image.detach().reshape(-1).cpu()
    pixels = (flat if flat.dtype in (torch.float32, torch.float64) else flat.double()).numpy()
    low, high = _range(pixels, pixels[:: _step(len(pixels), image.shape[-1])])
    if not high > low:
        raise ValueError("the image is constant: it has no scale")
    count, total = _counted(pixels, low, high, bins)
    centre = low + (np.arange(bins) + 0.5) * (high - low) / bins
    value = np.where(count > 0, total / np.maximum(count, 1), centre)
    return Histogram(torch.from_numpy(value)[None], torch.from_numpy(count)[None])


def _range(pixels: np.ndarray, sample: np.ndarray) -> tuple[float, float]:
    """Between which values the pixels are counted."""
    last = len(sample) - 1
    outer = min(last, int(4e-4 * last) + 8)
    places = [outer, int(0.1587 * last), int(0.5 * last), int(0.8413 * last), last - outer]
    ordered = np.partition(sample, places)
    dark, left, middle, right, bright = (float(ordered[place]) for place in places)
    low, high = _extreme(pixels, dark), -_extreme(-pixels, -bright)
    if not right > left:
        return low, high
    reach = _WIDEST_SIGMA * (right - left) / 2
    return max(low, middle - reach), min(high, middle + reach)


def _extreme(pixels: np.ndarray, below: float) -> float:
    """The 0.01 % quantile, which is among the few pixels up to `below`; that, should they be too few."""
    few, rank = pixels[pixels <= below], int(1e-4 * (len(pixels) - 1))
    return float(np.partition(few, rank)[rank]) if len(few) > rank else below


def _counted(pixels: np.ndarray, low: float, high: float, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Number and sum ``(bins,)`` of the pixels in each bin; a part of them at a time, which stays in the caches."""
    scale = pixels.dtype.type((1 - 1e-6) * bins / (high - low))  # a little less, and `high` is inside
    count, total = np.zeros(bins + 2), np.zeros(bins + 2)  # below the first bin, above the last one
    for first in range(0, len(pixels), _PART):
        part = pixels[first : first + _PART]
        place = (part - low) * scale + 1
        index = np.clip(place, 0, bins + 1, out=place).astype(np.intp)
        count += np.bincount(index, minlength=bins + 2)
        total += np.bincount(index, part, bins + 2)
    return count[1:-1], total[1:-1]


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
