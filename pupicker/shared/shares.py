"""Shares that were computed and not measured, in words."""

from __future__ import annotations


def roughly(share: float) -> str:
    """With one digit: ``0.83`` -> ``about 0.8``; ``0.97`` -> ``more than 0.9``, because nothing is known to be sure."""
    rounded = round(share, 1)
    if rounded >= 1:
        return "more than 0.9"
    return "about %0.1f" % rounded if rounded > 0 else "less than 0.1"
