"""Trainings that are stopped from outside, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from pupicker.engine.models.checkpoint import checkpoint_path
from pupicker.engine.models.model_file import load_model
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG

LONGEST_WAIT_S = 300


def training(simulated, model):
    """Arguments of a training of three epochs, and as many on all labels."""
    return [
        "train", *map(str, simulated.labelled), "--picks", str(simulated.labels), "--diameter", str(DIAMETER_ANG),
        "--output", str(model), "--updates", "300", "--batch-size", "32", "--threads", "1", "--seed", "4",
        "--network", "conv31", "--width", "16", "--start", "random",
    ]


@pytest.fixture(scope="module")
def uninterrupted(simulated, tmp_path_factory):
    """The model of a training that nothing disturbs."""
    from pupicker.commands.main import main

    path = tmp_path_factory.mktemp("uninterrupted") / "m.pupicker"
    assert main(training(simulated, path)) == 0
    return path


def stop_after_first_epoch(arguments, checkpoint, number):
    """Start the command, send the signal as soon as there is a checkpoint; exit code and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pupicker", *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        end = time.monotonic() + LONGEST_WAIT_S
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=LONGEST_WAIT_S)
    finally:
        process.kill()
    assert out == ""
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_resumed_training_ends_with_the_same_model(capsys, simulated, uninterrupted, tmp_path, number):
    model = tmp_path / "m.pupicker"
    checkpoint = checkpoint_path(model)
    arguments = training(simulated, model)
    code, err = stop_after_first_epoch(arguments, checkpoint, number)
    if number == signal.SIGTERM:
        assert code == 143 and "--resume" in err.splitlines()[-1] and "Traceback" not in err
    else:
        assert code == -signal.SIGKILL
    assert checkpoint.exists() and not model.exists()

    result = run(capsys, *arguments, "--resume", "--learning-rate", 2e-3)
    assert "other data or options" in result.error(1) and str(checkpoint) in result.err
    assert checkpoint.exists()

    result = run(capsys, *arguments, "--resume", "--json")
    assert result.code == 0 and not checkpoint.exists()
    ours, theirs = load_file(model), load_file(uninterrupted)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    resumed, reference = load_model(model), load_model(uninterrupted)
    assert resumed.suggested_threshold == reference.suggested_threshold
    assert resumed.calibration == reference.calibration and resumed.class_prior == reference.class_prior
    assert resumed.record.curve == reference.record.curve


def test_resume_without_checkpoint_starts_anew(capsys, simulated, tmp_path):
    arguments = training(simulated, tmp_path / "m.pupicker")
    assert run(capsys, *arguments, "--resume", "--updates", 4).code == 0


def test_damaged_checkpoint_is_named(capsys, simulated, tmp_path):
    model = tmp_path / "m.pupicker"
    checkpoint_path(model).write_bytes(b"no checkpoint")
    message = run(capsys, *training(simulated, model), "--resume").error(1)
    assert str(checkpoint_path(model)) in message and "train anew" in message
