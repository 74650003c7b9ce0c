r"""PN: unlabelled regions are called negative.

.. math:: L = \pi\, E_P[-\log g] + (1-\pi)\, E_U[-\log(1-g)]

Limit: wrong by construction where positives are left unlabelled; the baseline of Bepler et al. (2018).
"""

from __future__ import annotations

from torch import Tensor

from pupicker.core.objectives.base import Loss, loss_as_negative, loss_as_positive, with_negatives


def pn(positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
    """See the module's docstring; logits ``(n,)``, ``(m,)`` and ``(k,)``."""
    loss = prior * loss_as_positive(positive) + (1 - prior) * loss_as_negative(unlabelled)
    return with_negatives(Loss(loss, loss), negative)
