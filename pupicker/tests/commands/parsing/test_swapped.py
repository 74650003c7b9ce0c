"""A micrograph in the place of a model, and the other way round."""

from __future__ import annotations

import pytest

from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG


@pytest.mark.parametrize("command", ["pick", "report", "label", "evaluate"])
def test_a_model_in_the_place_of_micrographs(capsys, simulated, model_path, tmp_path, command):
    table = ("--picks", simulated.labels)
    words = {"pick": (model_path, "--output", tmp_path / "p.star"), "label": (model_path, "--output", tmp_path / "l"),
             "report": (model_path, *table, "--output", tmp_path / "r.html"),
             "evaluate": (*table, "--truth", simulated.labels, "--radius", 5, "--micrographs", model_path)}[command]
    line = run(capsys, command, *words, "--model", simulated.unseen[0]).error(2)
    assert f"{model_path} is a model, and --model {simulated.unseen[0]} is a micrograph: exchange them" in line
    line = run(capsys, command, *words, "--model", model_path).error(2)
    assert f"{model_path}: is a model, not a micrograph; a model is given by --model" in line
    assert list(tmp_path.iterdir()) == []


def test_commands_that_start_from_a_model_and_those_that_take_none(capsys, simulated, model_path, tmp_path):
    words = ("--picks", simulated.labels, "--diameter", DIAMETER_ANG, "--output", tmp_path / "m.pupicker")
    assert "a model is given by --start" in run(capsys, "train", model_path, *words).error(2)
    words = ("--target-pixel-size", 12, "--output", tmp_path / "b")
    line = run(capsys, "preprocess", simulated.unseen[0], model_path, *words).error(1)
    assert line == f"pupicker preprocess: error: {model_path}: is a model, not a micrograph"


@pytest.mark.parametrize("words", [
    ("pick", "MIC", "--model", "MIC", "--output", "TABLE"), ("info", "OUT.notes"),
    ("models", "publish", "MIC", "--name", "a"), ("serve", "--model", "MIC"),
    ("recalibrate", "MIC", "--particles-per-micrograph", 9, "--output", "OUT"),
    ("train", "MIC", "--picks", "LABELS", "--diameter", DIAMETER_ANG, "--start", "MIC", "--output", "OUT"),
])
def test_a_micrograph_in_the_place_of_a_model(capsys, simulated, tmp_path, words):
    known = {"MIC": simulated.unseen[0], "LABELS": simulated.labels, "OUT": tmp_path / "o.pupicker",
             "TABLE": tmp_path / "o.star"}
    if "OUT.notes" in words:
        known["OUT.notes"] = tmp_path / "notes"
        known["OUT.notes"].write_bytes(simulated.unseen[0].read_bytes()[:5000])
    line = run(capsys, *(known.get(word, word) for word in words)).error(1)
    assert "not a pupicker model" in line
    assert "it is an MRC image" in line if words[0] == "info" else "it is a micrograph; give the file" in line
    assert "header" not in line
