import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pupicker.core.image import downsampling
from pupicker.core.image.downsampling import fourier_resize, resized_shape

sizes = st.integers(1, 23)
shapes = st.tuples(sizes, sizes)


def waves(shape, terms):
    """Sum of cosines (amplitude, ky, kx, phase) with k cycles an image, sampled on a grid of `shape`."""
    y = torch.arange(shape[0], dtype=torch.float64)[:, None] / shape[0]
    x = torch.arange(shape[1], dtype=torch.float64) / shape[1]
    image = torch.zeros(shape, dtype=torch.float64)
    for amplitude, ky, kx, phase in terms:
        image += amplitude * torch.cos(2 * math.pi * (ky * y + kx * x) + phase)
    return image


def random_terms(shape, generator):
    """Waves of all frequencies that a grid of `shape` holds below its Nyquist frequency."""
    top_y, top_x = (shape[0] - 1) // 2, (shape[1] - 1) // 2
    for ky in range(-top_y, top_y + 1):
        for kx in range(top_x + 1):
            amplitude, phase = torch.rand(2, generator=generator, dtype=torch.float64)
            yield float(amplitude), ky, kx, float(phase) * 2 * math.pi


def noise(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=60)
@given(shapes, shapes, st.integers(0, 2**31))
def test_result_is_the_same_continuous_image_on_the_other_grid(old, new, seed):
    terms = list(random_terms(old, torch.Generator().manual_seed(seed)))
    # Up to and with the Nyquist frequency of the new grid; what is above is filtered out, not aliased.
    kept = [t for t in terms if abs(t[1]) <= new[0] / 2 and t[2] <= new[1] / 2]
    resized = fourier_resize(waves(old, terms), new)
    torch.testing.assert_close(resized, waves(new, kept), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("old", "new"), [(2, 3), (2, 4), (6, 7), (6, 8), (6, 25), (10, 11), (10, 16), (7, 8), (7, 25)])
def test_highest_frequency_stays_a_cosine_when_enlarged(old, new):
    k = old // 2  # of an even size its Nyquist frequency, of an odd one the last below it
    for shape, target, wave in (((old, 5), (new, 5), (2.0, k, 0, 0.0)), ((5, old), (5, new), (2.0, 0, k, 0.0))):
        torch.testing.assert_close(
            fourier_resize(waves(shape, [wave]), target), waves(target, [wave]), rtol=0, atol=1e-12
        )


@settings(max_examples=60)
@given(shapes, st.tuples(st.integers(0, 12), st.integers(0, 12)))
def test_enlarging_and_shrinking_again_gives_the_image_back(shape, more):
    image = noise(shape)
    enlarged = fourier_resize(image, (shape[0] + more[0], shape[1] + more[1]))
    torch.testing.assert_close(fourier_resize(enlarged, shape), image, rtol=0, atol=1e-12)


@settings(max_examples=60)
@given(shapes, shapes)
def test_mean_is_preserved(old, new):
    image = noise(old) + 3
    assert float(fourier_resize(image, new).mean()) == pytest.approx(float(image.mean()), abs=1e-12)


@settings(max_examples=40)
@given(shapes, shapes)
def test_axes_are_treated_alike(old, new):
    image = noise(old)
    transposed = fourier_resize(image.T.contiguous(), (new[1], new[0])).T
    torch.testing.assert_close(fourier_resize(image, new), transposed, rtol=0, atol=1e-12)


def test_same_shape_is_an_equal_copy():
    image = noise((7, 8))
    same = fourier_resize(image, (7, 8))
    assert torch.equal(same, image)
    assert same.data_ptr() != image.data_ptr()


def test_batches_and_single_precision():
    batch = noise((2, 3, 18, 13)).float()
    resized = fourier_resize(batch, (11, 10))
    assert resized.shape == (2, 3, 11, 10)
    assert resized.dtype == torch.float32
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(resized[i, j], fourier_resize(batch[i, j], (11, 10)))


@pytest.mark.parametrize("new", [(200, 301), (1601, 90), (333, 1400)])
def test_parts_of_a_spectrum_are_those_of_the_whole(new, monkeypatch):
    image, batch = noise((1601, 1400)), noise((3, 40, 30))
    several, one = fourier_resize(image, new), fourier_resize(batch, (17, 12))
    monkeypatch.setattr(downsampling, "_BLOCK_PIXELS", 10 * image.numel())
    torch.testing.assert_close(fourier_resize(image, new), several, rtol=0, atol=1e-12)
    monkeypatch.setattr(downsampling, "_BLOCK_PIXELS", 1)
    torch.testing.assert_close(fourier_resize(batch, (17, 12)), one, rtol=0, atol=1e-12)


def test_shrinking_white_noise_by_a_non_integer_ratio_keeps_its_spectral_density():
    # 1020 / 4 = 255 is the odd size at which a crop with a misplaced row has a large error.
    image = noise((1020, 60))
    for new in ((255, 60), (333, 47)):
        ratio = 1020 * 60 / (new[0] * new[1])
        assert float(fourier_resize(image, new).var()) * ratio == pytest.approx(1.0, rel=0.05)


def test_a_particle_stays_where_plain_multiplication_puts_it():
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(120.0), indexing="ij")
    image = torch.exp(-((y - 40.0) ** 2 + (x - 81.0) ** 2) / (2 * 6.0**2)).double()
    small = fourier_resize(image, (37, 53))
    weight = small / small.sum()
    row = float((weight.sum(1) * torch.arange(37)).sum()) * 90 / 37
    column = float((weight.sum(0) * torch.arange(53)).sum()) * 120 / 53
    assert (row, column) == pytest.approx((40.0, 81.0), abs=0.01)


@pytest.mark.parametrize(
    ("shape", "pixel", "target", "expected"),
    [((1000, 900), 1.0, 4.0, (250, 225)), ((101, 57), 1.77, 7.08, (25, 14)), ((10, 10), 4.0, 2.5, (16, 16)),
     ((3838, 3710), 0.66, 5.9, (429, 415))],
)
def test_shape_is_the_nearest_to_the_wanted_pixel_size(shape, pixel, target, expected):
    assert resized_shape(shape, pixel, target) == expected


@pytest.mark.parametrize(("pixel", "target"), [(0.0, 4.0), (1.0, 0.0), (-1.0, 4.0), (1.0, float("nan"))])
def test_pixel_sizes_that_are_not_positive_are_errors(pixel, target):
    with pytest.raises(ValueError, match="must be positive"):
        resized_shape((100, 100), pixel, target)


def test_an_image_that_vanishes_is_an_error():
    with pytest.raises(ValueError, match="vanishes"):
        resized_shape((100, 100), 1.0, 400.0)
