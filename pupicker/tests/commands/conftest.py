from __future__ import annotations

import pytest

from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG, model_path, simulated

__all__ = ["model_path", "simulated"]

QUICK = ("--updates", 4, "--batch-size", 32, "--threads", 1, "--network", "conv31")
"""Enough to go through every step, with the quicker network; the model is worth nothing."""


@pytest.fixture
def train(capsys, simulated, tmp_path):
    """Train on the labelled micrographs into ``tmp_path/m.pupicker``; keywords replace arguments."""

    def call(*more, micrographs=simulated.labelled, picks=simulated.labels, diameter=DIAMETER_ANG, quick=QUICK):
        return run(capsys, "train", *micrographs, "--picks", picks, "--diameter", diameter,
                   "--output", tmp_path / "m.pupicker", *quick, *more)

    return call


@pytest.fixture
def pick(capsys, model_path):
    """Pick with the trained model on one thread."""

    def call(micrographs, output, *more):
        return run(capsys, "pick", *micrographs, "--model", model_path, "--output", output, "--threads", 1, *more)

    return call
