import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pupicker.simulation.random_scene import SIZE_PX, random_scene
from pupicker.simulation.random_shapes import random_body


@given(seed=st.integers(0, 10_000))
def test_bodies_fill_the_unit_ball_and_no_more(seed):
    body = random_body(np.random.default_rng(seed))
    reach = np.linalg.norm(body.points, axis=1).max() + 1.5 * body.blob
    assert reach == pytest.approx(1.0) and 0.07 <= body.blob <= 0.25
    np.testing.assert_allclose(body.points.mean(axis=0), 0, atol=1e-9)
    assert len(body.weights) == len(body.points) >= 3 and (body.weights > 0).all()


def test_bodies_differ_in_kind():
    """Long and round ones, hollow and filled ones."""
    spread, inner = [], []
    for seed in range(200):
        points = random_body(np.random.default_rng(seed)).points
        axes = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(points.T)), 0.0))
        spread.append(axes[2] / max(axes[0], 1e-3))
        inner.append(np.linalg.norm(points, axis=1).min())
    assert min(spread) < 1.3 and max(spread) > 3
    assert min(inner) < 0.1 and max(inner) > 0.5


def test_scenes_are_their_seed_and_index():
    one, again, other = random_scene(1, 2), random_scene(1, 2), random_scene(1, 3)
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.xy, again.xy)
    assert one.image.shape == (SIZE_PX, SIZE_PX) and not np.array_equal(one.image, other.image)


@pytest.mark.parametrize("index", range(6))
def test_every_scene_can_be_made_and_has_its_truth_inside(index):
    scene = random_scene(5, index)
    assert np.isfinite(scene.image).all() and scene.image.std() > 0
    assert (scene.xy > -0.5).all() and (scene.xy < SIZE_PX - 0.5).all()


def test_some_scenes_are_empty_and_the_others_are_not():
    counts = [len(random_scene(7, index).xy) for index in range(30)]
    empty = counts.count(0)
    assert 1 <= empty <= 14 and min(count for count in counts if count) >= 2
