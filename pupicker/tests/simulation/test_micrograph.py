from dataclasses import replace

import numpy as np
import pytest

from pupicker.engine.runtime.errors import UsageError
from pupicker.simulation.config import PIXEL_TYPES, SimulationConfig
from pupicker.simulation.contamination import Frame, draw_contamination
from pupicker.simulation.micrograph import make_projector, simulate_micrograph

SMALL = SimulationConfig(width=256, height=200, particles=8, diameter_ang=100.0)
#: Nothing varies but the particles.
PLAIN = replace(SMALL, noise=False, thickness_gradient=0.0, intensity_scale_sd=0.0, astigmatism_um=0.0)


@pytest.fixture(scope="module")
def projector():
    return make_projector(SMALL)


def contrast_of(micrograph, config):
    """Relative loss of intensity, positive in particles."""
    return 1.0 - micrograph.image.astype(np.float64) / config.electrons_per_pixel


def near(micrograph, radius_px):
    """Mask of the pixels within radius_px of a particle."""
    rows, columns = np.indices(micrograph.image.shape)
    mask = np.zeros(micrograph.image.shape, dtype=bool)
    for x, y in zip(micrograph.x, micrograph.y, strict=True):
        mask |= np.hypot(columns - x, rows - y) <= radius_px
    return mask


def test_same_seed_and_index_same_micrograph(projector):
    first, again = (simulate_micrograph(SMALL, 3, projector) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.x, again.x)
    assert first.defocus_um == again.defocus_um
    for other in (simulate_micrograph(SMALL, 4, projector), simulate_micrograph(replace(SMALL, seed=1), 3, projector)):
        assert not np.array_equal(first.image, other.image)
        assert first.defocus_um != other.defocus_um


@pytest.mark.parametrize("size", [(128, 128), (131, 97), (90, 250)])
def test_sizes(size):
    config = replace(SMALL, width=size[0], height=size[1], particles=2)
    micrograph = simulate_micrograph(config, 0)
    assert micrograph.image.shape == size[::-1]
    assert len(micrograph.x) == len(micrograph.y) == 2
    assert (micrograph.x >= 0).all() and (micrograph.x <= size[0] - 1).all()
    assert (micrograph.y >= 0).all() and (micrograph.y <= size[1] - 1).all()


@pytest.mark.parametrize("pixel_size_ang", [1.1, 7.3])
def test_pixel_sizes(pixel_size_ang):
    config = replace(PLAIN, pixel_size_ang=pixel_size_ang, particles=1, width=160, height=160, snr=1.0)
    micrograph = simulate_micrograph(config, 0)
    contrast = contrast_of(micrograph, config)
    within = near(micrograph, 50.0 / pixel_size_ang)
    if pixel_size_ang > 5:  # else the particle and its fringes fill the micrograph
        assert np.square(contrast[within]).sum() > 0.7 * np.square(contrast).sum()
    assert np.square(contrast[within]).mean() == pytest.approx(config.noise_variance, rel=0.5)


@pytest.mark.parametrize("dtype", PIXEL_TYPES)
def test_pixel_types(projector, dtype):
    image = simulate_micrograph(replace(SMALL, dtype=dtype), 0, projector).image
    reference = simulate_micrograph(SMALL, 0, projector).image
    assert image.dtype == dtype
    assert np.corrcoef(image.ravel(), reference.ravel())[0, 1] > 0.995
    if np.dtype(dtype).kind != "f":
        limits = np.iinfo(dtype)
        assert ((image == limits.min) | (image == limits.max)).mean() < 1e-3
        assert len(np.unique(image)) > 20


def test_integer_types_keep_the_scales_of_a_set(projector):
    config = replace(SMALL, dtype="int8", intensity_scale_sd=0.4)
    made = [simulate_micrograph(config, index, projector) for index in range(6)]
    means = [float(m.image.mean()) + 128.0 for m in made]
    assert np.corrcoef(means, [m.intensity_scale for m in made])[0, 1] > 0.99


@pytest.mark.parametrize(("snr", "structural_fraction"), [(0.05, 0.0), (0.05, 0.5), (0.5, 0.9)])
def test_signal_to_noise_ratio_is_the_stated_one(snr, structural_fraction):
    config = replace(
        PLAIN, width=700, height=700, particles=60, snr=snr, structural_fraction=structural_fraction, noise=True
    )
    projector = make_projector(config)
    clean = simulate_micrograph(replace(config, noise=False), 0, projector)
    noisy = simulate_micrograph(config, 0, projector)
    noise = (noisy.image - clean.image) / config.electrons_per_pixel
    signal = contrast_of(clean, config)[near(clean, 0.5 * 100.0 / config.pixel_size_ang)]
    assert np.square(signal).mean() / noise.var() == pytest.approx(snr, rel=0.1)
    assert noise.var() == pytest.approx(config.noise_variance, rel=0.03)


