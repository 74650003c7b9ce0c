"""What scores and probabilities say about a choice of picks; pure functions on arrays."""

from __future__ import annotations

from typing import Any, NamedTuple, Tuple

import numpy as np

MOST_POINTS = 1000  # of a curve that is drawn: more than its pixels


class Expected(NamedTuple):
    """What the probabilities of picks let one expect of those that are kept."""

    particles: float  # number of particles among the kept picks
    precision: float  # fraction of the kept picks that are particles; NaN if none is kept
    recall: float  # fraction of the particles among all picks that are kept; NaN if there are none


def expected(probability: Any, kept: Any) -> Expected:
    """Expectation for the picks chosen by the mask `kept`; both arrays ``(n,)``.

    The recall is relative to the particles in the set: what was cut off before is not known here.
    """
    inside, total = float(probability[kept].sum()), float(probability.sum())
    number = int(np.count_nonzero(kept))
    return Expected(inside, inside / number if number else float("nan"), inside / total if total else float("nan"))


def measuredCurve(score: Any, hit: Any, truth: int) -> Tuple[Any, Any, Any, Any]:
    """Threshold, precision, recall and F1 as picks are taken, best first; `score`, `hit` ``(n,)``, `truth` particles.

    Equal scores are taken together, as a threshold takes them.
    """
    order = np.argsort(-score, kind="stable")
    score, true = score[order], np.cumsum(hit[order])
    last = np.append(score[1:] != score[:-1], True)[:len(score)]
    taken = np.arange(1, len(score) + 1)
    return score[last], (true / taken)[last], (true / max(1, truth))[last], (2 * true / (taken + max(1, truth)))[last]


def thinned(length: int) -> Any:
    """Which of so many points of a curve to draw: the first ones, among which it jumps, and evenly some of the rest."""
    return np.unique(np.concatenate([np.arange(min(length, MOST_POINTS // 10)),
                                     np.linspace(0, max(0, length - 1), min(length, MOST_POINTS)).astype(int)]))
