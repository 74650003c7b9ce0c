import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pupicker.core.scores.metrics import match_picks, precision_recall, region_average_precision


def match_one_by_one(picks, score, truth, radius):
    """Best score first, of equal ones the nearest pair; each takes a free truth within the radius."""
    taken, free = [-1] * len(picks), set(range(len(truth)))
    for value in sorted(set(score), reverse=True):
        left = {i for i in range(len(picks)) if score[i] == value}
        while True:
            near = sorted((math.dist(picks[i], truth[j]), *picks[i], *truth[j], i, j) for i in left for j in free)
            if not near or near[0][0] > radius:
                break
            *_, pick, particle = near[0]
            taken[pick] = particle
            left.remove(pick)
            free.remove(particle)
    return taken


grid = st.tuples(st.integers(0, 12), st.integers(0, 12))


@settings(max_examples=150)
@given(st.lists(st.tuples(grid, st.integers(0, 4)), max_size=12), st.lists(grid, max_size=10),
       st.sampled_from([0.0, 1.0, 2.5, 5.0, 30.0]))
def test_matching_equals_brute_force_and_is_one_to_one(picks, truth, radius):
    xy = np.array([p for p, _ in picks], dtype=float).reshape(-1, 2)
    score = np.array([s for _, s in picks], dtype=float)
    taken = match_picks(xy, score, np.array(truth, dtype=float).reshape(-1, 2), radius)
    expected = np.array(match_one_by_one(xy.tolist(), score.tolist(), truth, radius), dtype=int)
    assert (taken >= 0).sum() == (expected >= 0).sum()
    for value in set(score.tolist()):  # which of two picks at one place takes it is nobody's business
        distances = [sorted(math.dist(xy[i], truth[t[i]]) for i in np.flatnonzero(score == value) if t[i] >= 0)
                     for t in (taken, expected)]
        assert distances[0] == distances[1]
    hits = taken[taken >= 0]
    assert len(set(hits.tolist())) == len(hits)


@settings(max_examples=100)
@given(st.lists(st.tuples(grid, st.integers(0, 2)), max_size=12), st.lists(grid, max_size=10), st.randoms())
def test_the_order_of_rows_means_nothing(picks, truth, random):
    """Hits of each score, so every point of the curve and the average precision."""
    shuffled, moved = random.sample(picks, len(picks)), random.sample(truth, len(truth))

    def curve(rows, particles):
        xy = np.array([p for p, _ in rows], dtype=float).reshape(-1, 2)
        score = np.array([s for _, s in rows], dtype=float)
        taken = match_picks(xy, score, np.array(particles, dtype=float).reshape(-1, 2), 3.0)
        return precision_recall([taken >= 0], [score], len(particles) or 1)

    first, second = curve(picks, truth), curve(shuffled, moved)
    assert first.precision.tolist() == second.precision.tolist()
    assert first.average_precision == second.average_precision


def test_of_equal_scores_the_nearest_pair_comes_first():
    truth = np.array([[0.0, 0.0], [4.0, 0.0]])
    picks = np.array([[2.0, 0.0], [0.5, 0.0]])
    assert match_picks(picks, np.zeros(2), truth, 2.5).tolist() == [1, 0]  # row by row the first would not leave it
    assert match_picks(picks[::-1], np.zeros(2), truth, 2.5).tolist() == [0, 1]


def test_the_better_pick_takes_the_particle_and_the_other_is_a_false_positive():
    picks = np.array([[10.0, 10.0], [11.0, 10.0], [40.0, 40.0]])
    truth = np.array([[10.0, 10.0], [43.0, 44.0]])
    assert match_picks(picks, np.array([1.0, 2.0, 0.0]), truth, 5.0).tolist() == [-1, 0, 1]
    assert match_picks(picks, np.array([2.0, 1.0, 0.0]), truth, 4.9).tolist() == [0, -1, -1]


def test_a_pick_goes_on_to_the_next_nearest_when_the_nearest_is_taken():
    truth = np.array([[0.0, 0.0], [3.0, 0.0]])
    picks = np.array([[0.5, 0.0], [0.6, 0.0]])
    assert match_picks(picks, np.array([2.0, 1.0]), truth, 3.0).tolist() == [0, 1]


@pytest.mark.parametrize(("picks", "truth"), [(0, 0), (0, 3), (4, 0)])
def test_nothing_matches_nothing(picks, truth):
    taken = match_picks(np.zeros((picks, 2)), np.zeros(picks), np.zeros((truth, 2)), 5.0)
    assert taken.tolist() == [-1] * picks and taken.dtype == np.int64


