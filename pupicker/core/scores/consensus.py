r"""What several pickers say of one micrograph, as one list: which picks are of one place, and how probable it is.

**Places.** Picks of :math:`M` pickers are put together by complete linkage: every pick begins as a group of its own,
and the two groups are joined whose distance is least, the distance of groups being the largest one between a pick of
the one and a pick of the other; only if it is at most :math:`d`, and if no picker has picks in both.  So no two
picks of a group are farther apart than :math:`d`, and a picker counts once: the assignment is one to one between any
two pickers.  For two of them it is the matching in which no pick would rather have another partner that would rather
have it too.  Equal distances are settled by the positions, so neither the order of the pickers nor that of their
picks matters.  The place is the mean of its picks.

**Probability.** Pickers look at the same pixels and are often trained on the same labels: what they say is anything
but independent, and the product of their odds would be far too sure.  With :math:`p_i` the calibrated probability of
picker :math:`i` and :math:`K` pickers that have one,

.. math:: \operatorname{logit} p = \frac1K\sum_{i=1}^{K}\operatorname{logit} q_i,\qquad
          q_i = p_i\ \text{if } i \text{ has a pick there},\quad q_i = \min p_i\ \text{of all its picks else}.

This logarithmic pool (Genest and Zidek 1986) is right if all see the same evidence, each with an error of its own; for
pickers that are independent it is too cautious.  A picker that left the place out has looked there, and found less than
its weakest pick, so that its least probability is an upper bound.  Pickers without probabilities count as votes only.

**Score without any probability.**  Scores of different pickers have no common scale; their ranks do.  The score is the
mean over all pickers of the share of the picker's picks that score no higher than the one of the place, 0 for a picker
that has none there, 1 for a picker without scores.

Limits: one picker's probabilities stay as they are; pickers that agree say together what each says; the combined one is
never beyond the most certain of them.  A picker whose list was cut at a high threshold has a high floor, and those it
left out come out too probable: pick generously.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST = 1e-6
"""Probabilities count as at least this far from 0 and 1."""

_Key = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Group:
    """Picks of one place: row by picker, and the sorted positions, which settle equal distances."""

    rows: dict[int, int]
    key: _Key


def group_picks(positions: Sequence[FloatArray], distance: float) -> IntArray:
    """Groups of picks of one place on one micrograph; the rule is in the module's docstring.

    Parameters
    ----------
    positions
        ``(n_i, 2)`` x, y of each of M pickers, finite, in one unit.
    distance
        Largest distance of two picks of a group, same unit.

    Returns
    -------
    IntArray
        ``(n, M)``: row of each picker's pick in its positions, -1 where it has none; ordered by the positions of the
        groups.  Every pick is in exactly one group.
    """
    groups = {number: _Group({picker: row}, ((float(x), float(y)),)) for number, (picker, row, (x, y)) in enumerate(
        (picker, row, place) for picker, places in enumerate(positions) for row, place in enumerate(places))}
    links = _links(groups, distance)
    queue = [_entry(length, one, other, groups) for one, near in links.items() for other, length in near.items()
             if one < other]
    heapq.heapify(queue)
    number = len(groups)
    while queue:
        length, _, _, one, other = heapq.heappop(queue)
        if one not in groups or other not in groups:
            continue
        first, second = groups.pop(one), groups.pop(other)
        groups[number] = _Group({**first.rows, **second.rows}, tuple(sorted(first.key + second.key)))
        near, far = links.pop(one), links.pop(other)
        # a pair of picks that are too far apart, or of one picker, has no link, nor has any group with both
        links[number] = {third: max(near[third], far[third]) for third in near.keys() & far.keys()}
        for third in (near.keys() | far.keys()) - {one, other}:
            links[third].pop(one, None)
            links[third].pop(other, None)
        for third, length in links[number].items():
            links[third][number] = length
            heapq.heappush(queue, _entry(length, third, number, groups))
        number += 1
    members = np.full((len(groups), len(positions)), -1, dtype=np.int64)
    for index, group in enumerate(sorted(groups.values(), key=lambda group: (group.key, sorted(group.rows.items())))):
        members[index, list(group.rows)] = list(group.rows.values())
    return members


def places_of(positions: Sequence[FloatArray], members: IntArray) -> FloatArray:
    """Mean x, y ``(n, 2)`` of the picks of each group, from the answer of :func:`group_picks`; to the last bit the same
    in any order of the pickers.
    """
    chosen = np.full((*members.shape, 2), np.nan)
    for picker, places in enumerate(positions):
        there = members[:, picker] >= 0
        chosen[there, picker] = places[members[there, picker]]
    return np.asarray(_sorted_sum(chosen) / (members >= 0).sum(1)[:, None])


def combined_probability(probability: FloatArray, floor: FloatArray) -> FloatArray:
    """Probability ``(n,)`` of places; the formula is in the module's docstring.

    Parameters
    ----------
    probability
        ``(n, K)`` of each calibrated picker, NaN where it has no pick.
    floor
        ``(K,)`` least probability of all picks of each, K > 0.
    """
    log_odds = logit(np.where(np.isnan(probability), floor[None, :], probability))
    return np.asarray(1 / (1 + np.exp(-_sorted_sum(log_odds) / probability.shape[1])))


def rank_share(score: FloatArray) -> FloatArray:
    """Share ``(n,)`` of all picks that score no higher than each."""
    return np.asarray(np.searchsorted(np.sort(score), score, side="right") / max(1, len(score)))


def mean_rank(shares: FloatArray) -> FloatArray:
    """Score ``(n,)`` of places from the rank shares ``(n, M)`` of their picks, NaN where a picker has none."""
    return np.asarray(_sorted_sum(shares) / shares.shape[1])


def without_duplicates(places: FloatArray, order: Sequence[FloatArray], distance: float) -> IntArray:
    """Rows ``(k,)`` of places ``(n, 2)`` of which no two are within `distance`, best first.

    `order` are columns ``(n,)`` that say which is better, larger first, the first one first; then the position does.
    """
    keys = [places[:, 1], places[:, 0], *(-column for column in reversed(order))]
    kept: list[int] = []
    taken = np.empty((len(places), 2))
    for row in np.lexsort(keys):
        square = ((taken[: len(kept)] - places[row]) ** 2).sum(1)
        if not (square <= distance * distance).any():
            taken[len(kept)] = places[row]
            kept.append(int(row))
    return np.array(kept, dtype=np.int64)


def logit(probability: FloatArray) -> FloatArray:
    """Log-odds of probabilities, which count as at least :data:`LEAST` from 0 and 1."""
    clipped = np.clip(probability, LEAST, 1 - LEAST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _links(groups: dict[int, _Group], distance: float) -> dict[int, dict[int, float]]:
    """Distances of single picks of different pickers, where they are at most `distance`."""
    links: dict[int, dict[int, float]] = {number: {} for number in groups}
    places = np.array([group.key[0] for group in groups.values()]).reshape(-1, 2)
    picker = np.array([next(iter(group.rows)) for group in groups.values()])
    order = np.argsort(places[:, 0], kind="stable")
    ends = np.searchsorted(places[order, 0], places[order, 0] + distance * (1 + 1e-6), side="right")  # none is missed
    for index, end in enumerate(ends):
        one, others = int(order[index]), order[index + 1 : end]
        # differences squared, so that both directions give the same to the last bit
        length = np.sqrt(((places[others] - places[one]) ** 2).sum(1))
        for other, value in zip(others, length, strict=True):
            if value <= distance and picker[one] != picker[other]:
                links[one][int(other)] = links[int(other)][one] = float(value)
    return links


def _entry(length: float, one: int, other: int, groups: dict[int, _Group]) -> tuple[float, _Key, _Key, int, int]:
    first, second = sorted((groups[one].key, groups[other].key))
    return length, first, second, one, other


def _sorted_sum(values: FloatArray) -> FloatArray:
    """Sum over the second axis without NaN, the same to the last bit in any order."""
    return np.asarray(np.nansum(np.sort(values, axis=1), axis=1))
