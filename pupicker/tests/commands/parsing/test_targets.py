"""Nothing that is given is written over."""

from __future__ import annotations

import shutil

import pytest

from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG


@pytest.fixture
def files(simulated, model_path, tmp_path):
    """Copies of a micrograph, of its labels and of a model, which stay as they are and alone."""
    mics = tmp_path / "mics"
    mics.mkdir()
    shutil.copy(simulated.labelled[0], mics)
    shutil.copy(simulated.labels, tmp_path / "labels.star")
    shutil.copy(model_path, tmp_path / "m.pupicker")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    yield tmp_path
    assert {path: path.read_bytes() for path in before} == before
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(before)


def train(folder, *more):
    return ["train", folder / "mics", "--picks", folder / "labels.star", "--diameter", DIAMETER_ANG, "--updates", 2,
            *more]


def pick(folder, *more):
    return ["pick", folder / "mics", "--model", folder / "m.pupicker", "--output", folder / "p.star", *more]


@pytest.mark.parametrize(("command", "words"), [
    (lambda f: train(f, "--output", f / "mics" / "mic_0001.mrc"), "is there and is no model; choose another name"),
    (lambda f: train(f, "--output", f / "labels.star"), "labels.star: is also --picks; give another name"),
    (lambda f: train(f, "--output", f / "n.pupicker", "--html", f / "labels.star"), "is also --picks"),
    (lambda f: train(f, "--output", f / "n.pupicker", "--report", f / "m.pupicker"), "is no report in JSON"),
    (lambda f: train(f, "--output", f / "n.pupicker", "--status", f / "n.pupicker"), "--status"),
    (lambda f: pick(f, "--html", f / "m.pupicker"), "is also --model"),
    (lambda f: pick(f, "--html", f / "p.star"), "is also --"),
    (lambda f: pick(f, "--report", f / "mics" / "mic_0001.mrc"), "is no report in JSON"),
    (lambda f: pick(f, "--html", f / "mics" / ".." / "labels.star"), "is no report in HTML"),
    (lambda f: ["combine", f / "labels.star", f / "o.star", "--diameter", 100, "--output", f / "labels.star"],
     "is also one of the tables"),
    (lambda f: ["convert", f / "labels.star", f / "labels.star", "--scale", 2], "is also what is read"),
])
def test_what_is_given_is_not_written_over(capsys, files, command, words):
    line = run(capsys, *command(files)).error(2)
    assert words in line


def test_a_model_and_reports_are_replaced_by_their_own_kind(capsys, simulated, model_path, tmp_path):
    shutil.copy(model_path, tmp_path / "m.pupicker")
    arguments = ["pick", simulated.unseen[0], "--model", model_path, "--output", tmp_path / "p.star", "--html",
                 tmp_path / "p.html", "--report", tmp_path / "p.json", "--threads", 1]
    assert run(capsys, *arguments).code == 0 and run(capsys, *arguments).code == 0
    own = tmp_path / "m.pupicker"
    assert run(capsys, "recalibrate", own, "--particles-per-micrograph", 20, "--output", own).code == 0


def test_a_name_that_no_table_can_hold_costs_its_micrograph_only(capsys, simulated, model_path, tmp_path):
    """And is told in one line."""
    for number, name in enumerate(("a.mrc", "b\nc.mrc", "d.mrc")):
        shutil.copy(simulated.micrographs[number], tmp_path / name)
    result = run(capsys, "pick", tmp_path, "--model", model_path, "--output", tmp_path / "p.tsv", "--threads", 1,
                 "--json")
    assert result.code == 3 and len(result.json["done"]) == 2 and len(result.json["quarantined"]) == 1
    assert any(line.startswith("quarantined: ") and "b\\nc.mrc" in line for line in result.err.splitlines())
