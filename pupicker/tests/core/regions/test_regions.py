import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pupicker.core.regions.regions import (
    class_prior_from_count,
    disc_mask,
    disc_offsets,
    mean_disc_area,
    ring_mask,
    unlabelled_prior,
)


@pytest.mark.parametrize(("radius", "area"), [(0, 1), (1, 5), (1.5, 9), (2, 13), (3, 29), (4, 49), (5, 81), (7, 149)])
def test_disc_area(radius, area):
    assert len(disc_offsets(radius)) == area
    offsets = disc_offsets(radius)
    assert len(offsets.unique(dim=0)) == area
    assert bool(((offsets**2).sum(1) <= radius**2).all())


def brute_force(shape, xy, radius):
    y, x = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, dtype=bool)
    for cx, cy in xy:
        mask |= (x - cx) ** 2 + (y - cy) ** 2 <= radius**2
    return mask


def test_known_negatives_leave_the_unlabelled_area_only():
    """1000 pixels, 100 positive, of which 20 are labelled; 300 are known to be none."""
    assert unlabelled_prior(0.1, 0.02, 0.3) == pytest.approx(80 / 680)
    assert unlabelled_prior(0.1, 0.02) == pytest.approx(80 / 980)
    with pytest.raises(ValueError, match="no room"):
        unlabelled_prior(0.1, 0.02, 0.9)
    assert unlabelled_prior(0.1, 0.02, 0.895) == pytest.approx(80 / 85)  # there is just room


coordinate = st.floats(-6, 30, allow_nan=False).map(lambda v: round(v, 2))


@settings(max_examples=80)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 25)),
    st.lists(st.tuples(coordinate, coordinate), max_size=6),
    st.sampled_from([0.5, 1.5, 2.42, 3.0, 4.7]),
)
def test_mask_is_the_union_of_the_discs_around_sub_pixel_centres(shape, xy, radius):
    mask = disc_mask(shape, torch.tensor(xy, dtype=torch.float64).reshape(-1, 2), radius)
    assert mask.dtype == torch.bool
    # Pixels that lie on a circle to within rounding may fall on either side.
    on_circle = brute_force(shape, xy, radius + 1e-6) & ~brute_force(shape, xy, radius - 1e-6)
    assert np.array_equal(mask.numpy() | on_circle, brute_force(shape, xy, radius) | on_circle)


@pytest.mark.parametrize("radius", [1.0, 2.42, 3.0, 4.0])
def test_no_position_within_a_pixel_loses_a_part_of_its_disc(radius):
    for y in range(11):
        for x in range(11):
            centre = (7 + x / 10 + 1e-3, 7 + y / 10 + 1e-3)
            mask = disc_mask((16, 16), torch.tensor([centre], dtype=torch.float64), radius)
            assert np.array_equal(mask.numpy(), brute_force((16, 16), [centre], radius))


@pytest.mark.parametrize("radius", [1, 3, 4])
def test_discs_are_cut_at_all_four_borders(radius):
    for xy in ((0, 5), (14, 5), (7, 0), (7, 10), (0, 0), (14, 10)):
        mask = disc_mask((11, 15), torch.tensor([xy]), radius)
        assert np.array_equal(mask.numpy(), brute_force((11, 15), [xy], radius))
        assert 0 < int(mask.sum()) < len(disc_offsets(radius))


def test_overlapping_discs_count_once_and_twice_the_same_label_as_one():
    one = disc_mask((30, 30), torch.tensor([[15.0, 15.0]]), 3)
    assert int(one.sum()) == 29
    assert torch.equal(disc_mask((30, 30), torch.tensor([[15.0, 15.0], [15.0, 15.0]]), 3), one)
    two = disc_mask((30, 30), torch.tensor([[15.0, 15.0], [18.0, 15.0]]), 3)
    assert 29 < int(two.sum()) < 58


def test_x_is_the_column_and_y_the_row():
    mask = disc_mask((10, 20), torch.tensor([[17.0, 2.0]]), 0.5)
    assert mask.nonzero().tolist() == [[2, 17]]


def test_no_labels_and_labels_outside_give_an_empty_mask():
    assert not disc_mask((8, 9), torch.zeros((0, 2)), 3).any()
    assert not disc_mask((8, 9), torch.tensor([[-5.0, 3.0], [13.0, 3.0], [4.0, 40.0]]), 3).any()


def test_class_prior_of_the_papers_first_data_set():
    # EMPIAR-10025: 254 particles of radius 3 in a micrograph of 222,000 pixels.
    assert class_prior_from_count(254, 3, 222_000) == pytest.approx(254 * 9 * np.pi / 222_000)


def test_priors_agree_with_counting_pixels():
    centres = torch.tensor([[10.0 + 20 * i, 10.0 + 20 * j] for i in range(5) for j in range(4)])
    positive = disc_mask((80, 100), centres, 4)
    labelled = disc_mask((80, 100), centres[:7], 4)
    prior = class_prior_from_count(20, 4, 8000)
    assert prior == pytest.approx(float(positive.double().mean()), rel=0.03)  # the discs are centred on pixels
    among_unlabelled = float(positive[~labelled].double().mean())
    exact = unlabelled_prior(float(positive.double().mean()), float(labelled.double().mean()))
    assert exact == pytest.approx(among_unlabelled)
    assert unlabelled_prior(prior, 0.0) == pytest.approx(prior)


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.1, 1.7, float("nan")])
def test_a_prior_that_is_no_fraction_is_an_error(prior):
    with pytest.raises(ValueError, match="between 0 and 1"):
        unlabelled_prior(prior, 0.0)


def test_labels_that_already_cover_the_prior_are_an_error():
    with pytest.raises(ValueError, match="must be larger"):
        unlabelled_prior(0.02, 0.02)


@pytest.mark.parametrize("radius", [1.5, 2.42, 3.0])
def test_discs_at_random_centres_have_their_area_on_average(radius):
    centres = torch.rand(4000, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 7
    pixels = [int(disc_mask((16, 16), xy, radius).sum()) for xy in centres]
    assert sum(pixels) / len(pixels) == pytest.approx(mean_disc_area(radius), rel=0.02)


def test_ring_is_what_lies_between_two_radii_of_any_centre():
    xy = torch.tensor([[10.2, 12.0], [22.0, 14.5], [1.0, 39.0]], dtype=torch.float64)
    other = torch.tensor([[12.0, 24.0]], dtype=torch.float64)
    expected = brute_force((40, 33), xy.tolist(), 9)
    expected &= ~brute_force((40, 33), [*xy.tolist(), *other.tolist()], 4.5)
    assert np.array_equal(ring_mask((40, 33), xy, 4.5, 9, other).numpy(), expected)
    assert int(ring_mask((40, 33), xy, 4.5, 9).sum()) > int(expected.sum())
    assert not ring_mask((40, 33), xy[:0], 4.5, 9).any()
