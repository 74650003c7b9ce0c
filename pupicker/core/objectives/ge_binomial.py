r"""GE-binomial: the number of positives that the classifier sees in a minibatch should be binomial.

Each of the :math:`N` unlabelled regions is positive with probability :math:`g_i`, so the classifier's number of
positives :math:`K` is Poisson-binomial, :math:`q(k)`; regions drawn at random have :math:`\mathrm{Binom}(k; N, \pi)`.

.. math:: L = E_P[-\log g] + \lambda\, H,\qquad H = -\sum_{k=0}^{N} q(k)\, \log \mathrm{Binom}(k; N, \pi),
          \quad \lambda = 1

**Direction.**  The expectation is over the classifier's counts.  The other direction,
:math:`-\sum_k \mathrm{Binom}(k)\log q(k)`, is smallest when every :math:`g_i=\pi` and punishes a classifier that is
certain and right; it must not be used.  The sum starts at :math:`k=0`.

**Distribution.**  :math:`q` is exact: the characteristic function
:math:`\prod_i (1 - g_i + g_i e^{2\pi i l/(N+1)})` at :math:`l = 0..N`, then a discrete Fourier transform (Fernández and
Williams 2010), in double precision.  The paper's Gaussian with the same mean and variance goes flat when the classifier
is certain (variance → 0 between two integers), and has no gradient when it collapses to :math:`g \approx 0`.

**Bias.**  :math:`H` is smallest at the mode of the binomial, not at its mean: the best expected count is about
:math:`N\pi - 1/2`, and zero for :math:`N\pi < 1/2`.  So :math:`-\log\mathrm{Binom}(k)` is replaced by
:math:`c(k) = -\log\mathrm{Binom}(k) + b\,k` with the slope :math:`b` that makes :math:`N\pi` the stationary point of a
classifier whose counts are binomial, :math:`b = \mathrm{Cov}(\log\mathrm{Binom}(K), K)/\mathrm{Var}(K)` for
:math:`K \sim \mathrm{Binom}(N,\pi)`.  The same correction for every classifier: it depends on :math:`N, \pi` only.

Limits: :math:`g_i=\pi` for all i gives the binomial's entropy (plus :math:`bN\pi`); a perfect classifier the same on
average.  Source: Bepler et al. (2018), GE-binomial; the exact count loss is that of Shukla et al. (NeurIPS 2023).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_of_labelled

STRENGTH = 1.0


def ge_binomial(positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
    """See the module's docstring; logits ``(n,)``, ``(m,)`` and ``(k,)``."""
    cost = count_cost(unlabelled.numel(), prior).to(unlabelled.device)
    penalty = (poisson_binomial(torch.sigmoid(unlabelled.double())) * cost).sum()
    loss = loss_of_labelled(positive, negative) + STRENGTH * penalty.to(positive.dtype)
    return Loss(loss, loss)


def poisson_binomial(probability: Tensor) -> Tensor:
    """Distribution ``(N + 1,)`` of the number of successes among independent trials ``(N,)``; float64, on the device.

    Absolute error about 1e-15 (the relative error of a small probability is not bounded).
    """
    trials = probability.numel()
    frequency = torch.arange((trials + 1) // 2 + 1, dtype=torch.float64, device=probability.device)
    angle = frequency * (2 * math.pi / (trials + 1))
    p = probability.double()[None]
    real = 1 - p + p * angle.cos()[:, None]
    imaginary = p * angle.sin()[:, None]
    log_modulus = 0.5 * torch.log((real**2 + imaginary**2).clamp(min=1e-300)).sum(1)
    phase = torch.atan2(imaginary, real).sum(1)
    # irfft of the conjugate: q(k) = 1/(N+1) sum_l phi(l) exp(-2 pi i l k / (N+1)), phi(-l) = conj(phi(l)).
    return torch.fft.irfft(torch.polar(log_modulus.exp(), -phase), n=trials + 1)


@lru_cache(maxsize=256)
def count_cost(trials: int, prior: float) -> Tensor:
    """``c(k)``, k = 0..N, of the module's docstring; float64."""
    k = torch.arange(trials + 1, dtype=torch.float64)
    n = torch.tensor(float(trials), dtype=torch.float64)
    log_pmf = (
        torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
        + k * math.log(prior) + (n - k) * math.log1p(-prior)
    )
    pmf = log_pmf.exp()
    mean, variance = trials * prior, trials * prior * (1 - prior)
    slope = float((pmf * (k - mean) * log_pmf).sum() / variance)
    return slope * k - log_pmf
