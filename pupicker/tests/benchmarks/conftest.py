from __future__ import annotations

from pupicker.tests.simulated import simulated

__all__ = ["simulated"]
