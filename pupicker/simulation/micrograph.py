"""One simulated micrograph: specimen, contrast transfer, electrons, pixel type."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pupicker.engine.runtime.errors import UsageError
from pupicker.simulation.config import SimulationConfig
from pupicker.simulation.contamination import Contamination, Frame, draw_contamination
from pupicker.simulation.ctf import contrast_transfer_image, electron_wavelength_ang
from pupicker.simulation.density import load_density
from pupicker.simulation.placement import inside, place_particles
from pupicker.simulation.projection import Projector, random_rotations

_CALIBRATION_VIEWS = 24
_EDGE_PHASE = 0.35  # phase shift per opacity: how strong the Fresnel fringes of dirt are


@dataclass(frozen=True)
class SimulatedMicrograph:
    """A micrograph and all that is known about it.

    Attributes
    ----------
    image
        (height, width) of the configured pixel type.
    x, y
        (m,) float64 centres of the particles in pixels, x = column, y = row, first pixel (0, 0).
    defocus_um
        Its mean underfocus in µm.
    intensity_scale
        The factor that was applied to the intensity.
    contaminated
        (height, width) bool: where carbon, gold, ice, membranes or aggregates lie.
    """

    image: NDArray
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    defocus_um: float
    intensity_scale: float
    contaminated: NDArray[np.bool_]


def make_projector(config: SimulationConfig) -> Projector:
    """The projector of the configured density, to be shared by all micrographs of a set.

    Raises
    ------
    InputError, UsageError
        The density cannot be used, or the particles do not fit.
    """
    density = load_density(config.density, config.pixel_size_ang, config.diameter_ang)
    config.min_distance_px(density.diameter_ang)
    return Projector(density, config.pixel_size_ang)


def simulate_micrograph(
    config: SimulationConfig, index: int, projector: Projector | None = None
) -> SimulatedMicrograph:
    """Make micrograph number `index` of the set that `config` describes.

    Electrons are counted: ``Poisson(dose · transmission · (1 - CTF ⊗ V))`` with the potential V of particles, ice and
    dirt, times the micrograph's intensity scale.

    Parameters
    ----------
    config
        All settings.
    index
        0 or greater; with the seed it fixes everything random.
    projector
        From :func:`make_projector`; None makes one, which takes longer than the micrograph.

    Raises
    ------
    InputError, UsageError
        The density cannot be used, the particles do not fit, or the microscope transfers no contrast.
    """
    projector = projector or make_projector(config)
    diameter_ang = projector.density.diameter_ang
    distance_px = config.min_distance_px(diameter_ang)
    radius_px = 0.5 * diameter_ang / config.pixel_size_ang
    optics, scene, views, ice, shots = np.random.default_rng([config.seed, index]).spawn(5)
    defocus_um = float(optics.uniform(*config.defocus_range_um))
    intensity_scale = float(np.exp(optics.normal(0, config.intensity_scale_sd)))
    frame = _frame(config, projector.box_px, defocus_um)
    astigmatism_rad = float(optics.uniform(0, math.pi))
    dirt = draw_contamination(scene, config, frame, diameter_ang)
    centres = place_particles(
        scene, config.width, config.height, config.particles, distance_px, radius_px,
        lambda positions: dirt.is_free(positions, radius_px),
    )
    potential = _specimen(views, np.concatenate([centres, dirt.clumps]), config, projector, frame)
    potential *= _signal_amplitude(config, projector, defocus_um, astigmatism_rad)
    expected = config.electrons_per_pixel * _transmission(optics, config, frame, dirt)
    expected *= 1.0 - _contrast(ice, potential, dirt, config, defocus_um, astigmatism_rad)
    crop = slice(frame.margin, frame.margin + config.height), slice(frame.margin, frame.margin + config.width)
    electrons = np.clip(expected[crop], 0.0, None)
    if config.noise:
        electrons = shots.poisson(electrons)
    kept = centres[inside(centres, config.width, config.height)]
    image = to_pixel_type(intensity_scale * electrons, config)
    return SimulatedMicrograph(image, kept[:, 0].copy(), kept[:, 1].copy(), defocus_um, intensity_scale,
                              dirt.mask(frame, (config.height, config.width), radius_px))


def to_pixel_type(intensity: NDArray[np.floating], config: SimulationConfig) -> NDArray:
    """Convert intensities to the configured type.

    Floating types keep them.  Integer types store ``offset + step · intensity``, rounded and clipped, with one offset
    and step for all micrographs of a set, so that their scales stay different: no electrons are 0 (int8: -128), and
    only the brightest micrographs reach the greatest value.
    """
    dtype = np.dtype(config.dtype)
    if dtype.kind == "f":
        return intensity.astype(dtype)
    limits = np.iinfo(dtype)
    lowest = limits.min if dtype.itemsize == 1 else 0
    sd = math.sqrt(config.noise_variance)
    greatest = config.electrons_per_pixel * math.exp(3 * config.intensity_scale_sd) * (1 + 6 * sd)
    greatest *= 1 + config.thickness_gradient
    step = (limits.max - lowest) / greatest
    return np.clip(np.rint(lowest + step * intensity), lowest, limits.max).astype(dtype)


def _frame(config: SimulationConfig, box_px: int, defocus_um: float) -> Frame:
    """Field with room for whole boxes at the border and for what defocus spreads over it."""
    wavelength = electron_wavelength_ang(config.voltage_kv)
    spread_ang = wavelength * defocus_um * 1e4 * 0.5 / config.pixel_size_ang
    margin = box_px + math.ceil(min(spread_ang, 400.0) / config.pixel_size_ang)
    return Frame(_smooth_size(config.width + 2 * margin), _smooth_size(config.height + 2 * margin), margin)


def _smooth_size(size: int) -> int:
    """The next even size without prime factors above 5, for which Fourier transforms are fast."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and size % 2 == 0:
            return size
        size += 1


