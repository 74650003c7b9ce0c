"""What ice and detector add to a micrograph."""

from __future__ import annotations

import numpy as np
import pytest

from pupicker.simulation.detector import add_coloured_noise, add_line_defects, uneven_illumination


def white(seed=0, shape=(200, 160)):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("correlation_px", [1.0, 8.0, 30.0])
def test_coloured_noise_is_as_strong_as_stated_and_smoother_the_longer_it_is_correlated(correlation_px):
    image = white()
    before = image.copy()
    add_coloured_noise(np.random.default_rng(1), image, 0.5, correlation_px)
    added = image - before
    assert added.std() == pytest.approx(0.5 * before.std(), rel=1e-3)
    steps = np.diff(added, axis=0).std() / added.std()
    assert steps < np.diff(before, axis=0).std() / before.std()
    if correlation_px > 1:
        again = white()
        add_coloured_noise(np.random.default_rng(1), again, 0.5, correlation_px / 4)
        assert steps < np.diff(again - before, axis=0).std() / added.std()


@pytest.mark.parametrize("seed", range(5))
def test_illumination_is_smooth_one_in_the_middle_and_bounded(seed):
    factor = uneven_illumination(np.random.default_rng(seed), (81, 61), 0.5)
    assert factor.shape == (81, 61) and factor.dtype == np.float32
    assert factor[40, 30] == pytest.approx(1.0)
    assert (np.abs(factor - 1) <= 0.5 * 5 / 4 + 1e-6).all() and factor.std() > 0
    assert np.abs(np.diff(factor, axis=0)).max() < 0.05


@pytest.mark.parametrize("seed", [0, 2, 3, 4, 5, 8])  # of 1 there is no line
def test_a_defect_shifts_whole_lines(seed):
    image = 7 * white(shape=(120, 90))
    before = image.copy()
    add_line_defects(np.random.default_rng(seed), image, 1.0)
    shift = (image - before) / before.std()
    along, across = sorted((np.ptp(shift, axis=0).max(), np.ptp(shift, axis=1).max()))
    assert along < 1e-5 and 0.5 < across < 4
