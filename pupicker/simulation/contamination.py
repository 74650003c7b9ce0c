"""What lies in micrographs besides particles: the carbon edge, gold beads, ice crystals, aggregates, membranes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pupicker.simulation.config import SimulationConfig

_HOLE_RADIUS_ANG = 6000.0  # of common holey films
_GOLD_OPACITY = 1.6
_CARBON_OPACITY, _CARBON_TEXTURE = 0.22, 2.0
_LEAFLETS_ANG = 38.0  # distance of the two dark lines of a lipid bilayer
_VISIBLE_OPACITY = 0.05  # a third to a quarter of the faintest carbon and crystals; their soft rims have less


@dataclass(frozen=True)
class Frame:
    """The field that is computed: the micrograph with a margin on all sides, for what reaches in from outside.

    Attributes
    ----------
    width, height
        Size of the field in pixels.
    margin
        Index of the micrograph's first row and first column in the field.
    """

    width: int
    height: int
    margin: int

    def window(self, x: float, y: float, reach_px: float) -> tuple[slice, slice]:
        """Rows and columns of the field within `reach_px` of micrograph position (x, y)."""
        rows, columns = (
            slice(max(0, math.floor(c + self.margin - reach_px)), max(0, math.ceil(c + self.margin + reach_px) + 1))
            for c in (y, x)
        )
        return rows, columns

    def offsets(self, window: tuple[slice, slice], x: float, y: float) -> tuple[NDArray, NDArray]:
        """Distances dx (1, w) and dy (h, 1) in pixels of a window's pixels from micrograph position (x, y)."""
        rows, columns = window
        dy = np.arange(*rows.indices(self.height), dtype=np.float32)[:, None] - np.float32(self.margin + y)
        dx = np.arange(*columns.indices(self.width), dtype=np.float32)[None, :] - np.float32(self.margin + x)
        return dx, dy


@dataclass
class Contamination:
    """Dirt of one micrograph.

    Attributes
    ----------
    opacity
        Field of the optical density: the beam is weakened by ``exp(-opacity)``.
    texture
        Field of the factor by which the structural noise is stronger than in ice.
    discs
        (x, y, radius) in micrograph pixels of what no particle may touch.
    hole
        (x, y, radius) of the hole in the carbon, which particles must lie in; None: no carbon.
    clumps
        (x, y) of views that belong to aggregates.
    """

    opacity: NDArray[np.float32]
    texture: NDArray[np.float32]
    discs: list[tuple[float, float, float]] = field(default_factory=list)
    hole: tuple[float, float, float] | None = None
    clumps: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))

    def is_free(self, positions: NDArray[np.float64], radius_px: float) -> NDArray[np.bool_]:
        """Which (m, 2) positions (x, y) hold a particle of that radius without touching dirt or carbon."""
        free = np.ones(len(positions), dtype=bool)
        for x, y, radius in self.discs:
            free &= np.hypot(positions[:, 0] - x, positions[:, 1] - y) > radius + radius_px
        if self.hole is not None:
            x, y, radius = self.hole
            free &= np.hypot(positions[:, 0] - x, positions[:, 1] - y) < radius - radius_px
        return free

    def mask(self, frame: Frame, shape: tuple[int, int], radius_px: float) -> NDArray[np.bool_]:
        """Bool ``shape``, of the micrograph: what weakens the beam, and the views of aggregates, of that radius."""
        out = self.opacity > _VISIBLE_OPACITY
        for x, y in self.clumps:
            near = frame.window(x, y, radius_px)
            dx, dy = frame.offsets(near, x, y)
            out[near] |= dx**2 + dy**2 <= radius_px**2
        rows, columns = (slice(frame.margin, frame.margin + side) for side in shape)
        return out[rows, columns]


def draw_contamination(
    rng: np.random.Generator, config: SimulationConfig, frame: Frame, diameter_ang: float
) -> Contamination:
    """Draw what `config` asks for on the field of `frame`; aggregates consist of views of the particle."""
    shape = (frame.height, frame.width)
    dirt = Contamination(np.zeros(shape, np.float32), np.ones(shape, np.float32))
    carbon, beads, crystals, clumps, vesicles = rng.spawn(5)  # more gold leaves the ice where it was
    if config.carbon:
        _add_carbon(carbon, config, frame, dirt)
    for x, y in _anywhere(beads, config, config.gold):
        _add_bead(config, frame, dirt, x, y)
    for x, y in _anywhere(crystals, config, config.ice_crystals):
        _add_crystal(crystals, config, frame, dirt, x, y)
    members = [_add_aggregate(clumps, config, dirt, x, y, diameter_ang)
               for x, y in _anywhere(clumps, config, config.aggregates)]
    for x, y in _anywhere(vesicles, config, config.membranes):
        _add_vesicle(vesicles, config, frame, dirt, x, y)
    if members:
        dirt.clumps = np.concatenate(members)
    return dirt


def _anywhere(rng: np.random.Generator, config: SimulationConfig, count: int) -> NDArray[np.float64]:
    return rng.uniform(0, (config.width - 1, config.height - 1), size=(count, 2))


def _smooth_step(distance: NDArray, width: float) -> NDArray:
    """0 well below zero, 1 well above, over about `width`."""
    return 0.5 * (1.0 + np.tanh(2.0 * distance / width))


