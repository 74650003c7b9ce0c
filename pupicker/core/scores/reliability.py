r"""Are probabilities what they say?  Of the picks with a probability of about p, a share of p should be hits.

Picks are put into bins of equal width by their probability.  For a bin with :math:`n` picks and :math:`k` hits the
observed share is :math:`k/n`, with the Wilson interval of a binomial share

.. math:: \frac{k + z^2/2 \pm z\sqrt{k(n-k)/n + z^2/4}}{n + z^2},\qquad z = 1.96\ (95\,\%).

The expected calibration error is :math:`\sum_b \frac{n_b}{n}\,|k_b/n_b - \bar p_b|` with the mean probability
:math:`\bar p_b` of each bin.

Limits: a particle that the truth lacks makes a sure pick look too sure.  A list that goes down to hopeless candidates
has a small error because of them; the bins say where it comes from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BINS = 10
_Z = 1.959964


@dataclass(frozen=True)
class Bin:
    """Picks with a probability from `low` to `high`: number, hits, mean probability, observed share, its interval."""

    low: float
    high: float
    picks: int
    hits: int
    probability: float
    observed: float
    observed_low: float
    observed_high: float

    def to_dict(self) -> dict[str, float]:
        """As JSON-able dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class Reliability:
    """Bins that have picks, and the expected calibration error (NaN without picks)."""

    bins: list[Bin]
    calibration_error: float


def reliability(probability: FloatArray, hit: npt.NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Compare probabilities ``(n,)`` in 0..1 with outcomes ``(n,)``."""
    number = np.minimum((probability * bins).astype(int), bins - 1)
    table = []
    for index in np.unique(number):
        own = number == index
        picks, hits = int(own.sum()), int(hit[own].sum())
        low, high = wilson_interval(hits, picks)
        table.append(Bin(index / bins, (index + 1) / bins, picks, hits, float(probability[own].mean()), hits / picks,
                         low, high))
    error = sum(b.picks * abs(b.observed - b.probability) for b in table) / len(probability) if table else float("nan")
    return Reliability(table, error)


def wilson_interval(hits: int, trials: int, z: float = _Z) -> tuple[float, float]:
    """Interval of a binomial share; 95 % by default."""
    middle, width = hits + z * z / 2, z * (hits * (trials - hits) / trials + z * z / 4) ** 0.5
    return max(0.0, (middle - width) / (trials + z * z)), min(1.0, (middle + width) / (trials + z * z))
