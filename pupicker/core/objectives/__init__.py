"""Training objectives for positive and unlabelled regions.

An objective is a function of the logits of a minibatch's positive and unlabelled regions; it is registered here by
name: a new one is a new file and one line.

``base`` (what an objective is, labelled negatives), ``pn``, ``nnpu``, ``ge_kl`` and its other direction
``ge_kl_forward``, ``ge_binomial`` and its other forms ``ge_gaussian`` and ``ge_squared``.
"""

from __future__ import annotations

from pupicker.core.objectives.base import Loss, Objective
from pupicker.core.objectives.ge_binomial import ge_binomial
from pupicker.core.objectives.ge_gaussian import ge_gaussian
from pupicker.core.objectives.ge_kl import ge_kl
from pupicker.core.objectives.ge_kl_forward import ge_kl_forward
from pupicker.core.objectives.ge_squared import ge_squared
from pupicker.core.objectives.nnpu import nnpu
from pupicker.core.objectives.pn import pn

OBJECTIVES: dict[str, Objective] = {
    "ge-binomial": ge_binomial, "ge-kl-forward": ge_kl_forward, "nnpu": nnpu, "pn": pn, "ge-gaussian": ge_gaussian,
    "ge-squared": ge_squared, "ge-kl": ge_kl,
}

__all__ = ["OBJECTIVES", "Loss", "Objective"]
