from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pupicker.core.detection.contamination import (
    DEPTH_WITHOUT_LABELS,
    MIN_DEPTH,
    _deepest,
    _grown,
    contamination_mask,
    depth,
    limit_from_blobs,
    limit_from_particles,
    margin_mask,
)
from pupicker.core.detection.contamination import _noise as _noise_of
from pupicker.core.image.background import gaussian_mean

DIAMETER_PX = 22.0


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _disc(shape, x, y, radius):
    rows, columns = torch.arange(shape[0])[:, None], torch.arange(shape[1])[None, :]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0, 4.2])
def test_margin_is_the_distance_from_the_edge(margin):
    mask = margin_mask((11, 14), margin)
    for row in range(11):
        for column in range(14):
            to_edge = min(row, 10 - row, column, 13 - column) + 0.5
            assert bool(mask[row, column]) == (to_edge < margin)


def test_nothing_is_contamination_in_plain_noise():
    assert not contamination_mask(_noise(201, 183), DIAMETER_PX, MIN_DEPTH).any()
    assert not contamination_mask(torch.full((60, 60), 3.0), DIAMETER_PX, MIN_DEPTH).any()


@pytest.mark.parametrize(("radius", "darkness"), [(6, 40.0), (30, 15.0), (70, 15.0)])
def test_what_is_far_darker_is_found_with_its_rim_at_any_size(radius, darkness):
    image, dirt = _noise(401, 380), _disc((401, 380), 150, 200, radius)
    image[dirt] -= darkness
    found = contamination_mask(image, DIAMETER_PX, MIN_DEPTH)
    assert found[_disc(image.shape, 150, 200, radius)].float().mean() > 0.95
    assert not found[~_disc(image.shape, 150, 200, radius + DIAMETER_PX / 4 + 8)].any()


def test_one_side_of_carbon_is_found_and_the_other_is_not():
    image = _noise(300, 400)
    image[:, 280:] -= 15
    found = contamination_mask(image, DIAMETER_PX, MIN_DEPTH)
    assert found[:, 290:].float().mean() > 0.98
    assert not found[:, :265].any()


def test_neither_scale_nor_zero_of_the_image_matter():
    image = _noise(150, 160)
    image[_disc(image.shape, 70, 60, 9)] -= 20
    found = contamination_mask(image, DIAMETER_PX, MIN_DEPTH)
    assert found.any()
    assert torch.equal(found, contamination_mask(400 + 37 * image, DIAMETER_PX, MIN_DEPTH))


@pytest.mark.parametrize("darkness", [9.0, 0.0])
def test_depth_is_that_of_four_turns_however_many_were_needed(darkness):
    """With cells of one pixel."""
    diameter, limit = 8.0, 6.0
    image = _noise(90, 81).double() + 100
    image[_disc(image.shape, 40, 30, 9)] -= darkness
    image[_disc(image.shape, 55, 30, 6)] -= darkness / 2
    smooth = gaussian_mean(image - image.mean(), 1.0)
    down, right = (smooth[8:] - smooth[:-8])[::2], (smooth[:, 8:] - smooth[:, :-8])[::2]
    differences = torch.cat([down.flatten(), right.flatten()])
    noise = differences.abs().sort().values[int(0.6827 * len(differences))] / 2**0.5
    counted, numbers = torch.ones_like(image), set()
    for _ in range(4):
        level = gaussian_mean(smooth * counted, 32.0) / gaussian_mean(counted, 32.0)
        expected = (level - smooth) / noise
        counted = (expected <= limit).double()
        numbers.add(int(counted.sum()))
    assert (len(numbers) > 1) == (darkness > 0)
    torch.testing.assert_close(depth(image, diameter, limit), expected, rtol=1e-9, atol=1e-9)


def test_noise_of_half_of_the_rows_is_that_of_all():
    smooth = _noise(201, 240)
    assert _noise_of(smooth, 5) == pytest.approx(1.0, abs=0.02)
    assert _noise_of(smooth[:5], 5) == pytest.approx(1.0, abs=0.2) and _noise_of(smooth[:2, :3], 5) == 0.0


def test_a_slope_of_thickness_is_no_contamination():
    image = _noise(250, 250) + torch.linspace(0, 12, 250)[None, :]
    assert not contamination_mask(image, DIAMETER_PX, MIN_DEPTH).any()


