from __future__ import annotations

from pupicker.tests.simulated import model_path, simulated

__all__ = ["model_path", "simulated"]
