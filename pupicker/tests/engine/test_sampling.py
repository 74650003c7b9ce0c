from __future__ import annotations

import pytest
import torch

from pupicker.core.crops import NOISE_STD, OFFSET_STD
from pupicker.core.regions import disc_mask, mean_disc_area
from pupicker.engine.dataset import LabelledMicrograph
from pupicker.engine.sampling import make_sampler
from pupicker.tests.engine.blobs import training_set

RADIUS_PX = 2.4
SIZE_PX = 31
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


def sampler_of(data, marks):
    return make_sampler(data, marks, RADIUS_PX, SIZE_PX, torch.device("cpu"))


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


def test_crops_are_centred_on_the_drawn_pixels_of_micrographs_of_any_size():
    """Rotations and mirrors keep the centre: its value says which pixel was drawn."""
    shapes = [(70, 64), (61, 90)]
    data = [coded(number, *shape) for number, shape in enumerate(shapes)]
    sampler = sampler_of(data, hidden(data, (1, 0)))
    generator = torch.Generator().manual_seed(0)
    positives, unlabelled = 600, 6000
    crops = sampler.draw(positives, unlabelled, generator)
    assert crops.shape == (positives + unlabelled, 1, SIZE_PX, SIZE_PX)
    code = (crops[:, 0, SIZE_PX // 2, SIZE_PX // 2] / STEP).round().long()
    number, flat = code // PLACES, code % PLACES
    drawn = torch.stack([number, flat // torch.tensor([64, 90])[number], flat % torch.tensor([64, 90])[number]], dim=1)
    allowed = {tuple(row) for row in sampler.positive.tolist()}
    assert {tuple(row) for row in drawn[:positives].tolist()} == allowed
    taken = drawn[positives:]
    excluded = {
        (index, *pixel) for index, micrograph in enumerate(data)
        for pixel in disc_mask(shapes[index], micrograph.labels, RADIUS_PX).nonzero().tolist()
    }
    assert not {tuple(row) for row in taken.tolist()} & excluded
    # Uniform over pixels, so the larger micrograph counts more; five standard deviations.
    share, expected = float((taken[:, 0] == 1).double().mean()), 61 * 90 / (61 * 90 + 70 * 64)
    assert share == pytest.approx(expected, abs=5 * (expected * (1 - expected) / unlabelled) ** 0.5)
    assert int(taken[:, 1].min()) == 0 and int(taken[:, 2].max()) == 89


def test_same_generator_same_crops(data):
    sampler = sampler_of(data, hidden(data))
    first = sampler.draw(4, 12, torch.Generator().manual_seed(8))
    assert torch.equal(first, sampler.draw(4, 12, torch.Generator().manual_seed(8)))
    assert not torch.equal(first, sampler.draw(4, 12, torch.Generator().manual_seed(9)))


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
    crops = sampler.draw(10, 500, torch.Generator().manual_seed(0), 300)
    drawn = (crops[:, 0, SIZE_PX // 2, SIZE_PX // 2] / STEP).round().long()
    wanted = set(negative.reshape(-1).nonzero()[:, 0].tolist())
    assert set(drawn[510:].tolist()) == wanted and not wanted & set(drawn[:510].tolist())
    # Known pixels of both kinds leave the unlabelled ones, and only the known positives take positives with them.
    labelled, none = (int(mask.sum()) / (height * width) for mask in (positive, negative))
    assert sampler.unlabelled_prior(0.1, True) == pytest.approx((0.1 - labelled) / (1 - labelled - none))


# ---- rings of negatives

RING_PX = (5.5, 8.6)


def ringed(data, marks):
    return make_sampler(data, marks, RADIUS_PX, SIZE_PX, torch.device("cpu"), RING_PX)


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


def test_without_rings_nothing_is_drawn_differently(data):
    plain, again = sampler_of(data, hidden(data)), sampler_of(data, hidden(data))
    assert not plain.has_negatives and not len(plain.ring)
    assert torch.equal(plain.draw(4, 12, torch.Generator().manual_seed(3)),
                       again.draw(4, 12, torch.Generator().manual_seed(3)))


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
    crops = sampler.draw(0, 0, torch.Generator().manual_seed(0), 41)
    drawn = (crops[:, 0, SIZE_PX // 2, SIZE_PX // 2] / STEP).round().long().tolist()
    own = {int(y) * width + int(x) for _, y, x in sampler.negative}
    rings = {int(y) * width + int(x) for _, y, x in sampler.ring}
    assert not own & rings
    assert set(drawn[:21]) <= own and set(drawn[21:]) <= rings


def test_originals_are_the_same_crops_without_what_was_added(data):
    sampler = sampler_of(data, hidden(data))
    crops, originals = sampler.draw_pairs(200, 200, torch.Generator().manual_seed(1))
    assert torch.equal(crops, sampler.draw(200, 200, torch.Generator().manual_seed(1)))
    added = crops - originals
    level = added.mean(dim=(1, 2, 3))
    assert float(level.std()) == pytest.approx(OFFSET_STD, rel=0.15)
    assert float((added - level[:, None, None, None]).std()) == pytest.approx(NOISE_STD, rel=0.02)


def test_held_out_labels_of_a_micrograph_are_known_positives_too(data):
    """Their discs leave the unlabelled pixels with what they hold: the prior does not depend on who is held out."""
    whole, part = sampler_of(data, hidden(data)), sampler_of(data, hidden(data, (0, 1), (2, 5)))
    assert part.held_out > 0 and len(part.positive) + part.held_out == len(whole.positive)
    assert part.unlabelled_prior(part.prior(27), True) == whole.unlabelled_prior(whole.prior(27), True)
