r"""How many particles there are, from the shape of the scores: a mixture of particles and of everything else.

The scores of all candidates follow :math:`\alpha f_P + (1-\alpha) f_N`.  :math:`f_P` is the density of the scores of
the held-out labels that were hit, smoothed by a Gaussian kernel (Silverman's width); :math:`f_N` is a Gaussian.
Expectation-maximisation finds :math:`\alpha` and :math:`f_N`; with :math:`L` of :math:`L_0` labels hit the number of
particles is :math:`\alpha n L_0/L`.

Unlike the bound of :mod:`pupicker.core.scores.class_prior` it uses all scores, and takes off what is no particle above
the median hit.  But the kernel of three or four scores that overlap with the others says little, and the mixture may
then collapse to almost no particles or to almost only.  So the result is clipped to the interval that the labels alone
leave (:func:`pupicker.core.scores.class_prior.particle_interval`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pupicker.core.scores.class_prior import estimate_particles, particle_interval

_MOST_ITERATIONS = 200


def mixture_particles(candidates: Tensor, hits: Tensor, labels: int, max_particles: float) -> float:
    """Number of particles; the same arguments and limits as
    :func:`pupicker.core.scores.class_prior.estimate_particles`.
    """
    low, high = particle_interval(candidates, hits, labels, max_particles)
    start = estimate_particles(candidates, hits, labels, max_particles)
    x, y = candidates.double(), hits.double()
    if not hits.numel() or x.numel() < 2 or float(x.std()) == 0:
        return start
    share = _share_of_particles(x, y, min(0.9, start / x.numel() * y.numel() / labels))
    return min(max(share * x.numel() * labels / y.numel(), low), high)


def _share_of_particles(x: Tensor, hits: Tensor, share: float) -> float:
    spread = float(x.std())
    silverman = 1.06 * float(hits.std()) * hits.numel() ** -0.2 if hits.numel() > 1 else spread
    particle = _normal(x[:, None], hits, max(silverman, 0.1 * spread)).mean(1)
    mean, deviation = float(x.quantile(0.4)), spread
    for _ in range(_MOST_ITERATIONS):
        other = _normal(x, mean, deviation)
        belongs = share * particle / (share * particle + (1 - share) * other + 1e-300)
        weight = 1 - belongs
        total = float(weight.sum()) + 1e-9
        mean = float((weight * x).sum()) / total
        deviation = max((float((weight * (x - mean) ** 2).sum()) / total) ** 0.5, 0.05 * spread)
        before, share = share, float(belongs.mean())
        if abs(share - before) < 1e-6:
            break
    return share


def _normal(x: Tensor, mean: Tensor | float, deviation: float) -> Tensor:
    return torch.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