def _add_carbon(rng: np.random.Generator, config: SimulationConfig, frame: Frame, dirt: Contamination) -> None:
    """Carbon beyond the rim of a hole that covers most of the micrograph."""
    direction = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(direction), math.sin(direction)
    reach = 0.5 * (abs(cos) * config.width + abs(sin) * config.height)
    rim = rng.uniform(0.35, 0.7) * reach
    radius = max(_HOLE_RADIUS_ANG / config.pixel_size_ang, math.hypot(config.width, config.height))
    x = 0.5 * (config.width - 1) + (rim - radius) * cos
    y = 0.5 * (config.height - 1) + (rim - radius) * sin
    dx, dy = frame.offsets((slice(None), slice(None)), x, y)
    film = _smooth_step(np.hypot(dx, dy) - radius, max(1.5, 20.0 / config.pixel_size_ang))
    dirt.opacity += (_CARBON_OPACITY * rng.uniform(0.8, 1.4) * film).astype(np.float32)
    dirt.texture += ((_CARBON_TEXTURE - 1.0) * film).astype(np.float32)
    dirt.hole = (x, y, radius)


def _add_bead(config: SimulationConfig, frame: Frame, dirt: Contamination, x: float, y: float) -> None:
    """A gold sphere, so that the beam crosses most metal in its middle."""
    radius = max(1.5, 0.5 * config.gold_diameter_ang / config.pixel_size_ang)
    window = frame.window(x, y, radius)
    dx, dy = frame.offsets(window, x, y)
    dirt.opacity[window] += _GOLD_OPACITY * np.sqrt(np.clip(1.0 - (dx**2 + dy**2) / radius**2, 0.0, None))
    dirt.discs.append((x, y, radius))


def _add_crystal(
    rng: np.random.Generator, config: SimulationConfig, frame: Frame, dirt: Contamination, x: float, y: float
) -> None:
    """A dark blob with an irregular outline, thicker in the middle, sometimes striped."""
    radius = rng.uniform(150.0, 450.0) / config.pixel_size_ang
    orders = np.arange(2, 7)
    amplitude = rng.normal(0, 0.18, size=5) / orders
    phase = rng.uniform(0, 2 * math.pi, size=5)
    largest = radius * (1.0 + np.abs(amplitude).sum())
    window = frame.window(x, y, largest + 4.0)
    dx, dy = frame.offsets(window, x, y)
    azimuth = np.arctan2(dy, dx)[..., None]
    outline = radius * (1.0 + (amplitude * np.cos(orders * azimuth + phase)).sum(axis=-1))
    distance = np.hypot(dx, dy)
    solid = _smooth_step(outline - distance, max(2.0, 0.08 * radius))
    height = np.sqrt(np.clip(1.0 - 0.6 * (distance / outline) ** 2, 0.1, None))
    tilt = rng.uniform(0, 2 * math.pi)
    stripes = np.sin((dx * math.cos(tilt) + dy * math.sin(tilt)) * (2 * math.pi / (0.35 * radius)))
    opacity = rng.uniform(0.25, 1.0) * solid * height * (1.0 + rng.uniform(0.0, 0.15) * stripes)
    dirt.opacity[window] += opacity.astype(np.float32)
    dirt.discs.append((x, y, float(largest)))


def _add_vesicle(
    rng: np.random.Generator, config: SimulationConfig, frame: Frame, dirt: Contamination, x: float, y: float
) -> None:
    """A closed membrane in projection: two lines, the leaflets, that follow an ellipse."""
    radius = float(np.exp(rng.uniform(math.log(150.0), math.log(1500.0)))) / config.pixel_size_ang
    stretch, turn = rng.uniform(0.6, 1.0), rng.uniform(0, math.pi)
    window = frame.window(x, y, radius + 100.0 / config.pixel_size_ang)
    dx, dy = frame.offsets(window, x, y)
    along = dx * math.cos(turn) + dy * math.sin(turn)
    across = (dy * math.cos(turn) - dx * math.sin(turn)) / stretch
    outward = np.hypot(along, across) - radius
    half, width = (0.5 * _LEAFLETS_ANG / config.pixel_size_ang, max(0.7, 8.0 / config.pixel_size_ang))
    lines = np.add(*(np.exp(-0.5 * ((outward - side) / width) ** 2) for side in (-half, half)))
    dirt.opacity[window] += (rng.uniform(0.05, 0.3) * lines).astype(np.float32)
    dirt.discs.append((x, y, radius + half))


def _add_aggregate(
    rng: np.random.Generator, config: SimulationConfig, dirt: Contamination, x: float, y: float, diameter_ang: float
) -> NDArray[np.float64]:
    """Positions of 6 to 16 views that overlap; the disc around them is closed to particles."""
    diameter_px = diameter_ang / config.pixel_size_ang
    count = int(rng.integers(6, 17))
    offsets = rng.normal(scale=0.14 * math.sqrt(count) * diameter_px, size=(count, 2))
    dirt.discs.append((x, y, float(np.linalg.norm(offsets, axis=1).max() + 0.5 * diameter_px)))
    return offsets + (x, y)
