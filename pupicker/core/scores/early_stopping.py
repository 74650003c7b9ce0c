r"""How good a picker is, judged by positives and unlabelled candidates only.

For held-out labels :math:`j = 1..L_0`, sorted by the score of the candidate that hits them, recall after the first
:math:`j` is :math:`j/L_0`, of the labels and, as they are a random sample, of all :math:`T` particles.  Among the
:math:`n_j` candidates that score at least as high, :math:`T j/L_0` are particles, hence

.. math:: \widehat{\mathrm{AP}} = \frac{1}{L_0} \sum_j \min\Bigl(1, \frac{T j}{L_0\, n_j}\Bigr),

the average precision with unlabelled particles counted as what they are.  Labels that no candidate hits add nothing.

Limits: with few labels the estimate is rough (100 labels: 0.06), but the labels are the same for all epochs:
differences are finer.  The cut at one makes it low where precision is near one: by 0.04 for a perfect picker and 100
labels, 0.02 for 400.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pu_average_precision(candidates: Tensor, hits: Tensor, labels: int, expected: float) -> float:
    """Estimate of the average precision.

    Parameters
    ----------
    candidates
        ``(n,)`` scores of all candidates.
    hits
        ``(m,)`` scores of those that hit a held-out label.
    labels
        Number of held-out labels, hit or not.
    expected
        Number of particles ``T`` in the same micrographs.
    """
    ascending = candidates.double().sort().values
    ordered = hits.double().sort(descending=True).values
    above = candidates.numel() - torch.searchsorted(ascending, ordered, right=False)
    rank = torch.arange(1, ordered.numel() + 1, dtype=torch.float64)
    precision = (expected * rank / labels / above.clamp(min=1)).clamp(max=1.0)
    return float(precision.sum() / labels)


def best_epoch(values: Sequence[float], labels: int, first: int = 0, window: int = 3) -> int:
    """Index of the epoch to keep: the last one that cannot be told from the best.

    Values are averaged over neighbouring epochs (`window`, fewer at the ends).  An average precision `v` from so many
    labels has a standard error of about ``sqrt(v (1 - v) / labels)``; of all epochs within one such error of the best,
    the longest trained is taken, because training that is cut short costs more than training that goes on a little
    too long.

    Parameters
    ----------
    values
        Estimated average precision of each epoch.
    labels
        Number of held-out labels that they rest on.
    first
        Epochs before this index are not considered, if there are later ones.
    """
    reach = window // 2
    means = []
    for index in range(len(values)):
        around = values[max(0, index - reach) : index + reach + 1]
        means.append(sum(around) / len(around))
    considered = range(min(first, len(values) - 1), len(values))
    best = max(means[i] for i in considered)
    error = (max(0.0, best * (1 - best)) / labels) ** 0.5
    return max(i for i in considered if means[i] >= best - error)
