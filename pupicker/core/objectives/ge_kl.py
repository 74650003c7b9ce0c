r"""GE-KL: the mean prediction on unlabelled regions is tied to the class prior by a Kullback-Leibler divergence.

.. math:: L = E_P[-\log g] + \lambda\, \mathrm{KL}\bigl(\mathrm{Bern}(\bar g)\,\|\,\mathrm{Bern}(\pi)\bigr),\qquad
          \bar g = E_U[g],\quad \lambda = 10

The paper's direction: from the prediction to the prior.  Its gradient with respect to a logit is
:math:`\lambda h_i(\mathrm{logit}\,\bar g-\mathrm{logit}\,\pi)` with :math:`h_i = g_i(1-g_i)/m`, evaluated through
log-sum-exp.  Limits: zero exactly at :math:`\bar g = \pi`, however confident the single predictions; bounded by
:math:`-\log(1-\pi)` when the classifier collapses (:math:`\bar g \to 0`), where its gradient vanishes and the labels
alone pull it back.  The other direction is :mod:`.ge_kl_forward`.  Source: Bepler et al. (2018), GE-KL, with
:math:`\lambda` from Mann and McCallum (2010) as they say.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_of_labelled

STRENGTH = 10.0


def ge_kl(positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
    """See the module's docstring; logits ``(n,)``, ``(m,)`` and ``(k,)``."""
    log_mean, log_rest = log_means(unlabelled)
    divergence = (log_mean.exp() * (log_mean - math.log(prior))
                  + log_rest.exp() * (log_rest - math.log1p(-prior)))
    loss = loss_of_labelled(positive, negative) + STRENGTH * divergence
    return Loss(loss, loss)


def log_means(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the mean of g and of the mean of 1 - g, finite for any finite logits; scalars."""
    count = math.log(logits.numel())
    return F.logsigmoid(logits).logsumexp(0) - count, F.logsigmoid(-logits).logsumexp(0) - count
