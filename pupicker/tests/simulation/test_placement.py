import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pupicker.simulation.placement import inside, place_particles


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000), width=st.integers(50, 300), height=st.integers(50, 300),
    distance=st.floats(3, 25), reach=st.floats(0, 20), count=st.integers(0, 40),
)
def test_positions_keep_their_distance_and_count(seed, width, height, distance, reach, count):
    positions = place_particles(np.random.default_rng(seed), width, height, count, distance, reach)
    apart = np.hypot(*(positions[:, None] - positions[None]).transpose(2, 0, 1))
    assert (apart[~np.eye(len(positions), dtype=bool)] >= distance).all()
    n_inside = inside(positions, width, height).sum()
    assert n_inside <= count
    if count * np.pi / 4 * distance**2 < 0.4 * width * height:
        assert n_inside == count
    assert (positions >= -reach).all() and (positions <= np.array([width, height]) - 1 + reach).all()


def test_some_particles_are_cut_by_the_border():
    positions = place_particles(np.random.default_rng(0), 200, 200, 60, 15, reach_px=10)
    assert 5 < (~inside(positions, 200, 200)).sum() < 40


def test_closed_areas_stay_empty():
    positions = place_particles(
        np.random.default_rng(0), 200, 200, 40, 10, is_free=lambda p: np.hypot(p[:, 0] - 100, p[:, 1] - 100) > 50
    )
    assert len(positions) == 40
    assert (np.hypot(*(positions - 100).T) > 50).all()


def test_full_micrograph_holds_fewer():
    positions = place_particles(np.random.default_rng(0), 50, 50, 100, 20)
    assert 3 <= len(positions) < 12


@pytest.mark.parametrize(("x", "y", "expected"), [(0, 0, True), (9, 4, True), (9.01, 4, False), (3, -0.1, False)])
def test_inside_ends_at_the_outer_pixel_centres(x, y, expected):
    assert inside(np.array([[x, y]]), 10, 5)[0] == expected
