"""`pupicker` with one part of the method switched off that no option switches, for ablation.py.

    python -m benchmarks.without noise|average|flattening COMMAND ...

The part must be off in each command that it belongs to: flattening in `train` and `pick`, the others in `train`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pupicker.commands.main import main
from pupicker.engine.preparation import working_micrograph
from pupicker.engine.training import minibatches, optimisation


def noise() -> None:
    """Crops without a grey level of their own and without added noise."""

    def unchanged(crops: Tensor, generator: torch.Generator) -> Tensor:
        return crops

    minibatches.perturb = unchanged


def average() -> None:
    """The weights themselves are validated and kept, not their running average."""

    @dataclass(frozen=True)
    class LastWeights(optimisation.FittingOptions):
        decay: float = 0.0

    optimisation.FittingOptions = LastWeights  # type: ignore[misc]


def flattening() -> None:
    """What varies on a larger scale than the particle stays; what shows no specimen is zero all the same."""

    def unchanged(image: Tensor, sigma_px: float, left_out: Tensor | None = None) -> Tensor:
        return image if left_out is None else image.masked_fill(left_out, 0.0)

    working_micrograph.flatten = unchanged


PARTS: dict[str, Callable[[], None]] = {part.__name__: part for part in (noise, average, flattening)}


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        raise SystemExit(f"usage: without.py {'|'.join(PARTS)} COMMAND ...")
    PARTS[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
