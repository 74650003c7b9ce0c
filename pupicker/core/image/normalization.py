r"""Joint normalisation of micrographs: two Gaussians shared by all, one scale for each.

Model (Bepler et al. 2018, "Micrograph normalization"): pixel :math:`x_{ik}` of micrograph :math:`k`, divided by the
micrograph's scale :math:`\alpha_k`, follows a mixture shared by the data set,

.. math:: \log p(x_{ik}) = \log s_k + \log \sum_c w_c\, \mathcal N(s_k x_{ik} + t_k;\ \mu_c, \sigma_c^2),
          \qquad s_k = 1/\alpha_k,\ t_k = 0.

All parameters are fitted together by expectation conditional maximisation.  With responsibilities :math:`r` and the
sums :math:`A=\sum r x^2/\sigma_c^2,\ X=\sum r x/\sigma_c^2,\ W=\sum r/\sigma_c^2,\ B=\sum r x\mu_c/\sigma_c^2,\
M=\sum r\mu_c/\sigma_c^2`, the scale is the positive root of :math:`A s^2 - B s - n = 0`.  The normalised micrograph is
:math:`(s_k x + t_k - \mu_d)/\sigma_d`, with :math:`d` the heavier component.

Location-scale form: a scale alone cannot describe micrographs whose zero level is arbitrary (high-passed, zero-mean,
stretched to a range).  Then :math:`t_k` is free too: :math:`t=(M-sX)/W`, and :math:`A, B` above lose
:math:`X^2/W, XM/W`.  Rule: the paper's form when every micrograph has a positive median of at
least three robust standard deviations, and, after its fit, nine of ten micrographs have their own median within 0.25
standard deviations of the data set's; else location-scale.

The fit sees histograms (counts and mean value of each bin), so its cost does not depend on the number of pixels.
Limits: every variance is floored at 1e-6 of the data's; a constant image has no scale and raises.  Only the overall
scale is not identifiable: the geometric mean of :math:`s_k` times the pooled standard deviation is held at one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pupicker.core.image.histograms import Histogram, median_and_spread

Form = Literal["scale", "location-scale"]

CLIP_SIGMA = 6.0
"""Normalised values are clipped here: gold, hot pixels and masked areas carry no information beyond it."""

_START_QUANTILES = (0.5, 0.1, 0.9, 0.02, 0.98)  # where the pooled pixels are split into the two first components
_START_ITERATIONS = 20
_MAX_ITERATIONS = 500
_TOLERANCE = 1e-7
_BLOCK = 256  # micrographs of an expectation at a time: ten thousand together would take 2 GB
_START_MICROGRAPHS = 2048  # which are enough to begin with: ten thousand sorted together would take 0.4 GB


@dataclass(frozen=True)
class Mixture:
    """Two Gaussians on the common scale, and how micrographs are brought to it.

    Attributes
    ----------
    weight, mean, std
        Of the two components; weights sum to one.
    form
        ``"scale"`` (the paper's) or ``"location-scale"``.
    """

    weight: tuple[float, float]
    mean: tuple[float, float]
    std: tuple[float, float]
    form: Form

    @property
    def dominant(self) -> int:
        """Index of the heavier component."""
        return int(self.weight[1] > self.weight[0])


@dataclass(frozen=True)
class JointFit:
    """Result of :func:`fit`: the mixture, ``s`` and ``t`` of each micrograph ``(k,)``, log-likelihood per pixel."""

    mixture: Mixture
    scale: Tensor
    offset: Tensor
    log_likelihood: float
    iterations: int


def fit(data: Histogram, form: Form | None = None) -> JointFit:
    """Fit mixture and scales to all micrographs together.

    Parameters
    ----------
    data
        One row for each micrograph.
    form
        ``None``: by the rule of the module's docstring.
    """
    if form is None:
        in_scale_form = _fit_scale_form(data)
        return in_scale_form if in_scale_form is not None else fit(data, "location-scale")
    affine = _initial_affine(data, form)
    starts = [_maximise(data, _start(data, form, q), *affine, iterations=_START_ITERATIONS) for q in _START_QUANTILES]
    best = max(starts, key=lambda result: result.log_likelihood)
    return _maximise(data, best.mixture, best.scale, best.offset)


def fit_to_mixture(data: Histogram, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """``s`` and ``t`` of new micrographs ``(k,)`` under a mixture that stays as it is.

    A micrograph that differs from those of the mixture by more than a scale (its median is below three robust standard
    deviations, or ends more than half a standard deviation from the mixture's mean, or its spread is less than a third
    of the mixture's) gets a ``t`` of its own: the same images with their zero level moved, as versions in 8 or 16 bit
    have it, are the common case.  (Between micrographs with and without carbon the spread varies by 0.6 to 1.4.)
    """
    reference_mean, reference_std = _moments(mixture)
    median, std = median_and_spread(data)
    free = replace(mixture, form="location-scale")
    start = reference_std / std
    affine = _maximise(data, free, start, reference_mean - start * median, update_mixture=False)
    if mixture.form == "location-scale":
        return affine.scale, affine.offset
    positive = median >= 3 * std
    by_scale = _maximise(
        data, mixture, torch.where(positive, (reference_mean / median).abs().clamp(min=1e-30), start),
        torch.zeros_like(std), update_mixture=False,
    )
    near = (by_scale.scale * median - reference_mean).abs() <= 0.5 * reference_std
    fits = positive & near & (by_scale.scale * std >= reference_std / 3)
    return torch.where(fits, by_scale.scale, affine.scale), torch.where(fits, by_scale.offset, affine.offset)


def normalize(image: Tensor, mixture: Mixture, scale: float, offset: float) -> Tensor:
    """``(s x + t - mu_d) / sigma_d``, clipped to ±:data:`CLIP_SIGMA`; shape, dtype and device of `image`."""
    mean, std = mixture.mean[mixture.dominant], mixture.std[mixture.dominant]
    return ((image * scale + (offset - mean)) / std).clamp_(-CLIP_SIGMA, CLIP_SIGMA)


def _fit_scale_form(data: Histogram) -> JointFit | None:
    """The paper's form if these micrographs can differ by a scale alone (rule in the module's docstring)."""
    median, std = median_and_spread(data)
    if bool((median < 3 * std).any()):
        return None
    result = fit(data, "scale")
    scaled = result.scale * median
    agree = ((scaled - scaled.median()).abs() <= 0.25 * _moments(result.mixture)[1]).double().mean()
    return result if float(agree) >= 0.9 else None


def _moments(mixture: Mixture) -> tuple[float, float]:
    """Mean and standard deviation of the whole mixture."""
    mean = sum(w * m for w, m in zip(mixture.weight, mixture.mean, strict=True))
    square = sum(w * (s * s + m * m) for w, m, s in zip(mixture.weight, mixture.mean, mixture.std, strict=True))
    return mean, max(square - mean * mean, 1e-30) ** 0.5


def _initial_affine(data: Histogram, form: Form) -> tuple[Tensor, Tensor]:
    median, std = median_and_spread(data)
    if form == "scale":
        scale = 1 / median
        return scale / (scale * std).log().mean().exp(), torch.zeros_like(scale)
    return 1 / std, -median / std


def _start(data: Histogram, form: Form, quantile: float) -> Mixture:
    """Two components from the pixels below and above a quantile of the pooled, roughly scaled data.

    Of very many micrographs every n-th one tells enough.
    """
    step = -(-len(data.value) // _START_MICROGRAPHS)
    some = Histogram(data.value[::step], data.count[::step])
    scale, offset = _initial_affine(some, form)
    z = (some.value * scale[:, None] + offset[:, None]).reshape(-1)
    order = z.argsort()
    z, count = z[order], some.count.reshape(-1)[order]
    below = (count.cumsum(0) / count.sum()) <= quantile
    parts = []
    for part in (below, ~below):
        n = count[part].sum().clamp(min=1e-9)
        mean = (count[part] * z[part]).sum() / n
        parts.append((float(mean), float(((count[part] * (z[part] - mean) ** 2).sum() / n).clamp(min=1e-4).sqrt())))
    (m0, s0), (m1, s1) = parts
    return Mixture((quantile, 1 - quantile), (m0, m1), (s0, s1), form)


def _maximise(
    data: Histogram, mixture: Mixture, scale: Tensor, offset: Tensor, update_mixture: bool = True,
    iterations: int = _MAX_ITERATIONS,
) -> JointFit:
    """Expectation conditional maximisation until the log-likelihood per pixel changes by less than 1e-7.

    In the loop each micrograph has its own zero (its median) and unit (its robust standard deviation ``spread``), in
    which sums of squares are exact wherever its zero level was: ``z = u x + v``.
    """
    median, spread = (values.numpy() for values in median_and_spread(data))
    n = data.count.numpy().sum(1)
    u, v = scale.numpy() * spread, offset.numpy() + scale.numpy() * median
    previous, current, iteration = -float("inf"), -float("inf"), 0
    while iteration < iterations:
        iteration += 1
        sums, log_likelihood = _expected_sums(data, median, spread, u, v, mixture)
        current = float((log_likelihood + (n * np.log(u / spread)).sum()) / n.sum())
        if abs(current - previous) < _TOLERANCE:
            break
        previous = current
        if update_mixture:
            mixture = _update_mixture(sums, u, v, mixture)
        u, v = _update_affine(sums, median / spread, mixture)
        if update_mixture:
            mixture, u, v = _fix_gauge(n, mixture, u, v)
    found = torch.from_numpy(u / spread)
    free = torch.from_numpy(v - u / spread * median)
    return JointFit(mixture, found, torch.zeros_like(free) if mixture.form == "scale" else free, current, iteration)


def _expected_sums(
    data: Histogram, median: np.ndarray, spread: np.ndarray, u: np.ndarray, v: np.ndarray, mixture: Mixture
) -> tuple[np.ndarray, float]:
    """Sums ``(3, 2, k)`` of the pixels of each component (their number, values, squares), and of all log-densities."""
    every, log_likelihood = np.empty((3, 2, len(u))), 0.0
    for first in range(0, len(u), _BLOCK):
        part = slice(first, first + _BLOCK)
        count = data.count[part].numpy()
        x = (data.value[part].numpy() - median[part, None]) / spread[part, None]
        responsibility, log_density = _expect(x * u[part, None] + v[part, None], mixture)
        powers = np.stack([np.ones_like(x), x, x * x], 2)
        every[:, :, part] = ((responsibility * count)[:, :, None] @ powers)[:, :, 0].transpose(2, 0, 1)
        log_likelihood += float((count * log_density).sum())
    return every, log_likelihood


def _expect(z: np.ndarray, mixture: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """Responsibilities ``(2, k, bins)`` and log-density ``(k, bins)`` on the common scale."""
    weight, mean, std = (np.array(v)[:, None, None] for v in (mixture.weight, mixture.mean, mixture.std))
    log_joint = np.log(weight / std) - 0.5 * ((z - mean) / std) ** 2 - 0.9189385332046727
    highest = log_joint.max(0)
    ratio = np.exp(log_joint - highest)
    total = ratio.sum(0)
    return ratio / total, highest + np.log(total)


def _update_mixture(sums: np.ndarray, u: np.ndarray, v: np.ndarray, old: Mixture) -> Mixture:
    """From the sums ``(3, 2, k)`` of the pixels of each component: their number, their values, their squares."""
    n = sums[0].sum(1).clip(min=1e-12)
    mean = (u * sums[1] + v * sums[0]).sum(1) / n
    variance = _squares(sums, u, v - mean[:, None]).sum(1) / n
    of_all = sums.sum(1)
    middle = (u * of_all[1] + v * of_all[0]).sum() / n.sum()
    floor = 1e-6 * float(_squares(of_all, u, v - middle).sum() / n.sum())
    weight = (n / n.sum()).clip(1e-6, 1 - 1e-6)
    std = np.sqrt(variance.clip(min=max(floor, 1e-30)))
    return replace(old, weight=_pair(weight), mean=_pair(mean), std=_pair(std))


def _squares(sums: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Sums of ``(u x + v)^2``."""
    return u * u * sums[2] + 2 * u * v * sums[1] + v * v * sums[0]


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _update_affine(sums: np.ndarray, zero: np.ndarray, mixture: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """Closed-form ``u`` and ``v`` of each micrograph, from sums as in :func:`_update_mixture`.

    The letters are those of the module's docstring.  In the paper's form ``x + zero`` takes the place of ``x``, which
    is the pixel in units of the spread, and ``v`` follows.
    """
    mean, std = (np.array(values)[:, None] for values in (mixture.mean, mixture.std))
    n = sums[0].sum(0)
    if mixture.form == "scale":
        a = (_squares(sums, np.ones_like(zero), zero) / std**2).sum(0)
        b = ((sums[1] + zero * sums[0]) * mean / std**2).sum(0)
        u = (b + np.sqrt(b * b + 4 * a * n)) / (2 * a)
        return u, u * zero
    w, x, a = (sums / std**2).sum(1)
    m, b, _ = (sums * mean / std**2).sum(1)
    a = (a - x * x / w).clip(min=1e-300)
    b = b - x * m / w
    u = (b + np.sqrt(b * b + 4 * a * n)) / (2 * a)
    return u, (m - u * x) / w


def _fix_gauge(
    n: np.ndarray, mixture: Mixture, u: np.ndarray, v: np.ndarray
) -> tuple[Mixture, np.ndarray, np.ndarray]:
    """Rescale (and shift, where offsets are free) so that neither drifts; the likelihood does not change."""
    factor = 1 / float(np.exp((n * np.log(u)).sum() / n.sum()))
    shift = 0.0 if mixture.form == "scale" else -_moments(mixture)[0]
    mean = tuple((m + shift) * factor for m in mixture.mean)
    std = tuple(s * factor for s in mixture.std)
    moved = replace(mixture, mean=(mean[0], mean[1]), std=(std[0], std[1]))
    return moved, u * factor, (v + shift) * factor
