"""Histograms of micrographs: what the fit of the normalisation sees instead of pixels.

A bin holds the number and the mean value of its pixels, so that the cost of a fit does not depend on the size of the
micrographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_WIDEST_SIGMA = 10.0


@dataclass(frozen=True)
class Histogram:
    """Binned pixels of ``k`` micrographs: float64 tensors ``(k, bins)``."""

    value: Tensor
    count: Tensor


def histogram(image: Tensor, bins: int = 512) -> Histogram:
    """Bin one micrograph; extreme pixels (gold, hot pixels, X-rays) are left out of the fit.

    The range ends at the 0.01 % and 99.99 % quantiles, and at most 10 robust standard deviations from the median: a few
    pixels far away would otherwise stretch the bins until all others share one.

    Raises
    ------
    ValueError
        If the pixels (nearly) all have one value.
    """
    flat = image.detach().reshape(-1).to(torch.float64)
    ordered = flat[:: max(1, flat.numel() // 1_000_000)].sort().values
    last = ordered.numel() - 1
    low, high = ordered[int(1e-4 * last)], ordered[last - int(1e-4 * last)]
    if not bool(high > low):
        raise ValueError("the image is constant: it has no scale")
    left, middle, right = (ordered[int(fraction * last)] for fraction in (0.1587, 0.5, 0.8413))
    if bool(right > left):
        reach = _WIDEST_SIGMA * (right - left) / 2
        low, high = torch.maximum(low, middle - reach), torch.minimum(high, middle + reach)
    index = ((flat - low) / (high - low) * bins).floor()
    inside = (flat >= low) & (flat <= high)
    index = index[inside].clamp_(0, bins - 1).long()
    count = torch.bincount(index, minlength=bins).to(torch.float64)
    total = torch.zeros(bins, dtype=torch.float64).index_add_(0, index.cpu(), flat[inside].cpu())
    centre = low.cpu() + (torch.arange(bins) + 0.5) * (high - low).cpu() / bins
    value = torch.where(count.cpu() > 0, total / count.cpu().clamp(min=1), centre)
    return Histogram(value[None], count.cpu()[None])


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
