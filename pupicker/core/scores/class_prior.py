r"""How many particles there are, estimated from a few labels and the scores of all candidates.

If the labels are a random sample of the particles, the fraction of held-out labels that score at least :math:`t`,
:math:`\hat R(t)`, estimates the recall of all particles; :math:`n(t)` candidates score at least :math:`t`, particles or
not.  So for every threshold :math:`n(t)/\hat R(t)` is an upper bound of the number of particles, tight where precision
is near one: the upper half of the scores.  The estimate is the bound at the median hit, which half of the labels reach:
low enough for the bound to be tight, high enough to rest on more than a few labels.

The same idea on pixels is the best-bin estimator of Garg et al. (NeurIPS 2021), which overestimates several times at
the small priors of micrographs because background pixels are a hundred times more numerous than positive ones; among
candidates after suppression they are not.

**Interval.**  The true recall at the score of the :math:`j`-th best of :math:`L_0` labels, missed ones counted as the
worst, follows Beta(:math:`j, L_0+1-j`) whatever the distribution of the scores, because labels are a random sample.
With its quantiles :math:`R_{lo}, R_{hi}` the interval is :math:`n(t)/R_{hi}` to :math:`n(t)/R_{lo}`.  It is wide where
labels are few (five labels: a factor of four), and knows nothing but the held-out labels.

Limits: labels of the easy particles only make :math:`\hat R` too high and the estimate too low; a picker that cannot
separate makes it too high, and it is clipped to what fits the area.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

INTERVAL_LEVEL = 0.9


def estimate_particles(candidates: Tensor, hits: Tensor, labels: int, max_particles: float) -> float:
    """Number of particles in the micrographs that the candidates come from.

    Parameters
    ----------
    candidates
        ``(n,)`` scores of all candidates.
    hits
        ``(m,)`` scores of those that hit a held-out label.
    labels
        Number of held-out labels, hit or not; the result is never below it.
    max_particles
        Largest number that fits.
    """
    if labels < 1:
        raise ValueError("an estimate needs at least one label")
    number: float = candidates.numel()
    if hits.numel():
        above, reached = _at_median_hit(candidates, hits)
        number = above * labels / reached
    return float(max(min(number, max_particles), labels))


def particle_interval(
    candidates: Tensor, hits: Tensor, labels: int, max_particles: float, level: float = INTERVAL_LEVEL
) -> tuple[float, float]:
    """Interval of the number of particles, from the same arguments as :func:`estimate_particles`.

    Without a hit it reaches from the labels to the largest number that fits.

    Parameters
    ----------
    level
        Probability with which the interval holds the number.
    """
    if labels < 1:
        raise ValueError("an interval needs at least one label")
    max_particles = max(max_particles, labels)
    if not hits.numel():
        return float(labels), float(max_particles)
    above, reached = _at_median_hit(candidates, hits)
    tail = (1 - level) / 2
    low, high = (above / _recall_quantile(reached, labels, q) for q in (1 - tail, tail))
    return float(min(max(low, labels), max_particles)), float(min(max(high, labels), max_particles))


def _at_median_hit(candidates: Tensor, hits: Tensor) -> tuple[int, int]:
    """Candidates and hits that score at least as high as the median hit."""
    ordered = hits.sort(descending=True).values
    threshold = ordered[(ordered.numel() + 1) // 2 - 1]
    # The hits at or above their own median are about half of them; ties count as they do among candidates.
    return int((candidates >= threshold).sum()), int((hits >= threshold).sum())


def _recall_quantile(reached: int, labels: int, probability: float) -> float:
    """Quantile of Beta(reached, labels + 1 - reached), by bisection of its binomial tail."""
    i = torch.arange(reached, labels + 1, dtype=torch.float64)
    choose = math.lgamma(labels + 1) - torch.lgamma(i + 1) - torch.lgamma(labels - i + 1)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        below = float((choose + i * math.log(middle) + (labels - i) * math.log1p(-middle)).exp().sum())
        low, high = (middle, high) if below < probability else (low, middle)
    return (low + high) / 2
