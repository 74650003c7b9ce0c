from __future__ import annotations

import pytest
import torch

from pupicker.core.networks import build
from pupicker.core.regions.crops import NOISE_STD, OFFSET_STD, gather, random_transforms
from pupicker.core.regions.patches import PatchGrid, patch_grid
from pupicker.core.regions.regions import disc_mask, mean_disc_area
from pupicker.engine.training.dataset import LabelledMicrograph
from pupicker.engine.training.minibatches import make_sampler
from pupicker.tests.engine.blobs import training_set

RADIUS_PX = 2.4
SIZE_PX = 31
GRID = PatchGrid(SIZE_PX, 4, 4)
SINGLE = PatchGrid(SIZE_PX)
STEP, PLACES = 100, 10_000


@pytest.fixture(scope="module")
def data():
    return training_set(4, 0, 6).micrographs


def hidden(data, *places):
    """No label held out but those of (micrograph, index)."""
    marks = [torch.zeros(len(m.labels), dtype=torch.bool) for m in data]
    for number, index in places:
        marks[number][index] = True
    return marks


def sampler_of(data, marks, grid=GRID):
    return make_sampler(data, marks, RADIUS_PX, grid, torch.device("cpu"))


def seed(number):
    return torch.Generator().manual_seed(number)


def test_positive_and_excluded_pixels(data):
    marks = hidden(data, (0, 1), (2, 5))
    sampler = sampler_of(data, marks)
    assert sampler.pixels == sum(m.pixels for m in data)
    for number, (micrograph, hide) in enumerate(zip(data, marks, strict=True)):
        own = sampler.positive[sampler.positive[:, 0] == number][:, 1:]
        mask = torch.zeros(micrograph.image.shape, dtype=torch.bool)
        mask[own[:, 0], own[:, 1]] = True
        assert torch.equal(mask, disc_mask(tuple(mask.shape), micrograph.labels[~hide], RADIUS_PX))
        first = int(sampler.first_pixel[number])
        excluded = sampler.excluded[first : first + micrograph.pixels].reshape(mask.shape)
        assert torch.equal(excluded, disc_mask(tuple(mask.shape), micrograph.labels, RADIUS_PX))


def coded(number, height, width):
    """A micrograph whose pixels say where they are, in steps far above the noise that is added to crops."""
    image = STEP * (number * PLACES + torch.arange(height * width, dtype=torch.float32).reshape(height, width))
    labels = torch.tensor([[20.0, 30.0], [50.0, 41.0]], dtype=torch.float64)
    return LabelledMicrograph(training_set(1).micrographs[0].path, image, labels)