def test_curve_of_a_worked_example():
    # Ranks: hit, miss, hit, miss over two micrographs; four particles, of which one is never picked and one not hit.
    hit = [np.array([False, True]), np.array([True, False])]
    score = [np.array([0.5, 0.9]), np.array([0.4, 0.1])]
    curve = precision_recall(hit, score, 4)
    assert curve.threshold.tolist() == [0.9, 0.5, 0.4, 0.1]
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert curve.recall.tolist() == pytest.approx([1 / 4, 1 / 4, 1 / 2, 1 / 2])
    assert curve.f1.tolist() == pytest.approx([2 / 5, 1 / 3, 4 / 7, 1 / 2])
    assert curve.average_precision == pytest.approx((1 + 2 / 3) / 4)
    assert (curve.best, curve.truth_count) == (2, 4)


@settings(max_examples=100)
@given(st.lists(st.lists(st.tuples(st.booleans(), st.floats(-5, 5)), max_size=8), max_size=4), st.integers(0, 5))
def test_curve_equals_counting_at_every_rank(micrographs, missed):
    hit = [np.array([h for h, _ in m], dtype=bool) for m in micrographs]
    score = [np.array([s for _, s in m], dtype=float) for m in micrographs]
    flat = sorted(((s, h) for m in micrographs for h, s in m), key=lambda pair: -pair[0])
    total = sum(h for _, h in flat) + missed
    curve = precision_recall(hit, score, total)
    if not total:
        assert math.isnan(curve.average_precision)
        return
    average, found = 0.0, 0
    thresholds = sorted({s for s, _ in flat}, reverse=True)
    assert curve.threshold.tolist() == thresholds and curve.ranked
    for step, threshold in enumerate(thresholds):
        taken = [h for s, h in flat if s >= threshold]
        true = sum(taken)
        average += (true - found) * true / len(taken) / total
        found = true
        assert curve.precision[step] == pytest.approx(true / len(taken))
        assert curve.recall[step] == pytest.approx(true / total)
        assert curve.f1[step] == pytest.approx(2 * true / (len(taken) + total))
    assert curve.average_precision == pytest.approx(average)
    assert curve.average_precision <= (curve.recall[-1] if len(flat) else 0) + 1e-12


def test_without_scores_there_is_one_point_and_no_average_precision():
    hit = [np.array([True, False, True]), np.array([False])]
    curve = precision_recall(hit, None, 8)
    assert np.isnan(curve.threshold).tolist() == [True] and not curve.ranked
    assert (curve.precision.tolist(), curve.recall.tolist()) == ([0.5], [0.25])
    assert curve.f1.tolist() == pytest.approx([1 / 3]) and math.isnan(curve.average_precision)
    assert precision_recall([], None, 8).average_precision == 0.0


def test_perfect_picks_have_an_average_precision_of_one():
    curve = precision_recall([np.array([True, True])], [np.array([2.0, 1.0])], 2)
    assert curve.average_precision == 1.0
    assert curve.f1[curve.best] == 1.0


def test_no_picks_have_an_average_precision_of_zero():
    curve = precision_recall([], [], 3)
    assert curve.average_precision == 0.0
    assert curve.best == -1 and len(curve.threshold) == 0
    assert precision_recall([np.zeros(0, dtype=bool)], [np.zeros(0)], 3).average_precision == 0.0


def test_no_truth_gives_no_number():
    curve = precision_recall([np.array([False, False])], [np.array([2.0, 1.0])], 0)
    assert math.isnan(curve.average_precision)
    assert np.isnan(curve.recall).all()
    assert curve.precision.tolist() == [0.0, 0.0]


def stepwise_average_precision(score, positive):
    """Sum over the distinct thresholds of precision times the step of the recall."""
    average, recall = 0.0, 0.0
    for threshold in sorted(set(score), reverse=True):
        called = [p for s, p in zip(score, positive, strict=True) if s >= threshold]
        new = sum(called) / sum(positive)
        average += (new - recall) * sum(called) / len(called)
        recall = new
    return average


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40))
def test_region_average_precision_equals_the_sum_over_thresholds(pixels):
    score, positive = [float(s) for s, _ in pixels], [p for _, p in pixels]
    value = region_average_precision(np.array(score), np.array(positive))
    if any(positive):
        assert value == pytest.approx(stepwise_average_precision(score, positive))
    else:
        assert math.isnan(value)


def test_region_average_precision_does_not_depend_on_the_order_of_equal_scores():
    score = np.array([1.0, 1.0, 0.0, 0.0])
    first = region_average_precision(score, np.array([True, False, True, False]))
    assert first == region_average_precision(score, np.array([False, True, False, True])) == pytest.approx(0.5)


def test_region_average_precision_of_a_constant_score_is_the_share_of_positives():
    assert region_average_precision(np.zeros(50), np.arange(50) < 7) == pytest.approx(0.14)
