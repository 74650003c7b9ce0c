from __future__ import annotations

import math

import pytest
import torch

from pupicker.core.regions.crops import gather, margin_for, stack_micrographs
from pupicker.core.regions.patches import REGIONS_PER_SIDE, SMALLEST_STRIDE_PX, PatchGrid, patch_grid


@pytest.fixture(scope="module")
def image():
    """Each pixel has a value of its own."""
    return torch.arange(90 * 110, dtype=torch.float32).reshape(90, 110)


@pytest.mark.parametrize(("turns", "mirrored"), [(0, False), (1, False), (2, True), (3, True)])
def test_regions_are_centred_where_the_grid_says(image, turns, mirrored):
    """The windows of a patch, which is what a network scores, have these pixels in their middle; also turned ones."""
    grid = patch_grid(11, 4)
    assert (grid.field_px, grid.stride_px, grid.per_side) == (11, 4, REGIONS_PER_SIDE)
    angle = turns * math.pi / 2
    transform = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).round()
    transform = (transform @ torch.diag(torch.tensor([1.0, -1.0 if mirrored else 1.0])))[None].repeat(2, 1, 1)
    where = torch.tensor([[40, 50], [45, 31]])
    of_first = torch.cat([torch.zeros((2, 1), dtype=torch.long), where], 1)
    patches = gather(stack_micrographs([image], grid.side_px), of_first, grid.side_px, transform)
    assert patches.shape == (2, 1, grid.side_px, grid.side_px) and grid.side_px == 23
    middle = grid.windows(patches)[:, 0, 5, 5].reshape(2, grid.regions)
    row, column = grid.centres(where, transform).unbind(-1)
    torch.testing.assert_close(middle, image[row, column], atol=0.01, rtol=0)
    assert (grid.centres(where, transform).double().mean(1) == where).all()


def test_no_region_is_farther_than_the_reach():
    grid, where = patch_grid(31, 8), torch.zeros((1, 2), dtype=torch.long)
    angles = torch.linspace(0, 2 * math.pi, 50)
    cosine, sine = angles.cos(), angles.sin()
    turned = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    farthest = torch.linalg.vector_norm(grid.centres(where, turned).double(), dim=-1).max()
    assert grid.reach_px - 1.5 < farthest <= grid.reach_px + 0.71 and grid.reach_px == math.ceil(12 * 2**0.5)


@pytest.mark.parametrize("stride", [1, 2, SMALLEST_STRIDE_PX - 1, SMALLEST_STRIDE_PX + 1])
def test_networks_with_small_or_odd_strides_have_single_regions(stride):
    grid = patch_grid(31, stride)
    assert grid == PatchGrid(31) and (grid.side_px, grid.regions, grid.reach_px) == (31, 1, 0)
    where = torch.tensor([[7, 9]])
    assert (grid.centres(where, torch.eye(2)[None]) == where[:, None]).all()


@pytest.mark.parametrize("size", [5, 31])
def test_a_crop_turned_at_a_corner_sees_zeros_and_no_other_image(size):
    images = [torch.full((40, 40), 100.0), torch.ones((40, 40)), torch.full((40, 40), 100.0)]
    stack = stack_micrographs(images, margin_for(size))
    corners = torch.tensor([[1, row, column] for row in (0, 39) for column in (0, 39)])
    for angle in torch.linspace(0, math.pi, 9).tolist():
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        crops = gather(stack, corners, size, turn[None].repeat(4, 1, 1))
        assert float(crops.max()) <= 1.001 and float(crops.min()) >= 0
        assert 0.2 < float(crops.mean()) < 0.5  # a quarter and the rims
