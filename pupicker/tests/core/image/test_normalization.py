import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from pupicker.core.image import normalization
from pupicker.core.image.histograms import histogram, stack_histograms
from pupicker.core.image.normalization import (
    CLIP_SIGMA,
    Mixture,
    _expect,
    _initial_affine,
    _maximise,
    _start,
    _update_mixture,
    fit,
    fit_to_mixture,
    normalize,
)

WEIGHT, MEAN, STD = (0.8, 0.2), (10.0, 7.5), (1.0, 1.4)  # ice, and darker particles
SCALES = (1.0, 2.5, 0.3, 40.0, 1.3)
SIDE = 180


def micrograph(seed, scale=1.0, offset=0.0, mean=MEAN):
    """Pixels of the mixture above, times `scale`, plus `offset`."""
    generator = torch.Generator().manual_seed(seed)
    second = (torch.rand(SIDE, SIDE, generator=generator) < WEIGHT[1]).long()
    noise = torch.randn(SIDE, SIDE, generator=generator, dtype=torch.float64)
    return (torch.tensor(mean)[second] + torch.tensor(STD)[second] * noise) * scale + offset


def histograms(images):
    return stack_histograms([histogram(image) for image in images])


@pytest.fixture(scope="module")
def data_set():
    return [micrograph(k, scale) for k, scale in enumerate(SCALES)]


@pytest.fixture(scope="module")
def joint(data_set):
    return fit(histograms(data_set))


# -- histograms -------------------------------------------------------------------------------------------------------


def test_histogram_keeps_the_mean_and_nearly_the_variance():
    image = micrograph(0)
    data = histogram(image)
    assert data.value.shape == data.count.shape == (1, 512)
    assert data.value.dtype == data.count.dtype == torch.float64
    mean = float((data.value * data.count).sum() / data.count.sum())
    variance = float((data.value**2 * data.count).sum() / data.count.sum()) - mean**2
    assert float(data.count.sum()) == pytest.approx(image.numel(), rel=3e-4)
    assert mean == pytest.approx(float(image.mean()), abs=0.005)
    assert variance == pytest.approx(float(image.var()), rel=0.01)


def test_bins_hold_the_mean_of_their_own_pixels():
    data = histogram(torch.tensor([1.0, 2.0, 2.0, 4.0, 5.0, 8.0]).double(), bins=4)
    assert data.count.tolist() == [[3.0, 1.0, 1.0, 1.0]]
    assert data.value[0].tolist() == pytest.approx([5 / 3, 4.0, 5.0, 8.0])


def test_integer_pixels_lie_on_their_values():
    image = torch.randint(0, 9, (50, 50), generator=torch.Generator().manual_seed(1)).to(torch.int16)
    data = histogram(image)
    filled = data.count[0] > 0
    assert data.value[0][filled].tolist() == list(range(9))
    assert data.count[0][filled].tolist() == torch.bincount(image.long().reshape(-1)).tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("shape", [(700, 512), (333, 1024), (900, 901)])
