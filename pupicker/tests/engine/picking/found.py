"""Picks without a picker."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.picking.picker import Picked

PATHS = [Path(f"{name}.mrc") for name in "abc"]


def found(path: Path, count: int = 2) -> Picked:
    places = np.arange(count, dtype=float)
    return Picked(path, 1.0, CoordinateTable(np.full(count, str(path), object), places, places, places))