def test_shot_noise_is_white_and_structural_noise_shows_the_ctf():
    """Power behind the first zero of the CTF is missing in structural noise only."""
    config = replace(PLAIN, width=512, height=512, particles=0, noise=True, defocus_range_um=(2.0, 2.0), cs_mm=0.0)
    projector = make_projector(config)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None]) / config.pixel_size_ang
    zero = np.sqrt((np.pi - np.arcsin(0.1)) / (np.pi * 0.019687 * 20000))
    at_zero = np.abs(frequency - zero) < 0.03 * zero
    peak = np.abs(frequency - zero / np.sqrt(2)) < 0.03 * zero
    ratio = {}
    for fraction in (0.0, 0.9):
        image = simulate_micrograph(replace(config, structural_fraction=fraction), 0, projector).image
        power = np.abs(np.fft.rfft2(image - image.mean())) ** 2
        ratio[fraction] = power[at_zero].mean() / power[peak].mean()
    assert ratio[0.0] == pytest.approx(1.0, abs=0.15)
    assert ratio[0.9] < 0.2


def test_particles_are_dark():
    config = replace(PLAIN, width=512, height=512, particles=30)
    micrograph = simulate_micrograph(config, 0)
    dark = near(micrograph, 0.25 * 100.0 / config.pixel_size_ang)
    assert micrograph.image[dark].mean() < micrograph.image[~near(micrograph, 20)].mean()


