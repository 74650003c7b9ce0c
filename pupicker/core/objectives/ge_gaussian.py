r"""GE-binomial with the paper's Gaussian in the place of the exact distribution of the counts, made safe.

The number of positives that the classifier sees among N unlabelled regions has mean :math:`\mu=\sum g_i` and variance
:math:`\sigma^2=\sum g_i(1-g_i)`.  The paper takes a Gaussian with these on the integers:

.. math:: L = E_P[-\log g] + \sum_{k=0}^{N} q(k)\,c(k),\qquad
          q(k) \propto e^{-(k-\mu)^2/2\max(\sigma^2,\ \sigma_0^2)},\quad \sigma_0^2 = \tfrac14

with the cost :math:`c(k)` of :mod:`.ge_binomial`, direction and correction of the bias included.

**Made safe.**  :math:`q` is normalised over k = 0..N, as a softmax.  Without the floor :math:`\sigma_0^2` it becomes a
single integer when the classifier is certain: its gradient is then zero almost everywhere, so that a classifier that
has collapsed to :math:`g\approx 0` is never pulled back.  A quarter is the largest variance of a single region.

Limit: equals the exact form as :math:`\sigma^2` grows (central limit theorem); at :math:`\mu\approx0` the half of the
Gaussian below zero is missing, so that the expected count is a little too large.  Source: Bepler et al. (2018).
"""

from __future__ import annotations

import torch
from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_of_labelled
from pupicker.core.objectives.ge_binomial import STRENGTH, count_cost

SMALLEST_VARIANCE = 0.25


def ge_gaussian(positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
    """See the module's docstring; logits ``(n,)``, ``(m,)`` and ``(k,)``."""
    cost = count_cost(unlabelled.numel(), prior).to(unlabelled.device)
    penalty = (gaussian_counts(torch.sigmoid(unlabelled.double())) * cost).sum()
    loss = loss_of_labelled(positive, negative) + STRENGTH * penalty.to(positive.dtype)
    return Loss(loss, loss)


def gaussian_counts(probability: Tensor) -> Tensor:
    """Approximate distribution ``(N + 1,)`` of the number of successes among trials ``(N,)``."""
    mean = probability.sum()
    variance = (probability * (1 - probability)).sum().clamp(min=SMALLEST_VARIANCE)
    k = torch.arange(probability.numel() + 1, dtype=probability.dtype, device=probability.device)
    return torch.softmax(-((k - mean) ** 2) / (2 * variance), dim=0)
