r"""GE-KL in the other direction: the divergence from the class prior to the mean prediction.

.. math:: L = E_P[-\log g] + \lambda\, \mathrm{KL}\bigl(\mathrm{Bern}(\pi)\,\|\,\mathrm{Bern}(\bar g)\bigr),\qquad
          \bar g = E_U[g],\quad \lambda = 10

It grows without bound when the classifier collapses (:math:`\bar g \to 0`), and its gradient with respect to a logit
stays finite: with :math:`h_i = g_i(1-g_i)/m` it is :math:`\lambda h_i\,(\bar g-\pi)/(\bar g(1-\bar g))`, evaluated
through log-sum-exp.  Limits: zero exactly at :math:`\bar g = \pi`, however confident the single predictions; near it
equal to :mod:`.ge_kl`, the paper's direction, to second order.
"""

from __future__ import annotations

import math

from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_of_labelled
from pupicker.core.objectives.ge_kl import STRENGTH, log_means


def ge_kl_forward(positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
    """See the module's docstring; logits ``(n,)``, ``(m,)`` and ``(k,)``."""
    log_mean, log_rest = log_means(unlabelled)
    divergence = prior * (math.log(prior) - log_mean) + (1 - prior) * (math.log1p(-prior) - log_rest)
    loss = loss_of_labelled(positive, negative) + STRENGTH * divergence
    return Loss(loss, loss)
