from __future__ import annotations

import math

import pytest
import torch

from pupicker.core.detection.local_ranks import chances_of, largest_near

DIAMETER = 10.0


def chance_of(maps, positions, diameter):
    (chance,) = chances_of(maps, [positions], diameter)
    return chance


@pytest.fixture(scope="module")
def peaks():
    """A smooth map with peaks on a jittered grid, and where they are."""
    generator = torch.Generator().manual_seed(4)
    places = torch.cartesian_prod(torch.arange(30.0, 270, 30), torch.arange(30.0, 190, 30))
    places = (places + 8 * torch.rand(places.shape, generator=generator)).double()
    y, x = torch.meshgrid(torch.arange(220.0), torch.arange(300.0), indexing="ij")
    scores = 0.3 * torch.randn((220, 300), generator=generator) + 0.01 * x
    for column, row in places.tolist():
        scores += 3 * torch.exp(-((x - column) ** 2 + (y - row) ** 2) / 12)
    return largest_near(scores), places


def test_peaks_are_no_chance_and_other_places_are(peaks):
    scores, places = peaks
    assert chance_of([scores], [places[:5]], DIAMETER) < 1e-5
    assert chance_of([scores], [places], DIAMETER) < 1e-30
    generator = torch.Generator().manual_seed(5)
    size = torch.tensor([299.0, 219.0], dtype=torch.float64)
    chances = [chance_of([scores], [torch.rand((12, 2), generator=generator, dtype=torch.float64) * size], DIAMETER)
               for _ in range(400)]
    for level in (0.02, 0.1, 0.5):
        assert sum(chance <= level for chance in chances) / 400 <= level + 3 * math.sqrt(level * (1 - level) / 400)
    assert sum(chance <= 0.5 for chance in chances) / 400 > 0.2  # it is no test that never rejects


def test_several_images_and_growing_functions(peaks):
    scores, places = peaks
    one = chance_of([scores], [places[:6]], DIAMETER)
    assert chance_of([scores.exp()], [places[:6]], DIAMETER) == one
    assert chance_of([scores, scores], [places[:6], places[6:12]], DIAMETER) < one


def test_what_tells_nothing(peaks):
    scores, places = peaks
    none = torch.empty((0, 2), dtype=torch.float64)
    assert chance_of([scores], [none], DIAMETER) == chance_of([], [], DIAMETER) == 1
    assert chance_of([scores], [places + 1000], DIAMETER) == 1
    assert chance_of([torch.zeros_like(scores)], [places], DIAMETER) == 1  # ties count against it
    crowd = places[:1].repeat(50, 1)
    assert chance_of([scores], [crowd], DIAMETER) == chance_of([scores], [places[:1]], DIAMETER)


def test_the_largest_of_nine():
    scores = torch.zeros((5, 6))
    scores[2, 3] = 1
    near = largest_near(scores)
    assert near.shape == (5, 6) and near.sum() == 9 and bool((near[1:4, 2:5] == 1).all())


def test_several_places_at_once_are_each_by_itself(peaks):
    scores, places = peaks
    several = [[places[:6], places[6:12]], [places[:6] + 7, places[6:9]], [places[:0], places[:0]]]
    together = chances_of([scores, -scores], several, DIAMETER)
    assert together == pytest.approx([chance_of([scores, -scores], one, DIAMETER) for one in several], rel=1e-9)
    assert together[2] == 1
