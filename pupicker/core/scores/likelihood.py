r"""What a raw score means: log-likelihood ratio and probability.

The network's logit is not a posterior: minibatches hold far more positives than micrographs do, and the objective
ties only its average.  So scores are calibrated on **picks of held-out micrographs** (one candidate per local maximum,
after suppression), where the question is the user's: is this pick a particle?

With candidates :math:`C` (scores :math:`s`), labelled particles of which :math:`L` were hit by a candidate, out of
:math:`L_0` labels, and :math:`T` particles expected in these micrographs, :math:`T L/L_0` of the candidates are
particles, distributed as the hit ones (labels are a random sample).  The logistic curve
:math:`p(s) = \sigma(a s + b)` minimises the positive-unlabelled logistic risk

.. math:: R(a,b) = \sum_{i\in C} \log(1 + e^{a s_i + b}) - \frac{T}{L_0} \sum_{j\in L} (a s_j + b) + \kappa (a-1)^2/2,

convex in :math:`(a, b)`, because the two logistic losses of a point differ by its argument.  At the minimum
:math:`\sum_C p = T L/L_0`: the probabilities add up to the expected number of particles, whatever the class balance was
in training.  The weak prior on the slope decides only where there are few labels.

* probability: :math:`p(s)` of a pick to be a particle;
* log-likelihood ratio: :math:`\log\frac{p(s|\mathrm{particle})}{p(s|\mathrm{not})} = a s + b - \log\frac{\rho}{1-\rho}`
  with :math:`\rho = T L/(L_0 |C|)`, the share of particles among candidates: what the pixels say, without how crowded
  the micrograph is.

**Where the number is known** without held-out labels (:func:`calibrate_by_number`), there is nothing to fit a slope to:
labels that the network has learnt score higher than other particles.  The slope is then the one that was measured with
the truth (:data:`USUAL_SLOPE`), and :math:`b` follows from :math:`\sum_C p = T L/L_0`.

**Bound.**  :math:`\rho n` particles among :math:`n` candidates cannot tell whether fewer than one in so many is false.
So the odds are bounded: where they reach :math:`1+\rho n`, at the ratio
:math:`B=\log(1+\rho n)-\log\frac{\rho}{1-\rho}`, it goes on as :math:`B+d/(1+d)`, with :math:`d` what it would be
above :math:`B`; the order of scores stays.

Limits: no candidates or no labels leave :math:`a = 1, b = 0`; where none of the labels is hit, half a one counts as
hit, with the usual slope: few of the candidates are particles then, and which is not known; below the bound the ratio
is linear in the logit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from pupicker.core.scores.log_odds import shift_to_mean

_SLOPE_PRIOR = 4.0
_LARGEST_SHARE = 0.98

USUAL_SLOPE = 1.3
"""Logistic regression on the truth gave 0.4 (beta-galactosidase) to 2.3, median 1.5, on five sets with 10 and 100
labels; with it the precision is told closer than with slopes fitted to some tens of held-out labels."""


@dataclass(frozen=True)
class Calibration:
    """Slope, intercept, share of particles among candidates, bound of the ratio (None: there is none); see the module's
    docstring.
    """

    slope: float = 1.0
    intercept: float = 0.0
    share: float = 0.5
    bound: float | None = None

    def log_likelihood_ratio(self, logit: Tensor) -> Tensor:
        """Of each raw score."""
        ratio = self.slope * logit + self.intercept - _log_odds(self.share)
        if self.bound is None:
            return ratio
        above = (ratio - self.bound).clamp(min=0)
        return torch.where(above > 0, self.bound + above / (1 + above), ratio)

    def probability(self, logit: Tensor) -> Tensor:
        """Of each raw score."""
        return torch.sigmoid(self.log_likelihood_ratio(logit) + _log_odds(self.share))

    def logit(self, log_likelihood_ratio: float) -> float:
        """The raw score that has this log-likelihood ratio; infinite if none has."""
        ratio = log_likelihood_ratio
        if self.bound is not None and ratio > self.bound:
            beyond = ratio - self.bound
            ratio = math.inf if beyond >= 1 else self.bound + beyond / (1 - beyond)
        return (ratio + _log_odds(self.share) - self.intercept) / self.slope

    def ratio_at(self, probability: float) -> float:
        """The log-likelihood ratio that has this probability."""
        return _log_odds(probability) - _log_odds(self.share)

    def to_dict(self) -> dict[str, float]:
        """As JSON-able dictionary; without what is None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def calibrate_by_number(candidates: Tensor, expected: float) -> Calibration:
    """The usual slope, at the level at which the probabilities of `candidates` ``(n,)`` add up to `expected`."""
    return with_bound(with_total(Calibration(USUAL_SLOPE), candidates, expected), candidates.numel())


