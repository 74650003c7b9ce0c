"""Region scores of a model against truth: the paper's average precision, over pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pupicker.core.detection.scoring import score_image
from pupicker.core.networks.inference import for_inference
from pupicker.core.regions.regions import disc_mask
from pupicker.core.scores.metrics import region_average_precision
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.names import match_names
from pupicker.engine.models.model_file import Model
from pupicker.engine.preparation.recipe import Recipe, network_image, prepare
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.device import on_device
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.quarantine import usable_with
from pupicker.engine.runtime.run_report import Report


@dataclass(frozen=True)
class RegionScorer:
    """A model that scores every working pixel.

    Attributes
    ----------
    model
        It.
    recipe
        How micrographs are prepared, usually :meth:`pupicker.engine.preparation.recipe.Recipe.of_model`.
    device
        Where the network runs.
    threads
        That read micrographs.
    """

    model: Model
    recipe: Recipe
    device: torch.device
    threads: int = 1

    def average_precision(self, paths: Sequence[Path], truth: CoordinateTable, report: Report) -> float:
        """Over all working pixels of micrographs (the paper's figure), or those of the map of a network with cells.

        Those that cannot be used are quarantined and do not count; InputError if none can.
        """
        network = for_inference(on_device(self.model.network, self.device))
        stride = network.output_stride_for(1)
        truth = truth.renamed(match_names(truth.names(), paths))

        def score(micrograph: Resampled) -> tuple[Resampled, Tensor]:
            return micrograph, score_image(network, network_image(micrograph, self.recipe).to(self.device)).cpu()

        def read(path: Path) -> Resampled:
            return prepare(path, self.recipe)

        scores, positive = [], []
        progress = Progress(len(paths), "scoring")
        for path, (micrograph, found) in usable_with(paths, read, score, report, progress, self.threads):
            report.used(path, micrograph.n_invalid, micrograph.borders)
            own = truth.of(str(path))
            xy = torch.from_numpy(micrograph.to_working(own.x, own.y))
            shape = (int(micrograph.pixels.shape[0]), int(micrograph.pixels.shape[1]))
            scores.append(found.numpy().reshape(-1))
            discs = disc_mask(shape, xy, self.model.geometry.training_radius_px)[::stride, ::stride]
            positive.append(discs.numpy().reshape(-1))
        report.require_some()
        return region_average_precision(np.concatenate(scores), np.concatenate(positive))
