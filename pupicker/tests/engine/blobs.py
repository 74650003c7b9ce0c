"""Training sets without files: bright discs of 22 pixels in noise, already at the working pixel size of 1 A."""

from __future__ import annotations

from pathlib import Path

import torch

from pupicker.core.geometry import Geometry, geometry
from pupicker.core.image.normalization import Mixture
from pupicker.engine.training.dataset import LabelledMicrograph, TrainingSet

GEOMETRY: Geometry = geometry(22.0, 1.0, 22)
MIXTURE = Mixture((0.9, 0.1), (0.0, 1.0), (1.0, 1.0), "scale")


def micrograph(number: int, labels: int, side_px: int = 160) -> LabelledMicrograph:
    """One with nine discs on a jittered grid, of which the first `labels` are labelled."""
    generator = torch.Generator().manual_seed(number)
    grid = torch.cartesian_prod(torch.arange(3), torch.arange(3)).double()
    centres = 30 + grid * 48 + 8 * torch.rand((9, 2), generator=generator, dtype=torch.float64)
    row, column = torch.meshgrid(torch.arange(side_px), torch.arange(side_px), indexing="ij")
    image = torch.randn((side_px, side_px), generator=generator)
    for x, y in centres.tolist():
        image += 1.5 * ((row - y) ** 2 + (column - x) ** 2 <= 11**2)
    return LabelledMicrograph(Path(f"{number}.mrc"), image, centres[:labels])


def training_set(*labels: int) -> TrainingSet:
    """A micrograph with so many labels for each number."""
    return TrainingSet([micrograph(number, count) for number, count in enumerate(labels)], MIXTURE, "digest")
