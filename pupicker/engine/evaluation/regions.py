"""Region scores of a model against truth: the paper's average precision, over pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pupicker.core.detection.scoring import score_image
from pupicker.core.regions.regions import disc_mask
from pupicker.core.scores.metrics import region_average_precision
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.names import match_names
from pupicker.engine.models.model_file import Model
from pupicker.engine.preparation.exclusion import exclusion_for, without_excluded
from pupicker.engine.preparation.working_micrograph import network_input_of_new, resample
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.run_report import Report


def region_precision(
    model: Model, paths: Sequence[Path], truth: CoordinateTable, pixel_size_ang: float | None, device: torch.device,
    report: Report,
) -> float:
    """Average precision over all working pixels of micrographs (the paper's figure).

    Those that cannot be used are quarantined and do not count; InputError if none can.
    """
    network = model.network.to(device).eval()
    truth = truth.renamed(match_names(truth.names(), paths))
    exclusion = exclusion_for(model.exclusion, None, None, None, [])
    scores, positive = [], []
    for path in paths:
        try:
            micrograph = resample(path, pixel_size_ang, model.geometry.working_pixel_size_ang)
            micrograph = without_excluded(micrograph, exclusion, model.geometry)
            image = network_input_of_new(micrograph, model.mixture, model.geometry.background_px)
        except InputError as error:
            report.quarantine(path, str(error))
            continue
        report.used(path, micrograph.n_invalid)
        own = truth.of(str(path))
        xy = torch.from_numpy(micrograph.to_working(own.x, own.y))
        shape = (int(image.shape[0]), int(image.shape[1]))
        scores.append(score_image(network, image.to(device)).cpu().numpy().reshape(-1))
        positive.append(disc_mask(shape, xy, model.geometry.training_radius_px).numpy().reshape(-1))
    report.require_some()
    return region_average_precision(np.concatenate(scores), np.concatenate(positive))
