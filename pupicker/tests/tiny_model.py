"""Models that are made in a moment: real files, with weights that nobody trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from pupicker.core.networks import NETWORKS
from pupicker.core.scores.likelihood import Calibration
from pupicker.engine.models.model_file import Model, save_model
from pupicker.engine.models.training_record import TrainingRecord, Validation
from pupicker.tests.engine.blobs import GEOMETRY, MIXTURE


def tiny_model(path: Path, seed: int = 0, scale: float = 1.0) -> Path:
    """Write a model for particles `scale` times those of the blobs; the seed decides its weights."""
    torch.manual_seed(seed)
    network = NETWORKS["conv31"].from_settings({"width": 4}).eval()
    lengths = {name: getattr(GEOMETRY, name) * scale for name in
               ("diameter_ang", "working_pixel_size_ang", "box_size_ang", "min_distance_ang")}
    record = TrainingRecord(labels=50, validation=Validation(0.9, 100), software={"pupicker": "0"})
    save_model(path, Model(network, "conv31", MIXTURE, replace(GEOMETRY, **lengths), Calibration(0.7, -2.0, 0.1), 0.03,
                           1.25, record))
    return path