def read_codes(crops):
    """What the central pixels say; rotations and mirrors keep the centre."""
    return (crops[:, 0, SIZE_PX // 2, SIZE_PX // 2] / STEP).round().long()


SHAPES = [(70, 64), (61, 90)]


@pytest.mark.parametrize("grid", [SINGLE, GRID, PatchGrid(SIZE_PX, 8, 2)], ids=["single", "4x4", "2x2"])
def test_regions_are_centred_on_the_drawn_pixels_of_micrographs_of_any_size(grid):
    data = [coded(number, *shape) for number, shape in enumerate(SHAPES)]
    sampler = sampler_of(data, hidden(data, (1, 0)), grid)
    positives, wanted = 600, 12_000
    batch = sampler.draw(positives, wanted, seed(0))
    assert batch.crops.shape == (positives, 1, SIZE_PX, SIZE_PX)
    assert batch.patches.shape == (wanted // grid.regions, 1, grid.side_px, grid.side_px)
    assert batch.unlabelled.shape == (wanted // grid.regions, grid.regions)
    code = read_codes(batch.crops)
    number, flat = code // PLACES, code % PLACES
    width = torch.tensor([64, 90])
    drawn = torch.stack([number, flat // width[number], flat % width[number]], dim=1)
    assert {tuple(row) for row in drawn.tolist()} == {tuple(row) for row in sampler.positive.tolist()}
    whole = [disc_mask(shape, m.labels, RADIUS_PX) for shape, m in zip(SHAPES, data, strict=True)]
    if grid.per_side == 1:  # only then are no codes interpolated in turned patches
        codes = read_codes(batch.patch_originals)
        number, flat = codes // PLACES, codes % PLACES
        where = torch.stack([number, flat // width[number], flat % width[number]], dim=1)
        excluded = torch.tensor([bool(whole[n][y, x]) for n, y, x in where.tolist()])
        assert torch.equal(batch.unlabelled[:, 0], ~excluded)
    assert bool(batch.unlabelled.float().mean() > (0.9 if grid.per_side == 1 else 0.6))


@pytest.mark.parametrize("grid", [SINGLE, GRID], ids=["single", "4x4"])
def test_unlabelled_regions_are_uniform_over_all_pixels_that_are_not_excluded(grid):
    """Also at the borders, and over micrographs of different size."""
    data = [coded(number, *shape) for number, shape in enumerate(SHAPES)]
    sampler = sampler_of(data, hidden(data, (1, 0)), grid)
    counts = [torch.zeros(shape) for shape in SHAPES]
    generator = seed(3)
    for _ in range(12):
        where = sampler._draw_centres(4000, generator)
        pixels = grid.centres(where[:, 1:], random_transforms(4000, generator))
        counted = sampler._unlabelled(where[:, 0], pixels)
        for number, count in enumerate(counts):
            chosen = pixels[counted & (where[:, :1] == number)]
            count.index_put_((chosen[:, 0], chosen[:, 1]), torch.ones(len(chosen)), accumulate=True)
    masks = [disc_mask(shape, m.labels, RADIUS_PX) for shape, m in zip(SHAPES, data, strict=True)]
    assert not any(bool(count[mask].any()) for count, mask in zip(counts, masks, strict=True))
    mean = sum(float(c.sum()) for c in counts) / sum(int((~m).sum()) for m in masks)
    for count, mask in zip(counts, masks, strict=True):
        for part in (slice(0, 5), slice(20, 45), slice(-5, None)):  # rows at the edges and in the middle
            kept = ~mask[part]
            assert float(count[part][kept].mean()) == pytest.approx(mean, rel=0.08 if grid.per_side == 1 else 0.12)


def test_the_score_of_a_region_does_not_depend_on_whether_it_is_alone():
    """The map of a patch holds the logits of its windows, in the order of the grid's centres."""
    network = build("conv31", width=4).eval()
    patches = torch.randn(3, 1, GRID.side_px, GRID.side_px, generator=seed(1))
    alone = network(GRID.windows(patches))[:, 0, 0]
    torch.testing.assert_close(network(patches).flatten(), alone, rtol=1e-4, atol=1e-5)


def test_windows_are_at_the_centres_of_the_grid():
    """Turned by the eight symmetries of the square, nothing is interpolated."""
    data = [coded(0, 70, 64)]
    sampler = sampler_of(data, hidden(data))
    where = torch.tensor([[0, 33, 30]]).expand(8, 3)
    turns = torch.tensor([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]]).float()
    transforms = torch.cat([turns, turns @ torch.tensor([[1.0, 0], [0, -1]])])
    patches = gather(sampler.stack, where, GRID.side_px, transforms)
    centres = GRID.centres(where[:, 1:], transforms)
    assert torch.equal(read_codes(GRID.windows(patches)), (centres[..., 0] * 64 + centres[..., 1]).flatten())
    assert int((centres - where[:, None, 1:]).abs().max()) <= GRID.reach_px


@pytest.mark.parametrize(("field", "stride", "side"), [(31, 4, 43), (63, 8, 87), (21, 2, 21), (31, 5, 31)])
def test_grid_of_a_network(field, stride, side):
    """Networks of a small or odd stride get single regions."""
    assert patch_grid(field, stride).side_px == side


def test_same_generator_same_minibatch(data):
    sampler = sampler_of(data, hidden(data))
    first, again, other = (sampler.draw(4, 32, seed(n)) for n in (8, 8, 9))
    for name in ("crops", "patches", "unlabelled"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.crops, other.crops) and not torch.equal(first.patches, other.patches)


def test_a_minibatch_has_an_unlabelled_region():
    """However little is left of a micrograph."""
    micrograph = coded(0, 70, 64)
    almost = torch.ones(70, 64, dtype=torch.bool)
    almost[40:43, 12:15] = False
    data = [LabelledMicrograph(micrograph.path, micrograph.image, micrograph.labels, excluded=almost)]
    sampler = sampler_of(data, hidden(data))
    assert all(bool(sampler.draw(0, 16, seed(n)).unlabelled.any()) for n in range(20))


def test_prior_of_the_unlabelled_pixels(data):
    """Labelled discs are taken out of the expectation as they are out of the pixels."""
    sampler = sampler_of(data, hidden(data))
    prior = sampler.prior(27)
    assert prior == pytest.approx(27 * mean_disc_area(RADIUS_PX) / sampler.pixels)
    labelled = len(sampler.positive)
    expected = (prior * sampler.pixels - labelled) / (sampler.pixels - labelled)
    assert sampler.unlabelled_prior(prior, strict=True) == pytest.approx(expected)
    with pytest.raises(ValueError, match="cover"):
        sampler.unlabelled_prior(sampler.prior(8), strict=True)
    # An estimate below what is labelled is raised, not refused.
    assert 0 < sampler.unlabelled_prior(sampler.prior(8), strict=False) < expected


def test_a_number_that_is_all_labelled_is_no_error(data):
    """The pixels of discs differ by some percent from their area: a tenth at most; a twentieth is left to find."""
    sampler = sampler_of(data, hidden(data))
    labelled = len(sampler.positive) / sampler.pixels
    for share in (0.91, 0.97, 1.0, 1.04):
        assert sampler.unlabelled_prior(share * labelled, strict=True) == pytest.approx(
            0.05 * labelled / (1 - labelled))
    for share in (1.06, 1.2):
        assert sampler.unlabelled_prior(share * labelled, strict=True) == pytest.approx(
            (share - 1) * labelled / (1 - labelled))
    with pytest.raises(ValueError, match="cover"):
        sampler.unlabelled_prior(0.89 * labelled, strict=True)


def test_labelled_negatives_are_drawn_by_themselves_and_are_no_part_of_the_unlabelled():
    height, width = 70, 64
    data = [coded(0, height, width)]
    beside = torch.tensor([[20.0, 31.5], [40.0, 10.0]], dtype=torch.float64)  # the first overlaps a positive disc
    data = [LabelledMicrograph(m.path, m.image, m.labels, beside) for m in data]
    sampler = sampler_of(data, hidden(data))
    positive = disc_mask((height, width), data[0].labels, RADIUS_PX)
    negative = disc_mask((height, width), beside, RADIUS_PX) & ~positive
    assert torch.equal(sampler.negative[:, 1:], negative.nonzero())
    assert torch.equal(sampler.excluded.reshape(height, width), positive | negative)
    drawn = read_codes(sampler.draw(10, 500, seed(0), 300).crops)
    wanted = set(negative.reshape(-1).nonzero()[:, 0].tolist())
    assert set(drawn[10:].tolist()) == wanted and not wanted & set(drawn[:10].tolist())
    # Known pixels of both kinds leave the unlabelled ones, and only the known positives take positives with them.
    labelled, none = (int(mask.sum()) / (height * width) for mask in (positive, negative))
    assert sampler.unlabelled_prior(0.1, True) == pytest.approx((0.1 - labelled) / (1 - labelled - none))


# ---- rings of negatives

RING_PX = (5.5, 8.6)


def ringed(data, marks):
    return make_sampler(data, marks, RADIUS_PX, GRID, torch.device("cpu"), RING_PX)


def test_no_ring_negative_is_near_any_label(data):
    """Neither near those that training sees nor near those that are held out."""
    sampler = ringed(data, hidden(data, (0, 1), (2, 5)))
    assert len(sampler.ring) > 500
    for number, micrograph in enumerate(data):
        own = sampler.ring[sampler.ring[:, 0] == number][:, 1:].flip(1).double()
        if not len(micrograph.labels):
            assert not len(own)  # without a label nothing is known
            continue
        distance = torch.cdist(own, micrograph.labels)
        assert float(distance.min()) > RING_PX[0] and float(distance.min(1).values.max()) <= RING_PX[1]
        height, width = micrograph.image.shape
        assert bool(((own >= 0) & (own < torch.tensor([width, height]))).all())


def test_rings_of_which_nothing_is_drawn_change_no_crop_and_no_patch(data):
    """But what of the patches counts as unlabelled."""
    plain, sampler = sampler_of(data, hidden(data)), ringed(data, hidden(data))
    assert not plain.has_negatives and not len(plain.ring)
    without, own = plain.draw(40, 1600, seed(3)), sampler.draw(40, 1600, seed(3))
    assert torch.equal(without.crops, own.crops) and torch.equal(without.patches, own.patches)
    assert int(without.unlabelled.sum()) > int(own.unlabelled.sum()) > 0


def test_ring_pixels_leave_the_unlabelled_ones_and_take_no_positives_with_them(data):
    plain, sampler = sampler_of(data, hidden(data)), ringed(data, hidden(data))
    assert sampler.has_negatives
    assert int(sampler.excluded.sum()) == len(sampler.positive) + len(sampler.ring)
    assert torch.equal(plain.positive, sampler.positive)
    labelled, ring = len(sampler.positive) / sampler.pixels, len(sampler.ring) / sampler.pixels
    prior = sampler.prior(27)
    assert sampler.unlabelled_prior(prior, True) == pytest.approx((prior - labelled) / (1 - labelled - ring))


def test_labelled_negatives_and_rings_share_the_negatives_of_a_minibatch():
    height, width = 70, 64
    micrograph = coded(0, height, width)
    beside = torch.tensor([[10.0, 60.0]], dtype=torch.float64)
    data = [LabelledMicrograph(micrograph.path, micrograph.image, micrograph.labels, beside)]
    sampler = ringed(data, hidden(data))
    drawn = read_codes(sampler.draw(0, 16, seed(0), 41).crops).tolist()
    own = {int(y) * width + int(x) for _, y, x in sampler.negative}
    rings = {int(y) * width + int(x) for _, y, x in sampler.ring}
    assert not own & rings
    assert set(drawn[:21]) <= own and set(drawn[21:]) <= rings


def test_originals_are_the_same_without_what_was_added(data):
    batch = sampler_of(data, hidden(data)).draw(200, 3200, seed(1))
    for drawn, originals in ((batch.crops, batch.crop_originals), (batch.patches, batch.patch_originals)):
        added = drawn - originals
        level = added.mean(dim=(1, 2, 3))
        assert float(level.std()) == pytest.approx(OFFSET_STD, rel=0.15)
        assert float((added - level[:, None, None, None]).std()) == pytest.approx(NOISE_STD, rel=0.02)


def test_held_out_labels_of_a_micrograph_are_known_positives_too(data):
    """Their discs leave the unlabelled pixels with what they hold: the prior does not depend on who is held out."""
    whole, part = sampler_of(data, hidden(data)), sampler_of(data, hidden(data, (0, 1), (2, 5)))
    assert part.held_out > 0 and len(part.positive) + part.held_out == len(whole.positive)
    assert part.unlabelled_prior(part.prior(27), True) == whole.unlabelled_prior(whole.prior(27), True)
