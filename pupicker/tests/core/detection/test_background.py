"""The floor of a micrograph, with the correlation with a disc in the place of a network's map."""

import pytest
import torch

from pupicker.core.detection.background import background_floor
from pupicker.core.detection.suppression import pick
from pupicker.core.detection.template import MASK, match_templates, soft_disc
from pupicker.core.regions.regions import disc_mask

SIDE, DIAMETER_PX = 300, 16
SURE = 0.75


def maxima(image):
    position, score = pick(match_templates(image, [soft_disc(DIAMETER_PX)], MASK * DIAMETER_PX), 7.0)
    return position.flip(1), score


def micrograph(particles, seed, contrast=1.0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.nn.functional.avg_pool2d(torch.randn(1, 1, SIDE + 4, SIDE + 4, generator=generator), 5, 1)[0, 0] * 5
    grid = torch.arange(particles)
    xy = torch.stack([20 + 26 * (grid % 11), 20 + 26 * (grid // 11)], 1).double()
    return image - contrast * disc_mask((SIDE, SIDE), xy, DIAMETER_PX / 2), xy


def floor_of(image, excluded=None):
    xy, score = maxima(image)
    floor = background_floor(image, (xy, score), lambda noise: maxima(noise)[1], SURE, DIAMETER_PX, excluded)
    return int((score >= floor).sum()), floor


@pytest.mark.parametrize("seed", range(6))
def test_an_empty_micrograph_is_silent(seed):
    found, _ = floor_of(micrograph(0, seed)[0])
    assert found <= 3


@pytest.mark.parametrize("particles", [20, 60, 120])
def test_particles_stand_above_the_floor(particles):
    found, _ = floor_of(micrograph(particles, 7, 1.5)[0])
    assert found == pytest.approx(particles, rel=0.3)


def test_particles_leave_the_noise_in_the_rounds():
    """With all of a crowded micrograph as background the noise has the particles' power: the floor is higher."""
    image, _ = micrograph(120, 7, 1.5)
    xy, score = maxima(image)
    _, floor = floor_of(image)
    nowhere = torch.zeros((0, 2), dtype=torch.float64)
    at_once = background_floor(image, (nowhere, score[:0]), lambda noise: maxima(noise)[1], SURE, DIAMETER_PX)
    assert floor < at_once and len(xy) > 120


def test_excluded_pixels_do_not_count():
    image, _ = micrograph(0, 3)
    excluded = torch.zeros_like(image, dtype=torch.bool)
    excluded[:100] = True
    dirty = torch.where(excluded, image - 30, image)
    xy, score = maxima(dirty)
    outside = xy[:, 1] > 110
    floor = background_floor(dirty, (xy[outside], score[outside]), lambda noise: maxima(noise)[1], SURE, DIAMETER_PX,
                             excluded)
    assert int((score[outside] >= floor).sum()) <= 3
    assert background_floor(dirty, (xy[:0], score[:0]), lambda noise: maxima(noise)[1], SURE, DIAMETER_PX,
                            torch.ones_like(excluded)) == float("inf")
