import numpy as np
import pytest

from pupicker.simulation.ctf import contrast_transfer, contrast_transfer_image, electron_wavelength_ang


@pytest.mark.parametrize(("voltage_kv", "wavelength_ang"), [(100, 0.03701), (200, 0.02508), (300, 0.01969)])
def test_wavelength(voltage_kv, wavelength_ang):
    assert electron_wavelength_ang(voltage_kv) == pytest.approx(wavelength_ang, rel=5e-4)


@pytest.mark.parametrize("amplitude_contrast", [0.0, 0.07, 0.1, 0.5])
def test_at_zero_frequency_it_is_the_amplitude_contrast(amplitude_contrast):
    value = contrast_transfer(np.zeros(1), 15000.0, amplitude_contrast=amplitude_contrast, b_factor_ang2=200.0)
    assert value[0] == pytest.approx(amplitude_contrast)


def test_zeros_without_spherical_aberration():
    wavelength = electron_wavelength_ang(200)
    order = np.arange(1, 9)
    zeros = np.sqrt((order * np.pi - np.arcsin(0.1)) / (np.pi * wavelength * 12000.0))
    values = contrast_transfer(zeros, 12000.0, voltage_kv=200, cs_mm=0, amplitude_contrast=0.1)
    assert np.abs(values).max() < 1e-9
    between = contrast_transfer(0.5 * (zeros[1:] + zeros[:-1]), 12000.0, voltage_kv=200, cs_mm=0)
    assert (np.sign(between) == (-1.0) ** order[:-1]).all()


def test_spherical_aberration_cancels_defocus_where_theory_says():
    """Both phase terms are equal at k² = 2 Δf / (Cs λ²): there the function is as at zero frequency."""
    wavelength = electron_wavelength_ang(300)
    frequency = np.sqrt(2 * 10000.0 / (2.7e7 * wavelength**2))
    assert contrast_transfer(np.array([frequency]), 10000.0)[0] == pytest.approx(0.1, abs=1e-9)


def test_envelope():
    frequency = np.linspace(0, 0.25, 50)
    bare, damped = contrast_transfer(frequency, 8000.0), contrast_transfer(frequency, 8000.0, b_factor_ang2=80.0)
    np.testing.assert_allclose(damped, bare * np.exp(-20.0 * frequency**2))


def test_image_without_astigmatism_depends_on_the_radius_only():
    image = contrast_transfer_image((48, 48), 3.0, defocus_um=1.2)
    np.testing.assert_allclose(image[:25, 7], image[7, :25][: len(image[:25, 7])], atol=1e-6)
    assert image[0, 3] == pytest.approx(contrast_transfer(np.array([3 / (48 * 3.0)]), 12000.0)[0], abs=1e-6)


def test_principal_axes_of_astigmatism():
    image = contrast_transfer_image((64, 64), 3.0, 1.5, astigmatism_um=0.4, astigmatism_rad=0.0)
    frequency = np.arange(20) / (64 * 3.0)
    np.testing.assert_allclose(image[0, :20], contrast_transfer(frequency, 17000.0), atol=1e-5)
    np.testing.assert_allclose(image[:20, 0], contrast_transfer(frequency, np.r_[17000.0, [13000.0] * 19]), atol=1e-5)


@pytest.mark.parametrize("shape", [(33, 40), (40, 33), (31, 31)])
def test_image_has_the_shape_of_rfft2(shape):
    assert contrast_transfer_image(shape, 2.0, 1.0).shape == np.fft.rfft2(np.zeros(shape)).shape
