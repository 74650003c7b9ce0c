"""Commands on a full disk: one line that names the file, and the same command goes on when there is room again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pupicker
from pupicker.engine.models.checkpoint import checkpoint_path
from pupicker.engine.models.model_file import load_model
from pupicker.engine.preparation import preprocessing
from pupicker.engine.training import train as trainings
from pupicker.tests.commands.command_line import run
from pupicker.tests.full_disk import FULL, room_for
from pupicker.tests.simulated import DIAMETER_ANG

ROOM = 100
TRAIN = ("LABELLED", "--picks", "LABELS", "--diameter", DIAMETER_ANG, "--updates", 4, "--batch-size", 32,
         "--threads", 1, "--network", "conv31", "--width", 2, "--start", "random")
PICK = ("pick", "UNSEEN", "--model", "MODEL", "--threads", 1)
COMMANDS = {
    "pick a table": ((*PICK, "--output", "OUT/p.star"), "p.star"),
    "pick a folder": ((*PICK, "--output", "OUT/p"), "p/mic_0004.star"),
    "pick weaker": ((*PICK, "--output", "OUT/p.tsv", "--candidates", "OUT/weak"), "weak"),
    "pick report": ((*PICK, "--output", "OUT/p.tsv", "--threshold", 99, "--report", "OUT/r.json"), "r.json"),
    "pick html": ((*PICK, "--output", "OUT/p.tsv", "--threshold", 99, "--html", "OUT/r.html"), "r.html"),
    "baseline": (("baseline", "dog", "UNSEEN", "--diameter", DIAMETER_ANG, "--output", "OUT/d.tsv"), "d.tsv"),
    "preprocess": (("preprocess", "UNSEEN", "--output", "OUT/b", "--target-pixel-size", 18), "b/mic"),
    "simulate": (("simulate", "--output", "OUT/s", "--micrographs", 1, "--width", 256, "--height", 256,
                  "--particles", 3), "s/"),
    "convert": (("convert", "LABELS", "OUT/c.star"), "c.star"),
    "evaluate": (("evaluate", "--picks", "LABELS", "--truth", "LABELS", "--radius", 10, "--matches", "OUT/m.tsv"),
                 "m.tsv"),
    "train": (("train", *TRAIN, "--output", "OUT/m.pupicker"), "m.pupicker.checkpoint"),
    "train status": (("train", *TRAIN, "--output", "OUT/m.pupicker", "--status", "OUT/s.json"), "m.pupicker.check"),
    "cross-validate": (("cross-validate", *TRAIN, "--folds", 2, "--output", "OUT/cv"), "cv/"),
}
"""What is asked of each command, and the file that has no room."""


@pytest.mark.parametrize("name", COMMANDS)
def test_one_line_names_the_file_and_the_command_goes_on(capsys, simulated, model_path, tmp_path, name):
    words, file = COMMANDS[name]
    known = {"LABELLED": list(simulated.labelled), "UNSEEN": list(simulated.unseen), "LABELS": [simulated.labels],
             "MODEL": [model_path]}
    arguments = [str(word).replace("OUT", str(tmp_path)) for given in words for word in known.get(given, [given])]
    with room_for(ROOM):
        line = run(capsys, *arguments).error(1)
    assert f"error: {tmp_path / file}" in line and FULL in line, line
    assert list(tmp_path.rglob(".*")) == []
    result = run(capsys, *arguments)
    assert result.code == 0, result


def test_working_files_of_preprocessing(capsys, simulated, tmp_path, monkeypatch):
    monkeypatch.setattr(preprocessing, "MEMORY_BYTES", 0)
    arguments = ("preprocess", *simulated.unseen, "--output", tmp_path / "b", "--target-pixel-size", 18)
    with room_for(ROOM):
        assert ".npy" in run(capsys, *arguments).error(1)
    assert not (tmp_path / "b").exists()
    assert run(capsys, *arguments).code == 0


@pytest.mark.slow
def test_a_training_goes_on_from_the_last_checkpoint_that_had_room(train, tmp_path, monkeypatch):
    """It grows by the weights of an epoch; the model, which is smaller, is the same as without the trouble."""
    arguments, model = ("--updates", 200, "--width", 2, "--seed", 2, "--start", "random"), tmp_path / "m.pupicker"
    sizes, write = [], trainings.save_checkpoint
    monkeypatch.setattr(trainings, "save_checkpoint", lambda path, *more: (write(path, *more),
                                                                           sizes.append(path.stat().st_size)))
    assert train(*arguments).code == 0
    weights = load_model(model).network.state_dict()
    model.unlink()
    with room_for(sum(sizes[:2]) // 2):
        line = train(*arguments).error(1)
    checkpoint = checkpoint_path(model)
    assert str(checkpoint) in line and checkpoint.stat().st_size == sizes[0] and not model.exists()
    assert train(*arguments, "--resume").code == 0
    again = load_model(model).network.state_dict()
    assert all(weights[name].equal(again[name]) for name in weights)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_results_that_nothing_takes(model_path, unbuffered):
    """/dev/full; the exit code is that of a failure, and Python adds nothing at its end."""
    environment = {**os.environ, "PYTHONPATH": str(Path(pupicker.__file__).resolve().parents[1]),
                   "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "pupicker", "info", model_path], stdout=full,
                              stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr == "pupicker info: error: standard output: No space left on device\n"


def test_the_outcome_of_a_process_of_scipion(model_path, tmp_path):
    """Without room for it the line is in the log, and there is no half of it."""
    launch = Path(pupicker.__file__).parent / "commands" / "launch.py"
    command = f"ulimit -f 0; exec {sys.executable} {launch} {tmp_path}/outcome.json info {model_path} 2>&1 | cat"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert f"pupicker: error: {tmp_path}/outcome.json: {FULL}" in done.stdout and "Traceback" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == []
