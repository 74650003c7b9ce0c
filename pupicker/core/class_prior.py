r"""How many particles there are, estimated from a few labels and the scores of all candidates.

If the labels are a random sample of the particles, the fraction of held-out labels that score at least :math:`t`,
:math:`\hat R(t)`, estimates the recall of all particles; :math:`n(t)` candidates score at least :math:`t`, particles or
not.  So for every threshold :math:`n(t)/\hat R(t)` is an upper bound of the number of particles, tight where precision
is near one: the upper half of the scores.  The estimate is the bound at the median hit, which half of the labels reach:
low enough for the bound to be tight, high enough to rest on more than a few labels.

The same idea on pixels is the best-bin estimator of Garg et al. (NeurIPS 2021), which overestimates several times at
the small priors of micrographs because background pixels are a hundred times more numerous than positive ones; among
candidates after suppression they are not.

Limits: labels of the easy particles only make :math:`\hat R` too high and the estimate too low; a picker that cannot
separate makes it too high, and it is clipped to what fits the area.
"""

from __future__ import annotations

import torch
from torch import Tensor


def estimate_particles(candidates: Tensor, hits: Tensor, labels: int, most: float) -> float:
    """Number of particles in the micrographs that the candidates come from.

    Parameters
    ----------
    candidates
        ``(n,)`` scores of all candidates.
    hits
        ``(m,)`` scores of those that hit a held-out label.
    labels
        Number of held-out labels, hit or not; the result is never below it.
    most
        Largest number that fits.
    """
    if labels < 1:
        raise ValueError("an estimate needs at least one label")
    if not hits.numel():
        return float(min(max(candidates.numel(), labels), most))
    ordered = hits.sort(descending=True).values
    rank = (ordered.numel() + 1) // 2
    threshold = ordered[rank - 1]
    above = int((candidates >= threshold).sum())
    # The hits at or above their own median are rank of labels; ties count as they do among candidates.
    reached = int(torch.count_nonzero(hits >= threshold))
    return float(min(max(above * labels / reached, labels), max(most, labels)))
