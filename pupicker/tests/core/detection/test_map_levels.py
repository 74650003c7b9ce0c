import pytest
import torch

from pupicker.core.detection.map_levels import MapLevels, map_levels, usual_levels


def gaussian(median, spread, seed=0):
    return median + spread * torch.randn(300, 400, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("median", "spread"), [(-8.0, 1.0), (0.0, 3.0), (5.0, 0.1)])
def test_a_gaussian_map_gives_mean_and_deviation(median, spread):
    levels = map_levels(gaussian(median, spread))
    assert levels.median == pytest.approx(median, abs=0.02 * spread)
    assert levels.spread == pytest.approx(spread, rel=0.02)


def test_particles_hardly_count_and_excluded_places_not_at_all():
    logits = gaussian(-8.0, 1.0)
    with_particles = logits.clone()
    with_particles[:9] = 5.0  # three in a hundred places
    assert map_levels(with_particles).median == pytest.approx(-8, abs=0.1)
    assert map_levels(with_particles).spread == pytest.approx(1.0, rel=0.15)
    excluded = torch.zeros_like(logits, dtype=torch.bool)
    excluded[:9] = True
    assert map_levels(with_particles, excluded) == map_levels(logits[9:])
    assert map_levels(logits, torch.ones_like(excluded)) == MapLevels(0.0, 0.0)


@pytest.mark.parametrize(("median", "spread", "usual"), [
    (-8.0, 1.0, True), (-8.9, 1.0, True), (-9.1, 1.0, False), (-6.1, 1.0, True), (-5.9, 1.0, False),
    (-7.5, 3.9, True), (-7.5, 4.1, False), (-7.5, 0.55, True), (-7.5, 0.45, False),
])
def test_usual_is_what_lies_no_farther_away_than_the_training_micrographs_lie_apart(median, spread, usual):
    span = usual_levels([MapLevels(-8.0, 1.0), MapLevels(-7.0, 2.0), MapLevels(-7.5, 1.5)])
    assert span.hold(MapLevels(median, spread)) == usual


@pytest.mark.parametrize(("median", "spread", "usual"), [
    (-8.4, 1.0, True), (-8.6, 1.0, False), (-7.6, 1.0, True), (-7.4, 1.0, False), (-8.0, 1.19, True),
    (-8.0, 1.21, False), (-8.0, 0.84, True), (-8.0, 0.83, False), (-8.0, 0.0, False),
])
def test_one_micrograph_has_a_margin_too(median, spread, usual):
    assert usual_levels([MapLevels(-8.0, 1.0)]).hold(MapLevels(median, spread)) == usual
    assert usual_levels([MapLevels(-8.0, 0.0)]).hold(MapLevels(-8.0, 0.0))