def test_the_range_of_the_bins_is_that_of_nearly_all_pixels(shape, dtype):
    """Quantiles of a sample, from all over the image: a ramp, here along either axis, would show a few columns."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for ramp in (torch.linspace(-2, 2, shape[0])[:, None], torch.linspace(-2, 2, shape[1])):
        image = (50 + 10 * (noise + ramp)).to(dtype)
        data = histogram(image)
        assert float(data.count.sum()) == pytest.approx(image.numel(), rel=6e-4)
        for fraction in (0.02, 0.5, 0.9):
            cumulative = data.count[0].cumsum(0) / data.count.sum()
            value = float(data.value[0][int((cumulative < fraction).sum())])
            assert value == pytest.approx(float(np.quantile(image.double(), fraction)), abs=0.3)


@pytest.mark.parametrize("shape", [(3, 8), (40, 50), (300, 500), (700, 512)])
@pytest.mark.parametrize("period", [2, 4])
def test_columns_that_alternate_all_tell_the_range(shape, period):
    """Grey levels so far apart that a sample of some columns would leave the others out, whatever the size."""
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    image[:, ::period] += 1000
    assert float(histogram(image).count.sum()) == pytest.approx(image.numel(), rel=6e-4)


def test_an_image_and_its_multiple_have_the_same_histogram():
    image = micrograph(2).float()
    first, second = histogram(image), histogram(4 * image)
    assert torch.equal(first.count, second.count) and torch.equal(4 * first.value, second.value)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e6])
def test_a_constant_image_has_no_scale(value):
    with pytest.raises(ValueError, match="constant"):
        histogram(torch.full((40, 50), value))


def test_a_constant_image_with_one_hot_pixel_has_none_either():
    image = torch.full((200, 200), 3.0)
    image[7, 7] = 1e5
    with pytest.raises(ValueError, match="constant"):
        histogram(image)


# -- joint fit --------------------------------------------------------------------------------------------------------


def test_known_parameters_and_scales_are_recovered(joint):
    assert joint.mixture.form == "scale"
    common = joint.scale * torch.tensor(SCALES)
    unit = float(common.log().mean().exp())  # only the overall scale is free
    torch.testing.assert_close(common / unit, torch.ones(5).double(), rtol=0.01, atol=0)
    assert torch.equal(joint.offset, torch.zeros(5).double())
    heavy, light = joint.mixture.dominant, 1 - joint.mixture.dominant
    assert joint.mixture.weight[heavy] == pytest.approx(WEIGHT[0], abs=0.05)
    assert joint.mixture.mean[heavy] / unit == pytest.approx(MEAN[0], abs=0.05)
    assert joint.mixture.std[heavy] / unit == pytest.approx(STD[0], rel=0.03)
    assert joint.mixture.mean[light] / unit == pytest.approx(MEAN[1], abs=0.4)
    assert joint.mixture.std[light] / unit == pytest.approx(STD[1], rel=0.12)
    assert sum(joint.mixture.weight) == pytest.approx(1.0)


def test_the_dominant_component_is_the_heavier_one_whether_it_is_the_brighter_or_not():
    for mean in ((10.0, 7.0), (10.0, 13.0)):
        images = [micrograph(k, scale, mean=mean) for k, scale in enumerate((1.0, 2.0, 0.5))]
        result = fit(histograms(images))
        for k, image in enumerate(images):
            flat = normalize(image, result.mixture, float(result.scale[k]), float(result.offset[k]))
            # The background is standard normal, however much of the rest there is on one side.
            one_sided = flat[flat > 0] if mean[1] < mean[0] else -flat[flat < 0]
            assert float(one_sided.quantile(0.6827)) == pytest.approx(1.0, abs=0.08)


def test_the_overall_scale_is_fixed(joint, data_set):
    data = histograms(data_set)
    cumulative = data.count.cumsum(1) / data.count.sum(1, keepdim=True)
    spread = [float(v[int((c < 0.8413).sum())] - v[int((c < 0.1587).sum())]) / 2
              for v, c in zip(data.value, cumulative, strict=True)]
    assert float((joint.scale * torch.tensor(spread)).log().mean()) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("form", ["scale", "location-scale"])
def test_likelihood_never_decreases(data_set, form):
    data = histograms(data_set)
    for quantile in (0.5, 0.02):
        scale, offset = _initial_affine(data, form)
        mixture, values = _start(data, form, quantile), []
        for _ in range(60):
            step = _maximise(data, mixture, scale, offset, iterations=1)
            mixture, scale, offset = step.mixture, step.scale, step.offset
            values.append(step.log_likelihood)
        assert min(b - a for a, b in pairwise(values)) > -1e-9
        assert values[-1] > values[0] + 1e-3


def log_likelihood(data, mixture, scale, offset):
    density = torch.from_numpy(_expect((data.value * scale[:, None] + offset[:, None]).numpy(), mixture)[1])
    return float((data.count * (density + scale.log()[:, None])).sum() / data.count.sum())


def test_fit_is_a_maximum_in_every_scale(data_set, joint):
    data = histograms(data_set)
    best = log_likelihood(data, joint.mixture, joint.scale, joint.offset)
    assert best == pytest.approx(joint.log_likelihood, abs=1e-9)
    for k in range(5):
        for factor in (0.98, 1.02):
            moved = joint.scale.clone()
            moved[k] *= factor
            assert log_likelihood(data, joint.mixture, moved, joint.offset) < best


def test_the_density_is_that_of_two_gaussians():
    mixture = Mixture(WEIGHT, MEAN, STD, "scale")
    z = np.array([[6.0, 9.0, 12.0]])
    responsibility, log_density = _expect(z, mixture)
    for i, value in enumerate(z[0].tolist()):
        parts = [w / (s * math.sqrt(2 * math.pi)) * math.exp(-0.5 * ((value - m) / s) ** 2)
                 for w, m, s in zip(WEIGHT, MEAN, STD, strict=True)]
        assert float(log_density[0, i]) == pytest.approx(math.log(sum(parts)), abs=1e-12)
        assert responsibility[:, 0, i].tolist() == pytest.approx([p / sum(parts) for p in parts])


def test_multiplying_micrographs_by_constants_changes_their_scales_only(data_set, joint):
    factors = torch.tensor([3.0, 0.01, 7.7, 1.0, 250.0], dtype=torch.float64)
    other = fit(histograms([image * f for image, f in zip(data_set, factors, strict=True)]))
    torch.testing.assert_close(other.scale * factors, joint.scale, rtol=1e-3, atol=0)
    assert other.mixture.mean == pytest.approx(joint.mixture.mean, rel=1e-3)
    assert other.mixture.std == pytest.approx(joint.mixture.std, rel=1e-2)
    for k, image in enumerate(data_set):
        first = normalize(image, joint.mixture, float(joint.scale[k]), 0.0)
        second = normalize(image * factors[k], other.mixture, float(other.scale[k]), 0.0)
        torch.testing.assert_close(first, second, rtol=0, atol=0.03)


def test_a_component_of_equal_pixels_keeps_a_thousandth_of_the_spread():
    """Masked areas of one grey level: a variance of zero would give them an infinite likelihood."""
    x, v = np.array([1.0, 2.0, 4.0, 9.0]), np.array([3.0])
    equal, others = np.array([40.0, 40.0 * 7, 40.0 * 49]), np.array([4.0, x.sum(), (x * x).sum()])
    sums = np.stack([equal, others], 1)[:, :, None]
    found = _update_mixture(sums, np.array([0.5]), v, Mixture(WEIGHT, MEAN, STD, "scale"))
    pixels = 0.5 * np.concatenate([np.full(40, 7.0), x]) + 3
    assert found.std == pytest.approx((1e-3 * pixels.std(), 0.5 * x.std()))
    assert found.mean == pytest.approx((6.5, 0.5 * x.mean() + 3))
    assert found.weight == pytest.approx((40 / 44, 4 / 44))
    sums[:, 0] = 0  # one without pixels keeps a millionth of them
    assert _update_mixture(sums, np.array([0.5]), v, found).weight == pytest.approx((1e-6, 1 - 1e-6), rel=1e-9)


@pytest.mark.parametrize("parts", [
    [(3900, -4.9, 1.7), (1300, 4.2, 2.8), (5700, -5.6, 2.8)], [(200, 1.5, 1.9), (3600, -0.5, 0.3), (3600, -3.2, 0.7)]])
def test_the_fit_is_that_of_the_best_start(parts):
    """Of pixels (number, mean, deviation) of which halves are no good start."""
    generator = torch.Generator().manual_seed(0)
    pixels = [mean + std * torch.randn(number, generator=generator).double() for number, mean, std in parts]
    data = histogram(torch.cat(pixels).reshape(100, -1))
    affine = _initial_affine(data, "location-scale")
    halves, tenths = (_maximise(data, _start(data, "location-scale", q), *affine).log_likelihood for q in (0.5, 0.9))
    assert fit(data, "location-scale").log_likelihood > halves + 1e-3
    assert fit(data, "location-scale").log_likelihood >= tenths - 1e-5


THREE, RARE = [(60, -2.6, 1.4), (1000, 1.5, 2.8), (200, 3.8, 0.3)], [(5000, 3.1, 1.9), (100, -5.7, 0.8)]


@pytest.mark.parametrize(("quantile", "sign", "parts"), [
    (0.5, 1, [(1000, 6.4, 1.8), (3000, 1.8, 0.3), (1000, -5.1, 2.9)]), (0.9, 1, THREE), (0.1, -1, THREE),
    (0.02, 1, RARE), (0.98, -1, RARE)])
def test_every_start_is_the_best_for_some_pixels(quantile, sign, parts):
    """Numbers, means, deviations of pixels, and where they are cut in two: from elsewhere a lower maximum is found."""
    generator = torch.Generator().manual_seed(0)
    pixels = [mean + std * torch.randn(number, generator=generator).double() for number, mean, std in parts]
    data = histogram(sign * torch.cat(pixels).reshape(20, -1))
    affine = _initial_affine(data, "location-scale")
    ends = {q: _maximise(data, _start(data, "location-scale", q), *affine).log_likelihood
            for q in (0.5, 0.1, 0.9, 0.02, 0.98)}
    best = ends.pop(quantile)
    assert best > max(ends.values()) + 1e-3
    assert fit(data, "location-scale").log_likelihood == pytest.approx(best, abs=1e-5)


def test_the_order_of_micrographs_does_not_matter(data_set, joint):
    reverse = fit(histograms(data_set[::-1]))
    torch.testing.assert_close(reverse.scale.flip(0), joint.scale, rtol=1e-4, atol=0)


@pytest.mark.parametrize("form", ["scale", "location-scale"])
def test_blocks_of_micrographs_give_the_fit_of_all_together(monkeypatch, data_set, form):
    data = histograms(data_set)
    together = fit(data, form)
    monkeypatch.setattr(normalization, "_BLOCK", 3)
    in_blocks = fit(data, form)
    torch.testing.assert_close(in_blocks.scale, together.scale, rtol=1e-9, atol=0)
    torch.testing.assert_close(in_blocks.offset, together.offset, rtol=1e-9, atol=1e-12)
    assert in_blocks.mixture.mean == pytest.approx(together.mixture.mean, rel=1e-9)
    assert in_blocks.log_likelihood == pytest.approx(together.log_likelihood, abs=1e-12)


@pytest.mark.parametrize("form", ["scale", "location-scale"])
def test_a_part_of_the_micrographs_is_enough_to_begin_with(monkeypatch, data_set, form):
    data = histograms(data_set)
    from_all, sorted_values = fit(data, form), []
    argsort = torch.Tensor.argsort
    monkeypatch.setattr(torch.Tensor, "argsort", lambda z: sorted_values.append(len(z)) or argsort(z))
    monkeypatch.setattr(normalization, "_START_MICROGRAPHS", 2)
    from_some = fit(data, form)
    assert max(sorted_values) <= 2 * data.value.shape[1]
    torch.testing.assert_close(from_some.scale, from_all.scale, rtol=1e-4, atol=0)
    assert from_some.log_likelihood == pytest.approx(from_all.log_likelihood, abs=1e-6)


def test_one_micrograph_is_enough():
    result = fit(histogram(micrograph(3, 12.0)))
    flat = normalize(micrograph(3, 12.0), result.mixture, float(result.scale[0]), float(result.offset[0]))
    assert float(flat.median()) == pytest.approx(-0.25, abs=0.25)
    assert 0.9 < float(flat.std()) < 1.8


# -- choice of the form -----------------------------------------------------------------------------------------------


def test_zero_mean_micrographs_get_an_offset(data_set):
    images = [image - image.mean() for image in data_set]
    result = fit(histograms(images))
    assert result.mixture.form == "location-scale"
    common = result.scale * torch.tensor(SCALES)
    torch.testing.assert_close(common / common.mean(), torch.ones(5).double(), rtol=0.02, atol=0)
    for k, image in enumerate(images):
        flat = normalize(image, result.mixture, float(result.scale[k]), float(result.offset[k]))
        assert float(flat[flat > 0].quantile(0.6827)) == pytest.approx(1.0, abs=0.06)


def test_offsets_of_every_micrograph_are_recovered():
    offsets = torch.tensor([0.0, 100.0, -50.0, 3.0, 7.0], dtype=torch.float64)
    images = [micrograph(k, s, float(o)) for k, (s, o) in enumerate(zip(SCALES, offsets, strict=True))]
    result = fit(histograms(images))
    assert result.mixture.form == "location-scale"
    # On the common scale all micrographs have their own zero at the same place.
    zero = result.scale * offsets + result.offset
    torch.testing.assert_close(zero, zero.mean().expand(5), rtol=0, atol=0.1)


def test_positive_micrographs_that_a_scale_cannot_bring_together_get_an_offset():
    images = [micrograph(k, offset=-5.5 if k % 2 else 40.0) for k in range(6)]
    for image in images:
        left, middle, right = image.reshape(-1).quantile(torch.tensor([0.1587, 0.5, 0.8413]).double())
        assert middle > 3 * (right - left) / 2  # by the medians alone the paper's form would do
    assert fit(histograms(images)).mixture.form == "location-scale"


def test_a_form_that_is_asked_for_is_used(data_set):
    result = fit(histograms(data_set), "location-scale")
    assert result.mixture.form == "location-scale"
    common = result.scale * torch.tensor(SCALES)
    torch.testing.assert_close(common / common.mean(), torch.ones(5).double(), rtol=0.02, atol=0)


# -- new micrographs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.02, 1.0, 7.0, 900.0])
def test_scale_of_a_new_micrograph_is_recovered_under_the_mixture(joint, scale):
    found, offset = fit_to_mixture(histogram(micrograph(77, scale)), joint.mixture)
    unit = float((joint.scale * torch.tensor(SCALES)).log().mean().exp())
    assert float(found[0]) * scale == pytest.approx(unit, rel=0.01)
    assert float(offset[0]) == 0.0


def test_micrographs_of_the_fit_get_their_own_scales_again(data_set, joint):
    scale, offset = fit_to_mixture(histograms(data_set), joint.mixture)
    torch.testing.assert_close(scale, joint.scale, rtol=1e-3, atol=0)
    assert torch.equal(offset, joint.offset)


@pytest.mark.parametrize("median", [0.0, -3.0])
def test_a_new_micrograph_whose_zero_is_its_median_is_no_special_case(joint, median):
    image = micrograph(5)
    shifted = image - image.median() + median
    scale, offset = fit_to_mixture(histogram(shifted), joint.mixture)
    expected = fit_to_mixture(histogram(image - 40), joint.mixture)[0]
    assert bool(scale.isfinite().all() and offset.isfinite().all())
    torch.testing.assert_close(scale, expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize("offset", [1e4, -1e6])
def test_a_large_zero_level_costs_no_precision(data_set, offset):
    images = [image - image.mean() for image in data_set]
    plain = fit(histograms(images), "location-scale")
    moved = fit(histograms([image + offset * s for image, s in zip(images, SCALES, strict=True)]), "location-scale")
    torch.testing.assert_close(moved.scale, plain.scale, rtol=1e-5, atol=0)
    assert moved.mixture.std == pytest.approx(plain.mixture.std, rel=1e-5)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (30.0, -700.0), (0.1, 5.0)])
def test_scale_and_offset_of_a_new_micrograph_are_recovered(data_set, scale, offset):
    result = fit(histograms(data_set), "location-scale")
    reference = fit_to_mixture(histogram(micrograph(77)), result.mixture)
    found = fit_to_mixture(histogram(micrograph(77, scale, offset)), result.mixture)
    assert float(found[0][0]) * scale == pytest.approx(float(reference[0][0]), rel=2e-3)
    assert float(found[1][0] + found[0][0] * offset) == pytest.approx(float(reference[1][0]), abs=0.02)


@pytest.mark.parametrize("shift", [-10.0, -40.0, 500.0])
def test_a_micrograph_with_another_zero_level_gets_an_offset_of_its_own(joint, shift):
    """As the 8-bit or 16-bit version of a micrograph: it comes out as the micrograph itself does."""
    plain, shifted = micrograph(5), micrograph(5, offset=shift)
    results = []
    for image in (plain, shifted):
        scale, offset = fit_to_mixture(histogram(image), joint.mixture)
        results.append(normalize(image, joint.mixture, float(scale[0]), float(offset[0])))
    assert float((results[0] - results[1]).abs().mean()) < 0.1
    assert float(torch.corrcoef(torch.stack([r.flatten() for r in results]))[0, 1]) > 0.999


# -- outliers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [5e-5, 1e-3])
@pytest.mark.parametrize("value", [100.0, 1e6, -50.0])
def test_hot_pixels_do_not_move_the_fit(data_set, joint, fraction, value):
    spoilt = []
    for k, image in enumerate(data_set):
        copy = image.clone().reshape(-1)
        hot = torch.randperm(copy.numel(), generator=torch.Generator().manual_seed(k))[: int(fraction * copy.numel())]
        copy[hot] = value * image.median()
        spoilt.append(copy.view_as(image))
    result = fit(histograms(spoilt))
    heavy = joint.mixture.dominant
    torch.testing.assert_close(result.scale, joint.scale, rtol=0.01, atol=0)
    assert result.mixture.mean[result.mixture.dominant] == pytest.approx(joint.mixture.mean[heavy], abs=0.03)
    assert result.mixture.std[result.mixture.dominant] == pytest.approx(joint.mixture.std[heavy], rel=0.02)


def test_gold_beads_move_the_background_by_a_small_part_of_its_width(data_set, joint):
    """Half a percent of all pixels at a tenth of the intensity: nine standard deviations below."""
    spoilt = []
    for image in data_set:
        copy = image.clone()
        copy[40:53, 40:52] = 0.1 * image.median()
        spoilt.append(copy)
    result = fit(histograms(spoilt))
    change = result.scale / joint.scale
    assert float(change.max() - change.min()) < 0.01  # the ratios of the scales stay
    for k, image in enumerate(data_set):
        before = normalize(image, joint.mixture, float(joint.scale[k]), 0.0)
        after = normalize(image, result.mixture, float(result.scale[k]), 0.0)
        assert float((after - before).mean()) == pytest.approx(0.0, abs=0.2)
        assert float(after.std() / before.std()) == pytest.approx(1.0, abs=0.1)


# -- normalising ------------------------------------------------------------------------------------------------------


def test_normalize_is_the_formula_and_clips():
    mixture = Mixture((0.3, 0.7), (2.0, 5.0), (1.0, 0.5), "location-scale")
    image = torch.tensor([[0.0, 1.0, 1.5], [100.0, -100.0, 1.25]])
    result = normalize(image, mixture, 4.0, 1.0)
    assert result.dtype == torch.float32
    assert result.tolist() == [[-CLIP_SIGMA, 0.0, 4.0], [CLIP_SIGMA, -CLIP_SIGMA, 2.0]]
    assert image[1, 0] == 100.0  # the input stays


@pytest.mark.parametrize(("weight", "dominant"), [((0.3, 0.7), 1), ((0.7, 0.3), 0), ((0.5, 0.5), 0)])
def test_dominant_component(weight, dominant):
    assert Mixture(weight, (0.0, 1.0), (1.0, 1.0), "scale").dominant == dominant
