"""Made-up particles of all kinds, for training a network that has seen none in particular.

A particle is a set of Gaussian blobs in the unit ball: a cluster or a shell of them, stretched along the axes, repeated
by a cyclic or dihedral symmetry, and turned.  So compact, hollow, flat, long, lobed and multimeric bodies all occur.
Some are closed shells of many blobs, as cages and capsids are: a few blobs leave holes where those have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pupicker.simulation.projection import random_rotations

Points = NDArray[np.float64]

SHELLS = 0.35
"""Share of the bodies that are hollow."""

CLOSED = 0.15
"""Share of the bodies that are a closed shell."""

STRETCHED = 0.5
SYMMETRIC = 0.6


@dataclass(frozen=True)
class RandomBody:
    """Blobs of a made-up particle.

    Attributes
    ----------
    points
        ``(m, 3)`` centres; with 1.5 standard deviations around them they fill the unit ball.
    weights
        ``(m,)`` of the blobs.
    blob
        Standard deviation of each, in radii of the particle.
    """

    points: Points
    weights: NDArray[np.float64]
    blob: float


def random_body(rng: np.random.Generator) -> RandomBody:
    """Draw a body; blobs are 0.07 to 0.25 radii wide, unequal in weight by some 40 %."""
    closed = rng.random() < CLOSED
    count = int(np.exp(rng.uniform(*np.log([80, 300] if closed else [3, 40]))))
    points = rng.normal(size=(count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    if closed:
        points *= rng.uniform(rng.uniform(0.7, 1), 1, (count, 1))
    else:
        hollow = rng.random() < SHELLS
        points *= rng.uniform(0.75, 1, (count, 1)) if hollow else rng.uniform(0, 1, (count, 1)) ** (1 / 3)
        if rng.random() < STRETCHED:
            points *= np.exp(rng.uniform(np.log(0.35), 0, 3))
        if rng.random() < SYMMETRIC:
            points = _repeat(rng, points)
    points = points @ random_rotations(rng, 1)[0].T.astype(np.float64)
    points -= points.mean(axis=0)
    blob = float(np.exp(rng.uniform(np.log(0.07), np.log(0.25))))
    points *= (1 - 1.5 * blob) / max(float(np.linalg.norm(points, axis=1).max()), 1e-6)
    return RandomBody(points, np.exp(rng.normal(0, 0.4, len(points))), blob)


def _repeat(rng: np.random.Generator, points: Points) -> Points:
    """Copies around an axis, and half of the time turned upside down as well."""
    order = int(rng.choice([2, 2, 3, 3, 4, 5, 6, 7]))
    if rng.random() < 0.6:  # subunits beside the axis, not around it
        points = 0.6 * points + [rng.uniform(0.2, 0.8), 0, 0]
    copies = []
    for angle in 2 * np.pi * np.arange(order) / order:
        cosine, sine = np.cos(angle), np.sin(angle)
        copies.append(points @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]).T)
    whole = np.concatenate(copies)
    return np.concatenate([whole, whole * [1, -1, -1]]) if rng.random() < 0.5 else whole
