r"""Common parts of the objectives.

Notation: :math:`g` is the classifier's probability (the logistic function of its logit), P the labelled positive
regions of a minibatch, U its unlabelled ones, :math:`\pi` the fraction of positives in U (see
:func:`pupicker.core.regions.regions.unlabelled_prior`).

**Labelled negatives** N ("not particles" that somebody marked) are no part of U, because what people mark is the
misleading kind of background and no sample of it; U says how much background there is.  The generalised expectations
take them into their first term, which becomes one expectation over all labelled regions of a minibatch,

.. math:: E_{P\cup N}[H(g, y)] = \frac{\sum_P -\log g + \sum_N -\log(1-g)}{|P|+|N|}

(what Bepler et al. 2018 say of the semi-supervised case, in their discussion).  PN and nnPU, whose first term has the
weight of the prior, and of which the paper says nothing there, get :math:`E_N[-\log(1-g)]` as a term of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
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
    """``objective(positive, unlabelled, prior, negative) -> Loss``; 1-D float logits, prior in (0, 1).

    `negative`: those of labelled negatives; None or empty: there are none.
    """

    def __call__(self, positive: Tensor, unlabelled: Tensor, prior: float, negative: Tensor | None = None) -> Loss:
        """Loss of a minibatch."""
        ...


def loss_of_labelled(positive: Tensor, negative: Tensor | None) -> Tensor:
    """Mean logistic loss of all labelled regions, logits ``(n,)`` and ``(k,)``, each with its own label."""
    if negative is None or not negative.numel():
        return loss_as_positive(positive)
    return torch.cat([F.softplus(-positive), F.softplus(negative)]).mean()


def with_negatives(loss: Loss, negative: Tensor | None) -> Loss:
    """The same objective and a term of labelled negatives, logits ``(k,)``; unchanged if there are none."""
    if negative is None or not negative.numel():
        return loss
    penalty = loss_as_negative(negative)
    return Loss(loss.objective + penalty, loss.value + penalty)


def loss_as_positive(logits: Tensor) -> Tensor:
    """Mean of -log g: the logistic loss of calling these regions positive."""
    return F.softplus(-logits).mean()


def loss_as_negative(logits: Tensor) -> Tensor:
    """Mean of -log(1 - g)."""
    return F.softplus(logits).mean()
