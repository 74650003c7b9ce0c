import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pupicker.core.detection.suppression import local_maxima, pick, refine_maxima, suppress

values = st.one_of(st.integers(-3, 3).map(float), st.sampled_from([float("nan"), float("inf"), -float("inf")]))


@st.composite
def maps(draw):
    """Small maps full of ties, plateaus and scores that are no numbers; also empty and one pixel thin."""
    height, width = draw(st.tuples(st.integers(0, 8), st.integers(0, 8)))
    element = draw(st.sampled_from([values, st.integers(0, 1).map(float), st.just(2.0)]))
    flat = draw(st.lists(element, min_size=height * width, max_size=height * width))
    return np.array(flat, dtype=np.float32).reshape(height, width)


def maxima_of(scores):
    """Pixel by pixel, from the definition."""
    height, width = scores.shape
    found = []
    for i in range(height):
        for j in range(width):
            value = scores[i, j]
            if not math.isfinite(value):
                continue
            neighbours = [
                (u, v) for u in (i - 1, i, i + 1) for v in (j - 1, j, j + 1)
                if (u, v) != (i, j) and 0 <= u < height and 0 <= v < width and math.isfinite(scores[u, v])
            ]
            if all(scores[n] < value or (scores[n] == value and n > (i, j)) for n in neighbours):
                found.append((i, j))
    return found


def greedy(points, scores, distance):
    """Best first, ties by index; quadratic."""
    kept = []
    for index in sorted(range(len(points)), key=lambda i: (-scores[i], i)):
        if all(np.sum((points[index] - points[k]) ** 2) > distance**2 for k in kept):
            kept.append(index)
    return kept


def parabola(scores, i, j):
    """Vertex on either axis and height above the whole-pixel maximum."""
    position, height = [float(i), float(j)], float(scores[i, j])
    for axis, index in enumerate((i, j)):
        if not 0 < index < scores.shape[axis] - 1:
            continue
        low, high = (float(scores[(i + d, j) if axis == 0 else (i, j + d)]) for d in (-1, 1))
        centre = float(scores[i, j])
        if not (math.isfinite(low) and math.isfinite(high)) or low + high - 2 * centre >= 0:
            continue
        position[axis] += (low - high) / (2 * (low - 2 * centre + high))
        height -= (high - low) ** 2 / (8 * (low - 2 * centre + high))
    return position, height


@settings(max_examples=150)
@given(maps())
def test_local_maxima_equal_the_definition(scores):
    found = local_maxima(torch.from_numpy(scores))
    assert found.dtype == torch.int64 and found.shape[1] == 2
    assert [tuple(p) for p in found.tolist()] == maxima_of(scores)


points_strategy = st.lists(st.tuples(st.integers(-6, 12), st.integers(-6, 12), st.integers(0, 4)), max_size=25)


@settings(max_examples=150)
@given(points_strategy, st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 2.83, 5.0, 40.0]))
def test_suppression_of_points_equals_brute_force(points, distance):
    positions = np.array([p[:2] for p in points], dtype=np.float64).reshape(-1, 2)
    scores = np.array([p[2] for p in points], dtype=np.float64)
    kept = suppress(torch.from_numpy(positions), torch.from_numpy(scores), distance)
    assert kept.dtype == torch.int64
    assert kept.tolist() == greedy(positions, scores, distance)


@settings(max_examples=200)
@given(maps(), st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 20.0]), st.sampled_from([-float("inf"), 0.0, 2.0]))
def test_picks_equal_brute_force_and_lie_inside(scores, distance, threshold):
    refined = [(p, h) for p, h in (parabola(scores, i, j) for i, j in maxima_of(scores)) if h >= threshold]
    positions = np.array([p for p, _ in refined]).reshape(-1, 2)
    kept = greedy(positions, [h for _, h in refined], distance)
    found, heights = pick(torch.from_numpy(scores), distance, threshold)
    assert found.shape == (len(kept), 2) and found.dtype == torch.float64
    assert np.array_equal(found.numpy(), positions[kept])
    assert heights.tolist() == [refined[k][1] for k in kept]
    assert bool((found >= 0).all())
    assert bool((found <= torch.tensor(scores.shape) - 1).all())


@pytest.mark.parametrize("distance", [2.0, 5.7, 13.0])
def test_picks_of_a_larger_smooth_map_equal_brute_force(distance):
    noise = torch.randn(1, 1, 74, 93, generator=torch.Generator().manual_seed(2))
    scores = torch.nn.functional.avg_pool2d(noise, 5, 1)[0, 0].numpy()
    refined = [parabola(scores, i, j) for i, j in maxima_of(scores)]
    positions = np.array([p for p, _ in refined])
    kept = greedy(positions, [h for _, h in refined], distance)
    found, heights = pick(torch.from_numpy(scores), distance)
    assert len(kept) > 10
    np.testing.assert_allclose(found.numpy(), positions[kept], atol=1e-12)
    np.testing.assert_allclose(heights.numpy(), [refined[k][1] for k in kept], atol=1e-12)
    gaps = torch.cdist(found, found) + torch.eye(len(found)) * 1e9
    assert float(gaps.min()) > distance


@pytest.mark.parametrize("row", [0, 1, 10, 21, 22])
@pytest.mark.parametrize("column", [0, 1, 15, 29, 30])
def test_a_peak_at_any_border_or_corner_is_one_pick_inside(row, column):
    """A clip one pixel too wide at the right and bottom border would let the peak's flank through."""
    y, x = torch.meshgrid(torch.arange(23.0), torch.arange(31.0), indexing="ij")
    scores = -((y - row) ** 2 + (x - column) ** 2)
    position, height = pick(scores, 6.0, -60.0)
    assert position.tolist() == [[row, column]]
    assert height.tolist() == [0.0]


