import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from pupicker.core.image.borders import away_from_cut, live_area

WIDTHS = st.tuples(*[st.integers(0, 16).filter(lambda n: n != 1)] * 4)  # as padding takes them


def noise(height, width, seed=0):
    return torch.randn((height, width), generator=torch.Generator().manual_seed(seed))


def brute_force(image):
    """The same rule, row by row."""

    def band(lines):
        differences = [float((b - a).abs().mean()) for a, b in itertools.pairwise(lines)]
        typical = float(torch.tensor(differences).median())
        dead = [d < typical / 3 for d in differences]
        width = 0
        for i in range(int(0.2 * len(lines))):
            if i < len(dead) and dead[i] and 2 * sum(dead[: i + 1]) >= i + 1:
                width = i + 1
        return width + int(width > 0 and differences[width] > 2 * typical)

    rows, columns = list(image), list(image.T)
    return (slice(band(rows), len(rows) - band(rows[::-1])), slice(band(columns), len(columns) - band(columns[::-1])))


@pytest.mark.parametrize("mode", ["replicate", "constant"])
@given(widths=WIDTHS, height=st.integers(90, 140), width=st.integers(90, 140), seed=st.integers(0, 1000))
def test_padding_is_found_to_the_pixel(mode, widths, height, width, seed):
    left, right, top, bottom = widths
    image = 7 + noise(height, width, seed)
    padded = F.pad(image[None, None], widths, mode=mode)[0, 0]
    rows, columns = live_area(padded)
    assert (rows, columns) == brute_force(padded)
    assert (rows.start, padded.shape[0] - rows.stop) == (top, bottom)
    assert (columns.start, padded.shape[1] - columns.stop) == (left, right)
    torch.testing.assert_close(padded[rows, columns], image, rtol=0, atol=0)


@given(steps=st.lists(st.sampled_from([0, 1, 2, 3, 3, 3, 6, 7]), min_size=20, max_size=40), turned=st.booleans())
def test_bands_of_stairs_with_equal_steps_are_those_of_the_rule(steps, turned):
    """Steps that are a third or twice the typical one to the last bit."""
    image = torch.tensor([0, *steps]).cumsum(0).float()[:, None].expand(-1, 3)
    image = image.T if turned else image
    assert live_area(image) == brute_force(image)


@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 1000))
def test_images_without_bands_stay_whole(height, width, seed):
    image = noise(height, width, seed)
    if height > 40 and width > 40:  # few columns make the mean difference of a row uncertain
        assert live_area(image) == (slice(0, height), slice(0, width))
    assert live_area(torch.full((height, width), 3.0)) == (slice(0, height), slice(0, width))


def test_blurred_bands_with_live_rows_at_the_very_edge_are_found():
    """As in micrographs whose publisher repeated the edge, smoothed, and let the smoothing reflect at the border."""
    image = F.pad(noise(200, 180)[None, None], (0, 0, 20, 0), mode="replicate")
    image[..., :4, :] += 0.6 * noise(4, 180, 1)
    rows, columns = live_area(image[0, 0])
    assert rows == slice(20, 220) and columns == slice(0, 180)


@pytest.mark.parametrize("mode", ["replicate", "constant"])
@pytest.mark.parametrize(("shape", "widths"), [((1100, 1700), (7, 0, 2, 31)), ((1030, 150), (0, 12, 40, 3))])
def test_bands_of_large_images_are_found_to_the_pixel_from_some_of_the_lines(mode, shape, widths):
    left, _, top, _ = widths
    padded = F.pad(7 + noise(*shape)[None, None], widths, mode=mode)[0, 0]
    assert live_area(padded) == (slice(top, top + shape[0]), slice(left, left + shape[1]))
    assert live_area(noise(*shape, 3)) == (slice(0, shape[0]), slice(0, shape[1]))


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (2, 300), (3, 200), (900, 1000)])
def test_up_to_twice_the_number_of_lines_that_are_looked_at_all_count(shape):
    image = noise(*shape)
    image[:, :20] = image[:, -1:]
    assert live_area(image) == brute_force(image)


@pytest.mark.parametrize("shape", [(60, 1100), (64, 1600), (900, 1000)])
def test_how_many_lines_are_looked_at_is_told_by_their_own_number(shape):
    """A band in every other row only is half alive; long rows leave no row out, nor do long columns a column."""
    image = noise(*shape)
    image[::2, :20] = image[::2, -1:]
    assert brute_force(image) == live_area(image) == (slice(0, shape[0]), slice(0, shape[1]))
    assert live_area(image.T) == (slice(0, shape[1]), slice(0, shape[0]))


def test_a_doubled_row_inside_is_no_band():
    image = noise(200, 180)
    image[30] = image[31]
    image[:, 12] = image[:, 13]
    assert live_area(image) == (slice(0, 200), slice(0, 180))


def test_no_more_than_a_fifth_is_cut_off_at_an_edge():
    image = F.pad(noise(100, 100)[None, None], (0, 0, 60, 0), mode="replicate")[0, 0]
    assert live_area(image)[0] == slice(32, 160)


@pytest.mark.parametrize("smooth_px", [1, 2, 4])
def test_smooth_images_stay_whole(smooth_px):
    """Low-passed micrographs differ less from row to row, but everywhere alike."""
    kernel = torch.ones(1, 1, 2 * smooth_px + 1, 2 * smooth_px + 1)
    image = F.conv2d(noise(220, 240)[None, None], kernel)[0, 0]
    assert live_area(image) == (slice(0, image.shape[0]), slice(0, image.shape[1]))


@given(
    cut=st.tuples(*[st.booleans()] * 4), distance=st.floats(0, 30), seed=st.integers(0, 1000),
    height=st.integers(20, 90), width=st.integers(20, 90),
)
def test_only_cut_edges_keep_picks_away(cut, distance, seed, height, width):
    limit = torch.tensor([width - 1.0, height - 1.0], dtype=torch.float64)
    xy = limit * torch.rand((40, 2), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    kept = away_from_cut(xy, (height, width), cut, distance)
    for (x, y), stays in zip(xy.tolist(), kept.tolist(), strict=True):
        far = [y, height - 1 - y, x, width - 1 - x]
        assert stays == all(d >= distance for d, c in zip(far, cut, strict=True) if c)
