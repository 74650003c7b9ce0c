r"""Common parts of the objectives.

Notation: :math:`g` is the classifier's probability (the logistic function of its logit), P the labelled positive
regions of a minibatch, U its unlabelled ones, :math:`\pi` the fraction of positives in U (see
:func:`pupicker.core.regions.regions.unlabelled_prior`).

**Labelled negatives** N ("not particles" that somebody marked) add :math:`E_N[-\log(1-g)]` to any objective: the
semi-supervised case of Bepler et al. (2018).  They are a term of their own and no part of U, because what people mark
is the misleading kind of background and no sample of it; U says how much background there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """Value of an objective on one minibatch.

    Attributes
    ----------
    objective
        What is differentiated; scalar.
    value
        What is reported (differs from `objective` where an algorithm ascends, as nnPU does); scalar.
    """

    objective: Tensor
    value: Tensor


class Objective(Protocol):
    """``objective(positive_logits, unlabelled_logits, prior) -> Loss``; 1-D float logits, prior in (0, 1)."""

    def __call__(self, positive: Tensor, unlabelled: Tensor, prior: float) -> Loss:
        """Loss of a minibatch."""
        ...


def with_negatives(loss: Loss, negative: Tensor) -> Loss:
    """The same objective with labelled negatives, logits ``(k,)``; unchanged if there are none."""
    if not negative.numel():
        return loss
    penalty = loss_as_negative(negative)
    return Loss(loss.objective + penalty, loss.value + penalty)


def loss_as_positive(logits: Tensor) -> Tensor:
    """Mean of -log g: the logistic loss of calling these regions positive."""
    return F.softplus(-logits).mean()


def loss_as_negative(logits: Tensor) -> Tensor:
    """Mean of -log(1 - g)."""
    return F.softplus(logits).mean()
