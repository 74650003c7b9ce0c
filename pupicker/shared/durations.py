"""Durations in words."""

from __future__ import annotations


def format_seconds(seconds: float) -> str:
    """``75`` -> ``1:15 min``; ``3700`` -> ``1:01 h``."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return "%d:%02d h" % (hours, minute) if hours else "%d:%02d min" % (minute, second)