def _specimen(
    rng: np.random.Generator, centres: NDArray[np.float64], config: SimulationConfig, projector: Projector, frame: Frame
) -> NDArray[np.float32]:
    """Sum of one random view at each of the (m, 2) centres (x, y), on the field."""
    field = np.zeros((frame.height, frame.width), np.float32)
    whole = np.rint(centres).astype(int)
    rotations = random_rotations(rng, len(centres), config.tilt_sd_deg)
    half = projector.box_px // 2
    for view, (x, y) in zip(projector.project(rotations, centres - whole), whole + frame.margin, strict=True):
        rows, columns = max(0, y - half), max(0, x - half)  # views of aggregates may reach beyond the field
        target = field[rows : max(0, y + half), columns : max(0, x + half)]
        first_row, first_column = rows - (y - half), columns - (x - half)
        target += view[first_row : first_row + target.shape[0], first_column : first_column + target.shape[1]]
    return field


def _transfer(
    config: SimulationConfig, shape: tuple[int, int], defocus_um: float, astigmatism_rad: float
) -> torch.Tensor:
    return torch.from_numpy(contrast_transfer_image(
        shape, config.pixel_size_ang, defocus_um, config.astigmatism_um, astigmatism_rad,
        voltage_kv=config.voltage_kv, cs_mm=config.cs_mm, amplitude_contrast=config.amplitude_contrast,
        b_factor_ang2=config.b_factor_ang2,
    ))


def _signal_amplitude(
    config: SimulationConfig, projector: Projector, defocus_um: float, astigmatism_rad: float
) -> float:
    """Factor of the potential that gives the stated signal-to-noise ratio.

    Measured on fixed views, seen through this micrograph's CTF: their mean square within the disc of the diameter.
    """
    rotations = random_rotations(np.random.default_rng(0), _CALIBRATION_VIEWS, config.tilt_sd_deg)
    box = projector.box_px
    views = torch.nn.functional.pad(torch.from_numpy(projector.project(rotations)), [box // 2] * 4)
    transfer = _transfer(config, (2 * box, 2 * box), defocus_um, astigmatism_rad)
    signal = torch.fft.irfft2(torch.fft.rfft2(views) * transfer, s=(2 * box, 2 * box)).numpy()
    offset = np.arange(2 * box) - box
    radius_px = 0.5 * projector.density.diameter_ang / config.pixel_size_ang
    disc = np.hypot(offset[:, None], offset[None, :]) <= radius_px
    power = float(np.square(signal[:, disc], dtype=np.float64).mean())
    if not power:
        raise UsageError("nothing of the particles would be seen: the microscope transfers no contrast; take more"
                         " defocus or amplitude contrast, or a lower B factor")
    return math.sqrt(config.snr * config.noise_variance / power)


def _contrast(
    rng: np.random.Generator, potential: NDArray[np.float32], dirt: Contamination, config: SimulationConfig,
    defocus_um: float, astigmatism_rad: float,
) -> NDArray[np.float32]:
    """CTF ⊗ V: relative loss of intensity by particles, ice structure and the edges of dirt."""
    transfer = _transfer(config, (potential.shape[0], potential.shape[1]), defocus_um, astigmatism_rad)
    total = potential + _EDGE_PHASE * dirt.opacity
    if config.noise:
        # White noise of variance 1 has the mean squared CTF as variance behind it.  The columns of rfft2 between
        # the first and the last stand for two frequencies each.
        power = transfer.double().square()
        mean_power = float(2 * power.sum() - power[:, 0].sum() - power[:, -1].sum()) / potential.size
        sd = math.sqrt(config.structural_fraction * config.noise_variance / mean_power)
        total += sd * dirt.texture * rng.standard_normal(potential.shape, dtype=np.float32)
    spectrum = torch.fft.rfft2(torch.from_numpy(total)) * transfer
    return torch.fft.irfft2(spectrum, s=potential.shape).numpy()


def _transmission(
    rng: np.random.Generator, config: SimulationConfig, frame: Frame, dirt: Contamination
) -> NDArray[np.float32]:
    """Share of the beam that ice of varying thickness and dirt let through; 1 on average without dirt."""
    direction = rng.uniform(0, 2 * math.pi)
    row = (np.arange(frame.height, dtype=np.float32) - frame.margin) / max(config.height - 1, 1) - 0.5
    column = (np.arange(frame.width, dtype=np.float32) - frame.margin) / max(config.width - 1, 1) - 0.5
    along = (math.cos(direction) * column[None, :] + math.sin(direction) * row[:, None]).astype(np.float32)
    along /= abs(math.cos(direction)) + abs(math.sin(direction))  # -0.5 to 0.5 from one side to the other
    return (1.0 + config.thickness_gradient * along) * np.exp(-dirt.opacity)
