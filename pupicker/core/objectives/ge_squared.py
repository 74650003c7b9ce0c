r"""GE-squared: the squared distance of the expected prediction from the class prior, estimated without bias.

.. math:: L = E_P[-\log g] + \frac{N}{2\pi(1-\pi)}\,U,\qquad
          U = \frac{(\sum_i g_i)^2-\sum_i g_i^2}{N(N-1)} - 2\pi\,\bar g + \pi^2

over the N unlabelled regions of a minibatch.  The first term leaves out the squares :math:`g_i^2`, so that for regions
drawn at random :math:`E[U] = (E[g]-\pi)^2` whatever the confidence of the classifier: the square of the mean
:math:`\bar g` would add :math:`\mathrm{Var}(g)/N`, a reward for indecision.

This is what the GE-binomial penalty is to second order (its cost around :math:`N\pi` is
:math:`(k-N\pi)^2/2N\pi(1-\pi)`, and the variance of the counts averages out), with the same weight, without its bias
towards few positives and without a distribution of counts.

Limits: U may be negative on a single minibatch; its gradient vanishes at :math:`g_i=\pi`, and on average wherever
:math:`E[g]=\pi`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_of_labelled


def ge_squared(positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
    """See the module's docstring; logits ``(n,)``, ``(m,)`` with at least two unlabelled, and ``(k,)``."""
    penalty = squared_deviation(torch.sigmoid(unlabelled.double()), prior)
    weight = unlabelled.numel() / (2 * prior * (1 - prior))
    loss = loss_of_labelled(positive, negative) + (weight * penalty).to(positive.dtype)
    return Loss(loss, loss)


def squared_deviation(probability: Tensor, prior: float) -> Tensor:
    r"""Unbiased estimate of :math:`(E[g]-\pi)^2` from predictions ``(N,)``; scalar."""
    count = probability.numel()
    total = probability.sum()
    pairs = (total**2 - (probability**2).sum()) / (count * (count - 1))
    return pairs - 2 * prior * total / count + prior**2
