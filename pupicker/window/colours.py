"""Colours of scores on grey: red, yellow, turquoise; bright at both ends, and told apart by colour-blind eyes.

And that of what is wrong, as text.
"""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np

WRONG = "#c00000"
LOWEST_SHARE, HIGHEST_SHARE = 0.02, 0.98  # of the scores; those beyond have the colour of the end
STEPS = 64
_ANCHORS = ((255, 80, 80), (255, 222, 60), (60, 240, 205))


def scoreRange(scores: Any) -> Tuple[float, float]:
    """Scores between which colours change, so that a few outliers, or infinite ones, do not make all others alike."""
    scores = np.asarray(scores)[np.isfinite(scores)]
    if not len(scores):
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(scores, (LOWEST_SHARE, HIGHEST_SHARE)))
    return low, max(high, low + 1e-6)


def scoreColours(scores: Any, limits: Tuple[float, float]) -> List[str]:
    """``#rrggbb`` of each score ``(n,)``."""
    shade = np.clip((np.asarray(scores, dtype=float) - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return [_PALETTE[index] for index in np.rint(shade * (STEPS - 1)).astype(int).tolist()]


def _palette() -> List[str]:
    at = np.linspace(0, len(_ANCHORS) - 1, STEPS)
    channels = [np.interp(at, range(len(_ANCHORS)), channel) for channel in zip(*_ANCHORS)]
    return ["#%02x%02x%02x" % tuple(round(value) for value in colour) for colour in zip(*channels)]


_PALETTE = _palette()
