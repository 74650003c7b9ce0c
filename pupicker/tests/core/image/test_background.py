import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from pupicker.core.image.background import LARGEST_GAIN, flatten, gaussian_mean


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weighted_mean(image, sigma, row, column):
    """Around one pixel, over what of the square of three standard deviations lies inside."""
    reach = int(3 * sigma + 0.5)
    total = weights = 0.0
    for i in range(max(0, row - reach), min(image.shape[0], row + reach + 1)):
        for j in range(max(0, column - reach), min(image.shape[1], column + reach + 1)):
            weight = math.exp(-((i - row) ** 2 + (j - column) ** 2) / (2 * sigma**2))
            total, weights = total + weight * float(image[i, j]), weights + weight
    return total / weights


@pytest.mark.parametrize("shape", [(21, 34), (5, 40), (1, 7)])
@pytest.mark.parametrize("sigma", [1.0, 3.7])
def test_local_mean_is_the_weighted_mean_of_what_is_inside(shape, sigma):
    image = noise(*shape)
    mean = gaussian_mean(image, sigma)
    assert mean.shape == image.shape and mean.dtype == image.dtype
    for row in {0, shape[0] // 2, shape[0] - 1}:
        for column in {0, 3, shape[1] - 1}:
            assert float(mean[row, column]) == pytest.approx(weighted_mean(image, sigma, row, column), abs=1e-12)


def direct(image, sigma):
    """The local mean as a convolution along either axis, borders by what of the kernel lies inside."""
    reach = max(1, int(3 * sigma + 0.5))
    kernel = torch.exp(-(torch.arange(-reach, reach + 1, dtype=torch.float64) ** 2) / (2 * sigma**2))[None, None]
    for _ in range(2):
        lines = image.double()[:, None]
        weight = F.conv1d(torch.ones_like(lines), kernel, padding=reach)
        image = (F.conv1d(lines, kernel, padding=reach) / weight)[:, 0].T
    return image


@given(height=st.integers(1, 40), width=st.integers(1, 40), sigma=st.floats(0.3, 60), seed=st.integers(0, 1000))
def test_local_mean_is_the_convolution_also_in_images_smaller_than_its_reach(height, width, sigma, seed):
    image = noise(height, width, seed=seed)
    torch.testing.assert_close(gaussian_mean(image, sigma), direct(image, sigma), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(128, 129), (127, 300), (700, 257), (256, 641)])
@pytest.mark.parametrize("sigma", [0.4, 5.0, 22.0, 90.3])
def test_local_mean_is_the_convolution_across_its_blocks_in_either_precision(shape, sigma):
    image = 30 + noise(*shape)
    expected = direct(image, sigma)
    torch.testing.assert_close(gaussian_mean(image, sigma), expected, rtol=0, atol=1e-11)
    single = gaussian_mean(image.float(), sigma)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=3e-6, atol=0)
    turned = gaussian_mean(image.float().T, sigma)  # not contiguous
    torch.testing.assert_close(turned.T, single, rtol=3e-6, atol=0)


def test_local_mean_can_be_learnt_through_after_it_was_used_in_inference():
    with torch.inference_mode():
        first = gaussian_mean(noise(50, 61), 3.21)
    image = noise(50, 61).requires_grad_()
    mean = gaussian_mean(image, 3.21)
    torch.testing.assert_close(mean.detach(), first.clone(), rtol=0, atol=0)
    mean.sum().backward()
    assert float(image.grad.sum()) == pytest.approx(50 * 61)


def test_local_mean_of_a_constant_is_the_constant_up_to_the_borders():
    mean = gaussian_mean(torch.full((30, 41), 2.5, dtype=torch.float64), 9.0)
    torch.testing.assert_close(mean, torch.full_like(mean, 2.5), rtol=0, atol=1e-12)


def test_noise_of_even_spread_stays_nearly_as_it_is():
    image = noise(160, 160)
    flat = flatten(image, 20.0)
    assert float((flat - image).abs().mean()) < 0.05
    assert float(flat.std()) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("constant", [-30.0, 4.0])
@pytest.mark.parametrize("factor", [0.2, 1.0, 50.0])
def test_constants_vanish_and_factors_stay(constant, factor):
    image = noise(60, 71)
    torch.testing.assert_close(
        flatten(factor * image + constant, 8.0), factor * flatten(image, 8.0), rtol=1e-6, atol=1e-8 * factor
    )


