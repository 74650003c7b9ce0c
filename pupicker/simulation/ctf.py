"""Contrast transfer function of the microscope."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def electron_wavelength_ang(voltage_kv: float) -> float:
    """Relativistic de Broglie wavelength in Å of electrons accelerated by `voltage_kv`: 0.0197 Å at 300 kV.

    ``h / sqrt(2 m e V (1 + e V / (2 m c²)))`` with the constants put in.
    """
    volts = voltage_kv * 1e3
    return 12.2642596 / math.sqrt(volts * (1.0 + 0.978475598e-6 * volts))


def contrast_transfer(
    frequency: NDArray[np.floating],
    defocus_ang: float | NDArray[np.floating],
    voltage_kv: float = 300.0,
    cs_mm: float = 2.7,
    amplitude_contrast: float = 0.1,
    b_factor_ang2: float = 0.0,
) -> NDArray[np.float64]:
    """Contrast of a weak phase object, positive where density makes the image *darker*.

    ``CTF(k) = exp(-B k²/4) sin(χ(k) + arcsin A)``, ``χ(k) = π λ Δf k² - (π/2) Cs λ³ k⁴`` with underfocus Δf > 0 and
    amplitude contrast A.  So ``CTF(0) = A``, and with Cs = 0 the n-th zero lies where
    ``k² = (n π - arcsin A) / (π λ Δf)``.  The intensity of a specimen with projected potential V is
    ``1 - CTF ⊗ V``: particles are dark on a bright ground, as in raw micrographs.

    Parameters
    ----------
    frequency
        Spatial frequency k in 1/Å, any shape.
    defocus_ang
        Underfocus Δf in Å; an array of the shape of `frequency` describes astigmatism.
    voltage_kv, cs_mm, amplitude_contrast, b_factor_ang2
        Acceleration voltage in kV, spherical aberration in mm, A between 0 and 1, B in Å².
    """
    wavelength = electron_wavelength_ang(voltage_kv)
    k2 = np.square(np.asarray(frequency, dtype=np.float64))
    phase = math.pi * wavelength * k2 * (defocus_ang - 0.5 * cs_mm * 1e7 * wavelength**2 * k2)
    return np.exp(-0.25 * b_factor_ang2 * k2) * np.sin(phase + math.asin(amplitude_contrast))


def contrast_transfer_image(
    shape: tuple[int, int],
    pixel_size_ang: float,
    defocus_um: float,
    astigmatism_um: float = 0.0,
    astigmatism_rad: float = 0.0,
    **microscope: float,
) -> NDArray[np.float32]:
    """:func:`contrast_transfer` on the frequencies of ``rfft2`` of an image.

    Parameters
    ----------
    shape
        (height, width) of the image in pixels.
    pixel_size_ang
        Its pixel size in Å.
    defocus_um
        Mean underfocus in µm.
    astigmatism_um, astigmatism_rad
        Difference of the two principal defoci in µm, and the direction of the greater one against the x axis.
    **microscope
        `voltage_kv`, `cs_mm`, `amplitude_contrast`, `b_factor_ang2`.

    Returns
    -------
    numpy.ndarray
        (height, width // 2 + 1) float32.
    """
    height, width = shape
    fy = np.fft.fftfreq(height, pixel_size_ang)[:, None]
    fx = np.fft.rfftfreq(width, pixel_size_ang)[None, :]
    angle = np.arctan2(fy, fx) - astigmatism_rad
    defocus_ang = 1e4 * (defocus_um + 0.5 * astigmatism_um * np.cos(2 * angle))
    return contrast_transfer(np.hypot(fy, fx), defocus_ang, **microscope).astype(np.float32)
