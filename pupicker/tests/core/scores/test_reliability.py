import numpy as np
import pytest

from pupicker.core.scores.reliability import reliability, wilson_interval


def test_by_hand():
    result = reliability(np.array([0.05, 0.15, 0.15, 0.95, 1.0]), np.array([False, True, False, True, True]))
    assert [(b.low, b.picks, b.hits) for b in result.bins] == [(0.0, 1, 0), (0.1, 2, 1), (0.9, 2, 2)]
    assert [b.probability for b in result.bins] == pytest.approx([0.05, 0.15, 0.975])
    assert result.calibration_error == pytest.approx((0.05 + 2 * 0.35 + 2 * 0.025) / 5)


def test_right_probabilities_have_a_small_error_and_wrong_ones_a_large_one():
    generator = np.random.default_rng(1)
    p = generator.uniform(size=20_000)
    hit = generator.uniform(size=len(p)) < p
    right, wrong = reliability(p, hit), reliability(p**3, hit)
    assert right.calibration_error < 0.02 and wrong.calibration_error > 0.15
    assert sum(b.observed_low <= b.probability <= b.observed_high for b in right.bins) >= 8  # of ten 95 % intervals


def test_nothing_to_compare():
    empty = reliability(np.zeros(0), np.zeros(0, dtype=bool))
    assert empty.bins == [] and np.isnan(empty.calibration_error)


def test_wilson_interval():
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # published example
    assert wilson_interval(0, 10)[0] == 0.0 and wilson_interval(10, 10)[1] == 1.0
    assert wilson_interval(0, 10)[1] == pytest.approx(0.2775, abs=1e-4)