@pytest.mark.parametrize(("dy", "dx"), [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1)])
def test_a_slope_that_rises_out_of_the_map_is_picked_on_its_border(dy, dx):
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(12.0), indexing="ij")
    position, _ = pick(dy * y + dx * x, 30.0)
    assert len(position) == 1
    if dy:
        assert position[0, 0] == (8 if dy > 0 else 0)
    if dx:
        assert position[0, 1] == (11 if dx > 0 else 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (17, 23)])
def test_a_constant_map_has_one_pick(shape):
    position, height = pick(torch.full(shape, 1.5), 3.0)
    assert position.tolist() == [[0, 0]]
    assert height.tolist() == [1.5]


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_an_empty_map_has_no_pick(shape):
    position, height = pick(torch.zeros(shape), 3.0)
    assert position.shape == (0, 2) and height.shape == (0,)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_are_never_picks_and_hide_no_other(value):
    assert len(pick(torch.full((6, 7), value), 2.0)[0]) == 0
    scores = torch.zeros(9, 9)
    scores[4, 4], scores[4, 5], scores[0, 0] = 5.0, value, value
    position, height = pick(scores, 3.0, 1.0)
    # The axis with the odd neighbour stays at the whole pixel.
    assert position.tolist() == [[4.0, 4.0]] and height.tolist() == [5.0]


def test_threshold_is_inclusive_and_that_of_the_refined_score():
    scores = torch.zeros(7, 7)
    scores[3, 3], scores[3, 4] = 2.0, 1.9
    _, height = pick(scores, 2.0)
    assert float(height[0]) > 2.2
    assert len(pick(scores, 2.0, float(height[0]))[0]) == 1
    assert len(pick(scores, 2.0, float(height[0]) + 1e-9)[0]) == 0


@pytest.mark.parametrize("threshold", [0.1, 0.4, 0.8])
def test_picks_at_a_threshold_are_those_of_the_whole_list_that_reach_it(threshold):
    noise = torch.randn(1, 1, 74, 93, generator=torch.Generator().manual_seed(2))
    scores = torch.nn.functional.avg_pool2d(noise, 3, 1)[0, 0]
    position, height = pick(scores, 6.0)
    above = height >= threshold
    found, value = pick(scores, 6.0, threshold)
    assert 0 < len(found) < len(position)
    assert torch.equal(found, position[above]) and torch.equal(value, height[above])


def test_distance_is_inclusive_and_equal_scores_go_by_row_order():
    scores = torch.zeros(5, 9)
    scores[2, 2] = scores[2, 6] = 1.0
    assert pick(scores, 4.0, 0.5)[0].tolist() == [[2.0, 2.0]]
    assert pick(scores, 3.99, 0.5)[0].tolist() == [[2.0, 2.0], [2.0, 6.0]]


def test_what_is_excluded_suppresses_nothing_beside_it():
    """A crystal beside a particle, nearer than two picks may be, must not cost the particle."""
    scores = torch.zeros(20, 20)
    scores[10, 8], scores[10, 12] = 9.0, 3.0
    excluded = torch.zeros(20, 20, dtype=torch.bool)
    excluded[:, :10] = True
    position, height = pick(scores, 6.0, 1.0, excluded)
    assert position.tolist() == [[10.0, 12.0]] and height.tolist() == [3.0]
    assert pick(scores, 6.0, 1.0)[0].tolist() == [[10.0, 8.0]]


@settings(max_examples=60)
@given(st.floats(4.5, 9.5), st.floats(5.5, 12.4), st.floats(0.05, 3), st.floats(0.05, 3))
def test_a_sampled_parabola_is_found_exactly(row, column, steep_y, steep_x):
    y, x = torch.meshgrid(torch.arange(15.0).double(), torch.arange(18.0).double(), indexing="ij")
    scores = 7 - steep_y * (y - row) ** 2 - steep_x * (x - column) ** 2
    position, height = pick(scores, 50.0)
    assert position[0].tolist() == pytest.approx([row, column], abs=1e-9)
    assert float(height[0]) == pytest.approx(7.0, abs=1e-9)


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
def test_a_sampled_gaussian_is_found_to_a_small_part_of_a_pixel(sigma):
    y, x = torch.meshgrid(torch.arange(41.0).double(), torch.arange(43.0).double(), indexing="ij")
    for row in (20.0, 20.13, 20.37, 20.5, 20.81):
        for column in (19.0, 19.25, 19.49):
            scores = torch.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2))
            position, height = pick(scores, 50.0)
            # The parabola misses the Gaussian by its fourth order, which falls as 1 / sigma^2.
            assert position[0].tolist() == pytest.approx([row, column], abs=0.08 / sigma**2)
            assert float(height[0]) == pytest.approx(1.0, abs=0.08 / sigma**2)


def test_refinement_moves_at_most_half_a_pixel_and_never_lowers_the_height():
    scores = torch.randn(60, 70, generator=torch.Generator().manual_seed(4))
    maxima = local_maxima(scores)
    position, height = refine_maxima(scores, maxima)
    assert float((position - maxima).abs().max()) <= 0.5
    assert bool((height >= scores[maxima[:, 0], maxima[:, 1]].double()).all())


def test_results_are_in_double_precision_for_maps_of_either():
    for dtype in (torch.float32, torch.float64):
        scores = torch.zeros(11, 11, dtype=dtype)
        scores[5, 5] = 3.0
        position, height = pick(scores, 4.0, 1.0)
        assert (position.dtype, height.dtype) == (torch.float64, torch.float64)
        assert position.tolist() == [[5.0, 5.0]]
