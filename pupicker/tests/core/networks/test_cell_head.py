"""The layer for cells: a linear map that is found, where its scores belong, what it cannot do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pupicker.core.detection.picking_network import picking_network
from pupicker.core.detection.scoring import score_image, score_orientations
from pupicker.core.networks import build
from pupicker.core.networks.cell_head import CellNetwork, can_have_cell_head, fit_cell_head

SIDES = (93, 118)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(name="conv31", width=4):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return build(name, width=width).eval()


def images(count=3):
    return [torch.randn(SIDES, generator=generator(seed)) for seed in range(count)]


def smooth(seed):
    """Features of some four pixels, as micrographs have."""
    coarse = torch.randn(1, 1, 30, 30, generator=generator(seed))
    return F.interpolate(coarse, SIDES, mode="bicubic")[0, 0]


@pytest.mark.parametrize("name", ["conv31", "conv47", "conv63", "conv127", "resnet31"])
def test_a_linear_map_is_found(name):
    base = network(name, 2)
    known = CellNetwork(base).eval()
    for parameter in known.head.parameters():
        torch.nn.init.normal_(parameter, generator=generator(5))
    maps = [score_image(known, image) for image in images()]
    found = CellNetwork(base).eval()
    fit_cell_head(found, images(), maps, generator(), regularization=1e-7)
    unseen = torch.randn(SIDES, generator=generator(9))
    expected = score_image(known, unseen)
    torch.testing.assert_close(score_image(found, unseen), expected, rtol=0, atol=0.02 * float(expected.std()))


def test_without_freedom_it_is_the_weighted_mean():
    base, maps = network(), [torch.full((47, 59), 2.0), torch.full((47, 59), -3.0)]
    found = CellNetwork(base).eval()
    fit_cell_head(found, images(2), maps, generator(), regularization=1e9)
    high, low = (1 + 4 * torch.sigmoid(torch.tensor(value + 1)) for value in (2.0, -3.0))
    expected = (2 * high - 3 * low) / (high + low)
    torch.testing.assert_close(score_image(found, images()[0]), expected.expand(47, 59), rtol=1e-4, atol=1e-4)


def test_its_scores_belong_to_the_pixels_of_the_map_it_learnt():
    """The two maps of an image agree best where they lie."""
    base = network("conv31", 8)
    picking = picking_network(base, [smooth(seed) for seed in range(6)], 1, seed=0)
    assert (picking.output_stride, picking.total_stride, picking.map_field_px) == (2, 4, 31 + 8 - 2)
    for seed in range(3):
        image = smooth(20 + seed)
        own, quick = score_image(base, image, 2), score_image(picking, image)
        assert quick.shape == own.shape == (47, 59)
        shifted = {shift: float(torch.corrcoef(torch.stack([
            own[4:-4, 4:-4].flatten(), quick.roll(shift, (0, 1))[4:-4, 4:-4].flatten()]))[0, 1])
            for shift in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))}
        assert max(shifted, key=shifted.get) == (0, 0) and shifted[0, 0] > 0.8


@pytest.mark.parametrize("tile_px", [16, 40, 64])
def test_no_tile_shows(tile_px):
    picking = picking_network(network(), images(), 2, seed=0)
    torch.testing.assert_close(score_image(picking, images()[0], tile_px=tile_px), score_image(picking, images()[0]),
                               rtol=1e-4, atol=1e-5)


def test_positions_of_a_cell_lie_evenly_around_the_middle_of_what_they_see():
    """Each cell of a map is that of the crop that determines it."""
    net = CellNetwork(network("conv47", 2)).eval()
    torch.nn.init.normal_(net.head.weight, generator=generator())
    field, first = net.receptive_field_px, net.map_field_px // 2
    assert field == 55 and first + net.output_stride / 2 == field // 2
    image = torch.randn(1, 1, field + 8, field + 12, generator=generator(1))
    whole = net(image)[0]
    assert whole.shape == (6, 8)
    for i, j in ((0, 0), (1, 2), (2, 3)):
        crop = image[..., 4 * i : 4 * i + field, 4 * j : 4 * j + field]
        torch.testing.assert_close(net(crop)[0], whole[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="output stride 1 is not 2, the only one of this network of stride 4"):
        net(image, 1)


@pytest.mark.parametrize(("turns", "mirrored"), [(1, False), (2, True)])
def test_the_mean_over_all_orientations_turns_with_the_image(turns, mirrored):
    picking = picking_network(network(), images(), 1, seed=0)
    image = torch.randn((99, 99), generator=generator(4))  # the grid of cells is symmetric: 99 + 2 - 1 = 4 * 25

    def turned(of):
        return torch.rot90(of.flip(1) if mirrored else of, turns)

    torch.testing.assert_close(score_orientations(picking, turned(image), None, 8),
                               turned(score_orientations(picking, image, None, 8)), rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_layer_and_the_network_stays():
    base = network()
    before = {name: value.clone() for name, value in base.state_dict().items()}
    first, again, other = (picking_network(base, images(), 2, seed, pixels=5000).head.weight for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_a_network_that_cannot_have_one_picks_as_it_is():
    cells = CellNetwork(network())
    assert not can_have_cell_head(cells)
    assert picking_network(cells, images(), 2, seed=0) is cells
