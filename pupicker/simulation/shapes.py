"""Made-up densities: each is a set of points in the unit ball, drawn later as Gaussian blobs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def globular() -> Points:
    """A compact body of six unequal lobes without symmetry: it looks different from every side."""
    lobes = np.array([  # x, y, z, radius
        (0.0, 0.0, 0.0, 0.45), (0.5, 0.1, 0.0, 0.4), (-0.4, 0.4, 0.1, 0.35), (-0.2, -0.5, 0.15, 0.35),
        (0.1, 0.05, 0.55, 0.3), (0.05, -0.15, -0.45, 0.25),
    ])
    axis = np.linspace(-0.9, 0.9, 13)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(grid[:, None, :] - lobes[:, :3], axis=2)
    return grid[(distance < lobes[:, 3]).any(axis=1)]


def ring() -> Points:
    """A hollow sphere like apoferritin: a ring in every view."""
    index = np.arange(96) + 0.5
    z = 1 - 2 * index / 96
    azimuth = np.pi * (1 + 5**0.5) * index
    rim = np.sqrt(1 - z**2)
    return 0.8 * np.stack([rim * np.cos(azimuth), rim * np.sin(azimuth), z], axis=1)


def stick() -> Points:
    """A rod, four times as long as thick, slightly bent."""
    along = np.linspace(-1, 1, 25)
    return np.stack([0.08 * (along**2 - 1 / 3), 0 * along, along], axis=1)


def trimer() -> Points:
    """Three arms around a stalk, like a viral spike."""
    along = np.linspace(0, 1, 9)
    stalk = np.stack([0 * along, 0 * along, -0.9 + 0.9 * along], axis=1)
    arms = []
    for angle in 2 * np.pi * np.arange(3) / 3:
        across = 0.15 + 0.35 * along**0.5
        arm = np.stack([across * np.cos(angle), across * np.sin(angle), 0.85 * along - 0.3], axis=1)
        arms += [arm, arm[4:] * (0.8, 0.8, 1.0)]
    return np.concatenate([stalk, 0.9 * stalk, *arms])


def barrel() -> Points:
    """Four stacked rings of seven subunits like the 20S proteasome: a ring from the top, four bars from the side."""
    azimuth = 2 * np.pi * np.arange(7) / 7
    rings = [
        np.stack([0.5 * np.cos(azimuth + turn), 0.5 * np.sin(azimuth + turn), np.full(7, height)], axis=1)
        for height, turn in ((-0.78, 0.0), (-0.27, 0.2), (0.27, 0.2), (0.78, 0.0))
    ]
    return np.concatenate(rings)


#: Name -> (points, standard deviation of the blobs relative to the radius).
SHAPES: dict[str, tuple[Callable[[], Points], float]] = {
    "globular": (globular, 0.10),
    "ring": (ring, 0.09),
    "stick": (stick, 0.13),
    "trimer": (trimer, 0.10),
    "barrel": (barrel, 0.13),
}
