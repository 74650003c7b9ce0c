r"""Picks against truth: one-to-one matching, precision, recall, average precision.

**Particles.**  Picks of all micrographs, best score first, each take the nearest truth particle of their micrograph
that is still free and at most the radius away; among picks of equal score the nearest pairs come first, so that the
order of rows means nothing.  With :math:`h_i` = 1 for a hit at rank :math:`i` and :math:`T` truth particles,

.. math:: P_k = \tfrac1k\sum_{i\le k} h_i,\quad R_k = \tfrac1T\sum_{i\le k} h_i,\quad
          \mathrm{AP} = \tfrac1T\sum_k P_k\,h_k,\quad F_1 = 2PR/(P+R).

A list that was cut at a threshold cannot have an AP above its recall.  Picks of equal score are taken together, as a
threshold takes them: one step, at which all their hits have the precision after it.  Picks without scores are one point
of precision and recall, and have no AP.

**Regions** (the paper's figure): every pixel is a sample, positive within the training radius of a truth particle;
AP is the sum of the precision over the steps of the recall, equal scores counted as one step.  With sparse truth it is
small for a good classifier too, so it is never shown alone.

Limits: no truth gives NaN, no picks an AP of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Precision and recall as the threshold decreases: one element a distinct score, best first, float64.

    Attributes
    ----------
    threshold, precision, recall, f1
        After taking all picks with a score of at least `threshold`; without scores one element, its threshold NaN.
    average_precision
        See the module's docstring; NaN without scores.
    truth_count
        Number of truth particles.
    """

    threshold: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    average_precision: float
    truth_count: int

    @property
    def ranked(self) -> bool:
        """Whether it is a curve, and not the one point of picks without scores."""
        return not np.isnan(self.threshold).any()

    @property
    def best(self) -> int:
        """Index of the highest F1 (-1 without picks)."""
        return int(self.f1.argmax()) if len(self.f1) else -1


def match_picks(picks_xy: FloatArray, score: FloatArray, truth_xy: FloatArray, radius: float) -> npt.NDArray[np.int64]:
    """Truth particle taken by each pick of one micrograph, ``(n,)``; -1 for a pick that hits none.

    `picks_xy` ``(n, 2)``, `truth_xy` ``(m, 2)`` and `radius` in the same pixels.
    """
    taken = np.full(len(picks_xy), -1, dtype=np.int64)
    free = np.ones(len(truth_xy), dtype=bool)
    if not len(truth_xy):
        return taken
    for group in _of_equal_score(score):
        for pick, particle in _nearest_pairs(picks_xy[group], truth_xy, free, radius):
            taken[group[pick]] = particle
    return taken


def _of_equal_score(score: FloatArray) -> list[npt.NDArray[np.int64]]:
    """Indices of the picks of each score, the best first."""
    order = np.argsort(-score, kind="stable")
    return np.split(order, np.flatnonzero(score[order][1:] != score[order][:-1]) + 1) if len(order) else []


def _nearest_pairs(
    picks_xy: FloatArray, truth_xy: FloatArray, free: npt.NDArray[np.bool_], radius: float
) -> list[tuple[int, int]]:
    """Picks with the particles that they take, which are no longer `free`: always the nearest pair of those left."""
    square = (picks_xy[:, :1] - truth_xy[:, 0]) ** 2 + (picks_xy[:, 1:] - truth_xy[:, 1]) ** 2
    pick, particle = np.nonzero((square <= radius * radius) & free)
    keys = (square[pick, particle], *picks_xy[pick].T, *truth_xy[particle].T)
    left, pairs = np.ones(len(picks_xy), dtype=bool), []
    for k in np.lexsort(keys[::-1]):  # the last key counts first
        if left[pick[k]] and free[particle[k]]:
            left[pick[k]] = free[particle[k]] = False
            pairs.append((int(pick[k]), int(particle[k])))
    return pairs


def precision_recall(
    hit: Sequence[npt.NDArray[np.bool_]], score: Sequence[FloatArray] | None, truth_count: int
) -> Curve:
    """Curve over the picks of all micrographs; `hit` and `score` hold one array for each micrograph.

    `score` None: nothing ranks the picks, and the curve is one point.
    """
    hits = np.concatenate([*hit, np.zeros(0, dtype=bool)]).astype(bool)
    scores = np.full(len(hits), np.nan) if score is None else np.concatenate([*score, np.zeros(0)]).astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    hits, scores = hits[order], scores[order]
    last = np.append(scores[1:] != scores[:-1], True)[:len(scores)]  # of its score
    if score is None:
        last[:-1] = False
    taken, true = np.flatnonzero(last) + 1, np.cumsum(hits)[last]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = true / taken
        recall = true / truth_count if truth_count else np.full(len(true), np.nan)
        f1 = np.where(true > 0, 2 * precision * recall / (precision + recall), 0.0)
    average = float("nan")
    if truth_count and (score is not None or not len(hits)):
        average = float((precision * np.diff(true, prepend=0)).sum() / truth_count)
    return Curve(scores[last], precision, recall, f1, average, truth_count)


def region_average_precision(score: FloatArray, positive: npt.NDArray[np.bool_]) -> float:
    """Average precision of a classification of pixels, ``(n,)`` each; NaN if none is positive."""
    total = int(positive.sum())
    if not total:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last_of_step = np.r_[np.flatnonzero(np.diff(ordered)), len(ordered) - 1]
    true = np.cumsum(positive[order])[last_of_step]
    recall_step = np.diff(np.r_[0, true]) / total
    return float((true / (last_of_step + 1) * recall_step).sum())
