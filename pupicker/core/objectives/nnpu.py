r"""nnPU: the unbiased risk of positive-unlabelled data, its negative part kept from going below zero.

.. math:: L = \pi\, E_P[-\log g] + \max\bigl(0,\ R^-\bigr),\qquad
          R^- = E_U[-\log(1-g)] - \pi\, E_P[-\log(1-g)]

When :math:`R^- < 0` on a minibatch (the network has begun to learn its unlabelled positives by heart), the step goes
up :math:`R^-` instead (:math:`-R^-` is differentiated), as in the authors' algorithm with :math:`\beta=0, \gamma=1`.

Limit: for :math:`\pi \to 0` this becomes PN's negative part.  Source: Kiryo et al., NeurIPS 2017, eq. 6 and
algorithm 1; a baseline of Bepler et al. (2018).
"""

from __future__ import annotations

from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_as_negative, loss_as_positive, with_negatives


def nnpu(positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
    """See the module's docstring; logits ``(n,)``, ``(m,)`` and ``(k,)``."""
    positive_risk = prior * loss_as_positive(positive)
    negative_risk = loss_as_negative(unlabelled) - prior * loss_as_negative(positive)
    value = positive_risk + negative_risk.clamp(min=0)
    if negative_risk.item() < 0:
        return with_negatives(Loss(-negative_risk, value), negative)
    return with_negatives(Loss(value, value), negative)