def particles_found(expected: float, hits: int, labels: int) -> float:
    """Of `expected` particles those that are candidates: the share of the labels that is; of no hit, half a one."""
    return expected * max(hits, 0.5) / max(labels, 1)


def with_bound(calibration: Calibration, candidates: int) -> Calibration:
    """The same, bounded by what so many candidates can tell."""
    return replace(calibration, bound=math.log1p(calibration.share * candidates) - _log_odds(calibration.share))


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def calibrate(candidates: Tensor, hits: Tensor, labels: int, expected: float) -> Calibration:
    """Fit the calibration.

    Parameters
    ----------
    candidates
        ``(n,)`` raw scores of all candidates of the held-out micrographs.
    hits
        ``(m,)`` raw scores of the candidates that hit a held-out label.
    labels
        Number of held-out labels, hit or not.
    expected
        Number of particles expected in the held-out micrographs; lowered to what the candidates can hold.
    """
    if not candidates.numel() or not labels:
        return Calibration()
    if not hits.numel():
        return with_total(Calibration(USUAL_SLOPE), candidates, particles_found(expected, 0, labels))
    x, y = candidates.double(), hits.double()
    possible = _largest_weight(x, y)
    share = min(min(expected / labels, possible) * y.numel() / x.numel(), _LARGEST_SHARE)
    weight = share * x.numel() / y.numel()
    a, b = 1.0, _log_odds(share) - float(y.mean() + x.mean()) / 2
    for _ in range(100):
        step_a, step_b = _newton_step(x, y, weight, a, b)
        size = max(abs(step_a), abs(step_b) / 10)
        damping = min(1.0, 1 / max(size, 1e-12))
        a, b = max(a - damping * step_a, 1e-3), b - damping * step_b
        if size < 1e-9:
            break
    return Calibration(a, b, share)


def _largest_weight(candidates: Tensor, hits: Tensor) -> float:
    """Particles that a hit can stand for at most: there cannot be more above a score than there are candidates.

    The smallest ratio of candidates to hits at or above a hit, plus two of its standard errors, over the lower two
    thirds of the hits (at the very top it rests on one or two labels).  A larger weight, from too many particles
    expected, would leave the risk without a minimum.
    """
    ascending = candidates.sort().values
    ordered = hits.sort(descending=True).values
    above = (candidates.numel() - torch.searchsorted(ascending, ordered, right=False)).double()
    rank = torch.arange(1, ordered.numel() + 1, dtype=torch.float64)
    return float((above / rank * (1 + 2 / rank.sqrt()))[ordered.numel() // 3 :].min())


def _newton_step(x: Tensor, y: Tensor, weight: float, a: float, b: float) -> tuple[float, float]:
    p = torch.sigmoid(a * x + b)
    curvature = p * (1 - p)
    # The sums are over thousands of candidates; the slope prior counts as a few labels do.
    strength = _SLOPE_PRIOR * weight
    gradient = torch.stack([(p * x).sum() - weight * y.sum() + strength * (a - 1), p.sum() - weight * y.numel()])
    hessian = torch.stack([
        torch.stack([(curvature * x * x).sum() + strength, (curvature * x).sum()]),
        torch.stack([(curvature * x).sum(), curvature.sum() + 1e-9]),
    ])
    step = torch.linalg.solve(hessian, gradient)
    return float(step[0]), float(step[1])


def with_total(calibration: Calibration, candidates: Tensor, expected: float) -> Calibration:
    """The same slope with the intercept moved so that the probabilities of `candidates` add up to `expected`.

    For a network trained again on more data, whose logits are shifted against those the calibration was fitted on.
    """
    if not candidates.numel() or not expected > 0:
        return calibration
    share = min(expected / candidates.numel(), _LARGEST_SHARE)
    return Calibration(calibration.slope, shift_to_mean(calibration.slope * candidates.double(), share), share)


def expected_curve(probability: Tensor, expected: float) -> tuple[Tensor, Tensor, Tensor]:
    """Expected precision, recall and F1 of taking the best k picks, k = 1..n, from their probabilities.

    Parameters
    ----------
    probability
        ``(n,)`` in decreasing order.
    expected
        Number of particles that there are, found or not.
    """
    true = probability.double().cumsum(0)
    taken = torch.arange(1, probability.numel() + 1, dtype=torch.float64)
    precision, recall = true / taken, true / max(expected, float(true[-1]) if true.numel() else 1.0)
    return precision, recall, 2 * true / (taken + max(expected, float(true[-1]) if true.numel() else 1.0))