def test_a_gradient_of_the_ice_is_removed():
    ramp = torch.linspace(-5, 5, 300, dtype=torch.float64).expand(200, 300)
    flat = flatten(noise(200, 300) + ramp, 15.0)
    means = flat[:, 30:-30].reshape(200, 8, 30).mean((0, 2))
    assert float(means.abs().max()) < 0.06
    assert float(flat[:, 30:-30].std()) == pytest.approx(1.0, abs=0.05)


def test_a_noisier_half_gets_the_spread_of_the_other_and_a_quiet_one_at_most_twice_its_own():
    image = noise(200, 300)
    image[:, 200:] *= 1.6
    flat = flatten(image, 10.0)
    assert float(flat[:, 240:].std() / flat[:, :160].std()) == pytest.approx(1.0, abs=0.05)
    image = noise(200, 300)
    image[:, 200:] *= 0.05  # empty, not to be blown up
    flat = flatten(image, 10.0)
    assert float(flat[:, 240:].std()) == pytest.approx(0.05 * LARGEST_GAIN, rel=0.05)


def test_what_is_quiet_is_raised_twofold_and_no_more():
    image = noise(200, 300)
    image[:, 200:] *= 0.01
    assert float(flatten(image, 10.0)[:, 240:].std()) == pytest.approx(0.02, rel=0.05)


def test_a_particle_keeps_its_contrast():
    """A disc whose diameter is the Gaussian's standard deviation, as the geometry sets it."""
    y, x = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    disc = ((y - 80) ** 2 + (x - 80) ** 2 <= 11**2).double()
    image = noise(160, 160) - 1.0 * disc
    flat = flatten(image, 22.0)
    contrast = flat[disc > 0].mean() - flat[disc == 0].mean()
    assert float(contrast) == pytest.approx(-1.0, abs=0.2)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_image_becomes_zero(value):
    flat = flatten(torch.full((20, 30), value), 5.0)
    assert bool(flat.isfinite().all())
    assert float(flat.abs().max()) < 1e-5


def left_out_half(rows, columns, seed=0):
    """Noise whose right half is dark carbon, and where that is."""
    image = noise(rows, columns, seed=seed)
    carbon = torch.zeros(rows, columns, dtype=torch.bool)
    carbon[:, columns // 2 :] = True
    return image, carbon


def test_mean_and_spread_are_those_of_what_is_not_left_out():
    image, carbon = left_out_half(24, 30)
    image, sigma = image + torch.linspace(0, 3, 30, dtype=torch.float64), 3.0
    flat = flatten(image, sigma, carbon)
    keep = (~carbon).double()
    mean, variance = torch.zeros_like(image), torch.zeros_like(image)
    for out, of in ((mean, lambda: image), (variance, lambda: (image - mean) ** 2)):
        values = of()
        for row in range(24):
            for column in range(15):
                out[row, column] = weighted_mean(values * keep, sigma, row, column) / weighted_mean(
                    keep, sigma, row, column)
    inside = ~carbon
    typical = variance[inside].median()
    expected = (image - mean) * (typical / variance.clamp(min=float(typical) / LARGEST_GAIN**2)).sqrt()
    torch.testing.assert_close(flat[inside], expected[inside], rtol=1e-9, atol=1e-9)
    assert not flat[carbon].any()


def test_nothing_left_out_is_the_same_as_no_mask():
    image = noise(50, 40)
    torch.testing.assert_close(flatten(image, 6.0, torch.zeros(50, 40, dtype=torch.bool)), flatten(image, 6.0))


@pytest.mark.parametrize("level", [-500.0, 80.0])
def test_what_is_left_out_changes_nothing_elsewhere(level):
    image, carbon = left_out_half(80, 100)
    dark = torch.where(carbon, image + level, image)
    torch.testing.assert_close(flatten(dark, 9.0, carbon), flatten(image, 9.0, carbon))


def test_a_dark_edge_has_a_halo_unless_it_is_left_out():
    image, carbon = left_out_half(400, 400)
    image[carbon] -= 6.0
    beside = (slice(None), slice(180, 199))
    assert float(flatten(image, 20.0)[beside].mean()) > 0.5
    assert abs(float(flatten(image, 20.0, carbon)[beside].mean())) < 0.05
