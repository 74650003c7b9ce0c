"""Where particles lie: random, a least distance apart, away from dirt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_TRIES_PER_PARTICLE = 400

#: Takes (m, 2) positions (x, y) in pixels, says which of them are free (m,).
IsFree = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


def place_particles(
    rng: np.random.Generator,
    width: int,
    height: int,
    count: int,
    min_distance_px: float,
    reach_px: float = 0.0,
    is_free: IsFree | None = None,
) -> NDArray[np.float64]:
    """Draw positions one after the other, keeping those that are far enough from all before.

    Parameters
    ----------
    rng
        Source of randomness.
    width, height
        Size of the micrograph in pixels.
    count
        How many centres shall lie inside the micrograph.  Fewer do when there is no room after several hundred tries a
        particle; the caller compares.
    min_distance_px
        Least distance of two centres in pixels.
    reach_px
        Positions are drawn up to this far outside, so that the border cuts some particles.
    is_free
        Where particles may lie; None: everywhere.

    Returns
    -------
    numpy.ndarray
        (m, 2) positions (x, y); those inside are the ones of :func:`inside`.
    """
    tries = _TRIES_PER_PARTICLE * max(count, 1)
    candidates = rng.uniform(-reach_px, np.array([width - 1, height - 1]) + reach_px, size=(tries, 2))
    if is_free is not None:
        candidates = candidates[is_free(candidates)]
    within = inside(candidates, width, height)
    kept = np.empty((len(candidates), 2))
    n_kept = n_inside = 0
    for position, counts in zip(candidates, within, strict=True):
        if n_inside == count:
            break
        if n_kept == 0 or ((kept[:n_kept] - position) ** 2).sum(axis=1).min() >= min_distance_px**2:
            kept[n_kept] = position
            n_kept += 1
            n_inside += counts
    return kept[:n_kept].copy()


def inside(positions: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """Which (m, 2) positions (x, y) lie between the centres of the first and the last pixel, these included."""
    x, y = positions[:, 0], positions[:, 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
