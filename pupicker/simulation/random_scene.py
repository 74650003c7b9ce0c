"""Micrographs of made-up particles under made-up conditions: what a network is trained on before it sees a specimen.

Everything that differs between data sets is drawn: body, size, crowding, overlap, signal-to-noise ratio, defocus, dose,
ice, contamination, smoothing by the software that made the average, and how well the stated diameter fits the particle.
The stated diameter is :data:`DIAMETER_PX` pixels in every micrograph, as pupicker resamples micrographs.

Some hold no particle (:data:`EMPTY`): ice alone, or dirt of all kinds, so that a network learns to be silent.  And as
noise of real micrographs is no white noise behind a CTF, coloured noise, uneven illumination and defective lines of the
detector are added to some (:mod:`pupicker.simulation.detector`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pupicker.simulation.config import SimulationConfig
from pupicker.simulation.density import draw_blobs
from pupicker.simulation.detector import add_coloured_noise, add_line_defects, uneven_illumination
from pupicker.simulation.micrograph import simulate_micrograph
from pupicker.simulation.projection import Projector
from pupicker.simulation.random_shapes import random_body

DIAMETER_PX = 22
SIZE_PX = 448
MOST_COVER = 0.48
EMPTY = 0.2
"""Share of the scenes without a particle."""


@dataclass(frozen=True)
class Scene:
    """A micrograph and its truth.

    Attributes
    ----------
    image
        ``(SIZE_PX, SIZE_PX)`` float32 counts.
    xy
        ``(n, 2)`` float64 centres.
    contaminated
        ``(SIZE_PX, SIZE_PX)`` bool: carbon, gold, ice, membranes, aggregates.
    """

    image: NDArray[np.float32]
    xy: NDArray[np.float64]
    contaminated: NDArray[np.bool_]


def random_scene(seed: int, index: int) -> Scene:
    """Draw micrograph number `index`; the same seed and index give the same one.

    Scenes of one index and several seeds share the random numbers of :func:`.simulate_micrograph` (places, views,
    noise), though not their particles and conditions: sets that are to be independent need other indices too.
    """
    rng = np.random.default_rng([seed, index])
    stated_ang = _between(rng, 90, 320)
    pixel_ang = stated_ang / DIAMETER_PX
    true_ang = stated_ang * _between(rng, 0.75, 1.15)
    body = random_body(rng)
    density = draw_blobs(body.points, body.weights, body.blob, true_ang, pixel_ang, "random")
    empty = bool(rng.random() < EMPTY)
    config = _conditions(rng, true_ang, pixel_ang, index, empty)
    made = simulate_micrograph(config, index, Projector(density, pixel_ang))
    image = np.asarray(made.image, dtype=np.float32)
    if rng.random() < 0.5:
        add_coloured_noise(rng, image, _between(rng, 0.1, 1.0 if empty else 0.5), _between(rng, 0.7, 2.0 * DIAMETER_PX))
    if rng.random() < 0.4:
        image = _smooth(image, float(rng.uniform(0.4, 1.6)))
    if rng.random() < 0.3:
        image *= uneven_illumination(rng, image.shape, float(rng.uniform(0.05, 0.5)))
    if rng.random() < 0.1:
        add_line_defects(rng, image, _between(rng, 0.1, 2.0))
    return Scene(image, np.stack([made.x, made.y], axis=1), made.contaminated)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in the logarithm."""
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _conditions(
    rng: np.random.Generator, diameter_ang: float, pixel_ang: float, seed: int, empty: bool
) -> SimulationConfig:
    distance_ang = diameter_ang * float(rng.uniform(0.65, 1.1))
    wanted = _between(rng, 0.03, 0.45) * SIZE_PX**2 / (math.pi / 4 * DIAMETER_PX**2)
    most = MOST_COVER * SIZE_PX**2 / (math.pi / 4 * (distance_ang / pixel_ang) ** 2)
    defocus_um = float(rng.uniform(0.6, 3.0))
    some = rng.random(6)  # which kinds of dirt, and whether views are preferred
    more = 1.5 if empty else 1.0
    return SimulationConfig(
        width=SIZE_PX, height=SIZE_PX, pixel_size_ang=pixel_ang,
        particles=0 if empty else max(5, int(min(wanted, most))),
        min_distance_ang=distance_ang, snr=_between(rng, 0.03, 1.5),
        structural_fraction=float(rng.uniform(0.1, 0.9)), dose_per_ang2=float(rng.uniform(10, 60)),
        defocus_range_um=(defocus_um, defocus_um), b_factor_ang2=float(rng.uniform(50, 500)),
        thickness_gradient=float(rng.uniform(0, 0.4)), carbon=bool(some[0] < 0.3 * more),
        gold=int(rng.poisson(1.5)) if some[1] < 0.4 else 0, gold_diameter_ang=float(rng.uniform(50, 150)),
        ice_crystals=int(rng.poisson(2 * more)) if some[2] < 0.5 * more else 0,
        aggregates=int(rng.poisson(2 * more)) if some[3] < 0.4 * more else 0,
        membranes=int(1 + rng.poisson(more)) if some[5] < 0.2 * more else 0,
        tilt_sd_deg=float(rng.uniform(10, 40)) if some[4] < 0.2 else None, seed=seed,
    )


def _smooth(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Under a Gaussian, reflected at the borders: some micrographs come low-passed or denoised."""
    reach = max(1, math.ceil(3 * sigma_px))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        lines = np.pad(image, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        image = np.apply_along_axis(np.convolve, axis, lines, kernel, "valid").astype(np.float32)
    return image
