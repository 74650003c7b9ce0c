r"""The shift of logits at which they expect a given share of positives.

For logits :math:`s_i` and a share :math:`\pi`, the :math:`b` with :math:`\frac1n\sum_i \sigma(s_i+b)=\pi`.  The mean
grows strictly with :math:`b`, so there is exactly one.

Limits: equal logits :math:`s` give :math:`b=\log\frac{\pi}{1-\pi}-s`; the shift of shifted logits is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

_STEPS = 100
_REACH = 50.0


def shift_to_mean(logits: Tensor, share: float) -> float:
    """Shift of logits that makes the mean of their probabilities a share.

    Parameters
    ----------
    logits
        ``(n,)`` floating point, n > 0.
    share
        Above 1e-20, below 1.

    Raises
    ------
    ValueError
        There is no logit, or the share is not between 0 and 1.
    """
    if not logits.numel() or not 0 < share < 1:
        raise ValueError(f"there is no shift to a share of {share} for {logits.numel()} logits")
    exact = logits.double()
    low, high = float(-exact.max()) - _REACH, float(-exact.min()) + _REACH
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if float(torch.sigmoid(exact + middle).mean()) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2