@pytest.mark.parametrize("index", range(3))
def test_truth_is_right_to_parts_of_a_pixel(index):
    """A hollow sphere looks alike from all sides: the peak of its correlation with its own view is its centre."""
    config = replace(
        PLAIN, density="ring", diameter_ang=120.0, width=300, height=260, particles=6, defocus_range_um=(1.0, 1.0),
        min_distance_ang=200.0, amplitude_contrast=0.9, b_factor_ang2=400.0,
    )
    projector = make_projector(config)
    micrograph = simulate_micrograph(config, index, projector)
    contrast = contrast_of(micrograph, config)
    template = np.zeros_like(contrast)
    box = projector.box_px
    template[:box, :box] = projector.project(np.eye(3)[None])[0]
    template = np.roll(template, (-(box // 2), -(box // 2)), axis=(0, 1))
    score = np.fft.irfft2(np.fft.rfft2(contrast) * np.conj(np.fft.rfft2(template)), s=contrast.shape)
    checked = 0
    for x, y in zip(micrograph.x, micrograph.y, strict=True):
        if not (20 < x < 279 and 20 < y < 239):
            continue
        column, row = round(x), round(y)
        patch = score[row - 3 : row + 4, column - 3 : column + 4]
        peak_row, peak_column = np.unravel_index(patch.argmax(), patch.shape)
        assert 0 < peak_row < 6 and 0 < peak_column < 6
        peak_row, peak_column = peak_row + row - 3, peak_column + column - 3
        assert peak_column + parabola(score[peak_row, peak_column - 1 : peak_column + 2]) == pytest.approx(x, abs=0.15)
        assert peak_row + parabola(score[peak_row - 1 : peak_row + 2, peak_column]) == pytest.approx(y, abs=0.15)
        checked += 1
    assert checked >= 3


def parabola(three):
    """Position of the maximum of the parabola through three values at -1, 0, 1."""
    left, middle, right = three
    return 0.5 * (left - right) / (left - 2 * middle + right)


def test_thickness_gradient_spans_the_micrograph(projector):
    config = replace(PLAIN, particles=0, thickness_gradient=0.3)
    image = simulate_micrograph(config, 0, projector).image / config.electrons_per_pixel
    assert image.max() - image.min() == pytest.approx(0.3, rel=0.02)
    assert image.mean() == pytest.approx(1.0, abs=0.01)


def test_intensity_scale_multiplies_the_image(projector):
    config = replace(PLAIN, particles=0, intensity_scale_sd=0.5)
    for index in range(3):
        micrograph = simulate_micrograph(config, index, projector)
        expected = micrograph.intensity_scale * config.electrons_per_pixel
        np.testing.assert_allclose(micrograph.image, expected, rtol=1e-4)


def test_contamination_darkens_and_keeps_particles_away(projector):
    config = replace(PLAIN, width=512, height=512, particles=25, gold=4, ice_crystals=2, carbon=True)
    micrograph = simulate_micrograph(config, 0, projector)
    brightness = micrograph.image / config.electrons_per_pixel
    assert (brightness < 0.5).sum() > 4 * 100  # the beads alone
    assert 0.03 < (brightness < 0.92).mean() < 0.7
    dark = brightness < 0.8
    assert not (dark & near(micrograph, 5)).any()
    clean = simulate_micrograph(replace(config, gold=0, ice_crystals=0, carbon=False), 0, projector)
    assert (clean.image / config.electrons_per_pixel).min() > 0.8


def test_aggregates_are_not_in_the_truth(projector):
    config = replace(PLAIN, width=512, height=512, particles=5, snr=1.0)
    lone, clumped = (simulate_micrograph(replace(config, aggregates=n), 1, projector) for n in (0, 3))
    assert len(lone.x) == len(clumped.x) == 5
    signal_lone, signal_clumped = (np.square(contrast_of(m, config)).sum() for m in (lone, clumped))
    assert signal_clumped > 2 * signal_lone
    outside = ~near(clumped, 25)
    assert contrast_of(clumped, config)[outside].max() > 0.5 * contrast_of(clumped, config).max()


def test_the_mask_of_contamination_is_what_is_dark_and_the_clumps(projector):
    config = replace(PLAIN, width=512, height=400, particles=25, gold=4, ice_crystals=2)
    made = simulate_micrograph(config, 0, projector)
    assert made.contaminated.shape == (400, 512) and 0 < made.contaminated.mean() < 0.3
    assert made.contaminated[made.image / config.electrons_per_pixel < 0.7].all()
    assert not (made.contaminated & near(made, 5)).any()
    assert not simulate_micrograph(replace(config, gold=0, ice_crystals=0), 0, projector).contaminated.any()
    config = replace(PLAIN, width=512, height=400, snr=1.0, particles=0, aggregates=2)
    clumped = simulate_micrograph(config, 1, projector)
    signal = np.abs(contrast_of(clumped, config))
    assert signal[clumped.contaminated].mean() > 5 * signal[~clumped.contaminated].mean()


def test_more_gold_leaves_the_other_dirt_where_it_was():
    config = replace(SMALL, width=512, height=512, carbon=True, ice_crystals=2)
    frame = Frame(512, 512, 0)
    few, many = (
        draw_contamination(np.random.default_rng(0), replace(config, gold=n), frame, 100.0) for n in (0, 3)
    )
    assert few.hole == many.hole
    assert few.discs == many.discs[3:]
    assert (many.opacity >= few.opacity).all()


def test_carbon_leaves_most_of_the_micrograph_free():
    config = replace(SMALL, width=1024, height=800, carbon=True)
    for seed in range(20):
        dirt = draw_contamination(np.random.default_rng(seed), config, Frame(1024, 800, 0), 100.0)
        assert 0.02 < (dirt.opacity > 0.1).mean() < 0.5


def test_blank_micrograph_has_no_truth(projector):
    micrograph = simulate_micrograph(replace(SMALL, particles=0), 0, projector)
    assert len(micrograph.x) == len(micrograph.y) == 0
    assert micrograph.image.std() > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixel_size_ang": 0.0}, "pixel size ang is 0.0"),
        ({"snr": -1.0}, "snr"),
        ({"snr": float("nan")}, "snr"),
        ({"particles": -1}, "particles"),
        ({"width": 8}, "width is 8"),
        ({"dtype": "int64"}, "dtype is int64"),
        ({"defocus_range_um": (2.0, 1.0)}, "defocus"),
        ({"amplitude_contrast": 1.0}, "amplitude contrast"),
        *(({name: value}, "must be from") for name, value in [
            ("snr", 1e300), ("dose_per_ang2", 1e-300), ("dose_per_ang2", 1e300), ("voltage_kv", 1e-300),
            ("min_distance_ang", 1e-300), ("pixel_size_ang", 1e300), ("pixel_size_ang", 0.02),
            ("intensity_scale_sd", 1e3),
        ]),
    ],
)
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(UsageError, match=words):
        replace(SMALL, **change)


@pytest.mark.parametrize("change", [
    {"snr": 1e6, "dose_per_ang2": 1e-3}, {"snr": 1e-6, "dose_per_ang2": 1e6}, {"voltage_kv": 1.0}, {"voltage_kv": 1e4},
    {"min_distance_ang": 0.01}, {"intensity_scale_sd": 5.0},
])
def test_the_ends_of_the_ranges_can_be_computed(change):
    assert np.isfinite(simulate_micrograph(replace(SMALL, **change), 0).image).all()


@pytest.mark.parametrize("change", [
    {"defocus_range_um": (0.0, 0.0), "astigmatism_um": 0.0, "cs_mm": 0.0}, {"b_factor_ang2": 1e9}])
def test_a_microscope_without_any_contrast_is_refused(change):
    with pytest.raises(UsageError, match="transfers no contrast"):
        simulate_micrograph(replace(SMALL, amplitude_contrast=0.0, **change), 0)


@pytest.mark.parametrize(("change", "words"), [
    ({"particles": 200}, "too many for"), ({"diameter_ang": 5000.0}, "does not fit in")])
def test_particles_that_cannot_fit_are_refused(change, words):
    with pytest.raises(UsageError, match=words):
        simulate_micrograph(replace(SMALL, **change), 0)


def test_vesicles_are_dark_rings_that_particles_keep_out_of():
    config = replace(SMALL, width=512, height=512, membranes=2)
    frame = Frame(512, 512, 0)
    bare, dirt = (
        draw_contamination(np.random.default_rng(0), replace(config, membranes=n), frame, 100.0) for n in (0, 2))
    assert bare.opacity.max() == 0 and len(dirt.discs) == 2
    assert 0.02 < dirt.opacity.max() < 0.7
    for x, y, radius in dirt.discs:
        inside = dirt.is_free(np.array([[x, y]]), 5.0)
        assert not inside[0] and radius > 10