def test_the_limit_stays_clear_of_the_particles_that_were_labelled():
    image = 0.1 * _noise(300, 300)  # as good as denoised
    xy = torch.tensor([[60.0, 50.0], [150.0, 90.0], [240.0, 220.0], [70.0, 230.0]])
    for x, y in xy.tolist():
        image[_disc(image.shape, x, y, 11)] -= 1.0
    image[_disc(image.shape, 160, 190, 14)] -= 20.0
    found = depth(image, DIAMETER_PX, DEPTH_WITHOUT_LABELS)
    limit = limit_from_particles([found], [xy], DIAMETER_PX)
    assert limit > DEPTH_WITHOUT_LABELS
    mask = contamination_mask(image, DIAMETER_PX, limit)
    assert not any(mask[int(y), int(x)] for x, y in xy.tolist())
    assert mask[190, 160]


@given(height=st.integers(1, 30), width=st.integers(1, 30), number=st.integers(0, 5), seed=st.integers(0, 99))
def test_deepest_place_around_a_position_wherever_it_is(height, width, number, seed):
    """Within a square of six pixels to either side; positions may lie half a pixel outside."""
    image = _noise(height, width, seed=seed)
    xy = torch.rand((number, 2), generator=torch.Generator().manual_seed(seed)) * torch.tensor([width, height]) - 0.5
    found = _deepest(image, xy, DIAMETER_PX)
    assert found.shape == (number,)
    for (x, y), deepest in zip(xy.round().long().tolist(), found.tolist(), strict=True):
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        assert deepest == float(image[max(0, y - 6) : y + 7, max(0, x - 6) : x + 7].max())


@given(height=st.integers(1, 12), width=st.integers(1, 12), reach=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_rim_is_all_that_is_as_near_wherever_it_is(height, width, reach, seed):
    """Brute force; also at the borders, beyond which there is nothing."""
    mask = torch.rand((height, width), generator=torch.Generator().manual_seed(seed)) < 0.1
    found, deep = _grown(mask, reach), mask.nonzero().tolist()
    assert found.shape == mask.shape
    for row in range(height):
        for column in range(width):
            near = any((row - y) ** 2 + (column - x) ** 2 <= reach**2 for y, x in deep)
            assert bool(found[row, column]) == near


@pytest.mark.parametrize("diameter", [8.0, 9.0, 22.0, 29.0])
def test_the_mask_is_what_is_deeper_with_a_rim_of_a_quarter_of_the_diameter(diameter):
    image = _noise(120, 90)
    image[_disc(image.shape, 3, 60, 6)] -= 60  # at a border
    deep = (depth(image, diameter, MIN_DEPTH) > MIN_DEPTH).nonzero().double()
    every = torch.cartesian_prod(torch.arange(120), torch.arange(90)).double()
    near = (torch.cdist(every, deep).amin(1) <= round(diameter / 4)).reshape(120, 90)
    assert len(deep) and torch.equal(contamination_mask(image, diameter, MIN_DEPTH), near)


def test_the_limit_is_twice_the_depth_of_nine_in_ten_labels():
    found = torch.zeros(100, 100)
    xy = torch.tensor([[10.0 + 20 * (k % 4), 10.0 + 20 * (k // 4)] for k in range(11)])
    for k, (x, y) in enumerate(xy.tolist()):
        found[int(y) + 3, int(x) - 2] = 10.0 + k
    parts = [found, found], [xy[:6], xy[6:]]
    assert limit_from_particles(*parts, DIAMETER_PX) == pytest.approx(2 * 19.0)  # the tenth of eleven
    assert limit_from_particles([found], [xy[:1]], DIAMETER_PX) == pytest.approx(20.0)


def test_the_limit_without_labels_and_with_faint_ones():
    found = depth(_noise(100, 100), DIAMETER_PX, DEPTH_WITHOUT_LABELS)
    assert limit_from_particles([], [], DIAMETER_PX) == DEPTH_WITHOUT_LABELS
    assert limit_from_particles([found], [torch.zeros((0, 2))], DIAMETER_PX) == DEPTH_WITHOUT_LABELS
    assert limit_from_particles([found], [torch.tensor([[50.0, 50.0]])], DIAMETER_PX) == MIN_DEPTH


def test_the_limit_without_labels_stays_clear_of_what_most_blobs_are():
    image = 0.1 * _noise(300, 300)
    for x in range(30, 290, 48):
        for y in range(30, 290, 48):
            image[_disc(image.shape, x, y, 11)] -= 1.0
    image[_disc(image.shape, 30, 30, 11)] -= 30.0
    limit = limit_from_blobs(image, DIAMETER_PX)
    mask = contamination_mask(image, DIAMETER_PX, limit)
    assert mask[30, 30]
    assert not mask[60:, 60:].any()
    assert limit_from_blobs(_noise(200, 200), DIAMETER_PX) == DEPTH_WITHOUT_LABELS
