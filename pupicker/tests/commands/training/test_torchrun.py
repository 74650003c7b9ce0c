"""``torchrun -m pupicker train``: two processes on the processor, which talk by gloo."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.models.checkpoint import checkpoint_path
from pupicker.engine.models.model_file import load_model
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG
from pupicker.tests.torchrun import (
    LONGEST_WAIT_S,
    ended,
    process_of_rank,
    run_together,
    said_by_pupicker,
    start_together,
)

pytestmark = pytest.mark.slow
PUPICKER = "-m", "--", "pupicker"


def training(simulated, model, *more):
    """Arguments of a training of some updates."""
    return [
        "train", *simulated.labelled, "--picks", simulated.labels, "--diameter", DIAMETER_ANG, "--output", model,
        "--updates", 20, "--batch-size", 64, "--threads", 1, "--network", "conv31", "--precision", "float32", *more,
    ]


def test_two_processes_train_the_model_of_one(capsys, simulated, tmp_path):
    one, two = tmp_path / "one.pupicker", tmp_path / "two.pupicker"
    assert run(capsys, *training(simulated, one)).code == 0
    code, out, err = run_together(*PUPICKER, *training(simulated, two, "--report", tmp_path / "report.json"))
    assert code == 0 and said_by_pupicker(err) == [], err
    assert out.count("working pixel size") == 1 and err.count("reading micrographs: 3/3") == 1
    assert "note: 2 processes share the updates, on the cpu" in err
    ours, theirs = load_file(two), load_file(one)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=1e-4)
    assert load_model(two).suggested_threshold == pytest.approx(load_model(one).suggested_threshold, abs=1e-3)
    tables = []
    for model in (one, two):
        picks = tmp_path / f"{model.stem}.star"
        result = run(capsys, "pick", *simulated.unseen, "--model", model, "--output", picks, "--threads", 1)
        assert result.code == 0
        tables.append(read_coordinates(picks))
    assert len(tables[0]) == len(tables[1]) > 0
    for column in ("x", "y", "score"):
        np.testing.assert_allclose(getattr(tables[1], column), getattr(tables[0], column), atol=1e-2)


@pytest.mark.parametrize("command, what", [
    (lambda simulated, folder: training(simulated, folder / "m.pupicker", "--batch-size", 32, "--device", "cuda:0"),
     "--device"),
    (lambda simulated, folder: ["pick", *simulated.unseen, "--model", folder / "m.pupicker", "--output",
                                folder / "p.star"], "only train shares its work"),
    (lambda simulated, folder: training(simulated, folder / "m.pupicker", "--updates", 0), "--updates"),
])
def test_wrong_usage_is_one_line(simulated, tmp_path, command, what):
    code, out, err = run_together(*PUPICKER, *command(simulated, tmp_path))
    assert code == 1 and out == ""
    (line,) = said_by_pupicker(err)
    assert ": error: " in line and what in line
    assert list(tmp_path.iterdir()) == []


def test_a_minibatch_that_is_too_small_says_how_large_it_must_be(simulated, tmp_path):
    arguments = training(simulated, tmp_path / "m.pupicker", "--batch-size", 32)
    code, _, err = run_together(*PUPICKER, *arguments, processes=3)
    assert code == 1
    (line,) = said_by_pupicker(err)
    assert "a minibatch of 32 regions is too small to be shared by 3 processes" in line and "at least 54" in line


def interrupted(arguments, checkpoint, end):
    """Start two processes, and end them in a way as soon as there is a checkpoint."""
    process = start_together(*PUPICKER, *arguments)
    last = time.monotonic() + LONGEST_WAIT_S
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < last:
        time.sleep(0.01)
    if process.poll() is None:
        end(process)
    return ended(process)


def kill_rank(rank):
    """One that was out of memory, say."""
    return lambda process: os.kill(process_of_rank(rank, process), signal.SIGKILL)


@pytest.mark.parametrize(("end", "processes"), [
    (lambda process: process.send_signal(signal.SIGTERM), 1), (kill_rank(1), 2), (kill_rank(0), 1)])
def test_however_it_ends_one_line_says_why_and_it_can_be_resumed(capsys, simulated, tmp_path, end, processes):
    """By two processes again or by a single one: whose the shares were is not kept."""
    model = tmp_path / "m.pupicker"
    arguments = training(simulated, model, "--updates", 500, "--batch-size", 48, "--width", 8, "--start", "random")
    code, out, err = interrupted(arguments, checkpoint_path(model), end)
    assert code != 0 and out == ""
    (line,) = said_by_pupicker(err)
    assert "the same training, resumed, goes on from" in line and "--resume" in line
    assert not [line for line in err.splitlines() if line.lstrip().startswith("File ") and "/pupicker/" in line]
    assert checkpoint_path(model).exists() and not model.exists()
    if processes == 1:
        assert run(capsys, *arguments, "--resume").code == 0
    else:
        code, _, err = run_together(*PUPICKER, *arguments, "--resume")
        assert code == 0 and said_by_pupicker(err) == [], err
    assert load_model(model).record.curve[-1].updates == 500
    assert not checkpoint_path(model).exists()
