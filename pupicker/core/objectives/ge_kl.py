r"""GE-KL: the mean prediction on unlabelled regions is tied to the class prior by a Kullback-Leibler divergence.

.. math:: L = E_P[-\log g] + \lambda\, \mathrm{KL}\bigl(\mathrm{Bern}(\pi)\,\|\,\mathrm{Bern}(\bar g)\bigr),\qquad
          \bar g = E_U[g],\quad \lambda = 10

The divergence is taken from the prior to the prediction, so that it grows without bound when the classifier collapses
(:math:`\bar g \to 0`), and its gradient with respect to a logit stays finite: with :math:`h_i = g_i(1-g_i)/m` it is
:math:`h_i\,(\bar g-\pi)/(\bar g(1-\bar g))`, evaluated through log-sum-exp.  Limits: zero exactly at
:math:`\bar g = \pi`, however confident the single predictions.  Source: Bepler et al. (2018), GE-KL; Mann and McCallum
(2010) for generalised expectation criteria.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_as_positive

STRENGTH = 10.0


def ge_kl(positive: Tensor, unlabelled: Tensor, prior: float) -> Loss:
    """See the module's docstring; logits ``(n,)`` and ``(m,)``."""
    count = math.log(unlabelled.numel())
    log_mean = F.logsigmoid(unlabelled).logsumexp(0) - count
    log_rest = F.logsigmoid(-unlabelled).logsumexp(0) - count
    divergence = prior * (math.log(prior) - log_mean) + (1 - prior) * (math.log1p(-prior) - log_rest)
    loss = loss_as_positive(positive) + STRENGTH * divergence
    return Loss(loss, loss)
