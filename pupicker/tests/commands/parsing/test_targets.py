"""Nothing that is given is written over; what cannot be written is said before the work, and nothing is left of it."""

from __future__ import annotations

import os
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
    (lambda f: ["serve", "--watch", f / "mics", "--output", f / "o", "--diameter", 100, "--metrics",
                f / "mics" / "mic_0001.mrc"], "is there and is no file of counters"),
    (lambda f: pick(f, "--report", f / "mics" / "mic_0001.mrc"), "is no report in JSON"),
    (lambda f: pick(f, "--html", f / "mics" / ".." / "labels.star"), "is no report in HTML"),
    (lambda f: ["combine", f / "labels.star", f / "o.star", "--diameter", 100, "--output", f / "labels.star"],
     "is also one of the tables"),
    (lambda f: evaluate(f, "--matches", f / "labels.star"), "--matches"),
    (lambda f: ["baseline", "template", f / "mics", "--diameter", 100, "--template", f / "labels.star", "--output",
                f / "labels.star"], "labels.star: is also --template"),
    (lambda f: ["recalibrate", f / "name", "--particles-per-micrograph", 20, "--output", f / "name"],
     "name: is also the model that is read; give another name"),
    (lambda f: ["convert", f / "labels.star", f / "labels.star", "--scale", 2], "error: OUT "),
    (lambda f: ["convert", f / "labels.star", f / "labels.star", "--scale", 2], "is also what is read"),
])
def test_what_is_given_is_not_written_over(capsys, files, command, words):
    line = run(capsys, *command(files)).error(2)
    assert words in line


@pytest.mark.parametrize(("command", "words"), [
    (lambda one, other: ["convert", one, one, "--per-micrograph", ".tsv", "--scale", 2], "is also what is read"),
    (lambda one, other: ["combine", one, other, "--distance", 10, "--output", other], "is also one of the tables"),
    (lambda one, other: ["convert", one, one / "all.tsv"], "of which all tables are read; write it elsewhere"),
    (lambda one, other: ["combine", one, other, "--distance", 10, "--output", one / "c.tsv"], "write it elsewhere"),
    (lambda one, other: ["convert", one / "mic_0001.tsv", one, "--per-micrograph", ".tsv"], "would be written over"),
])
def test_a_folder_of_tables_is_not_written_into_while_it_is_read(capsys, tmp_path, command, words):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mic_0001.tsv").write_text("micrograph\tx\ty\nmic_0001.mrc\t10\t20\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.glob("*/*")}
    assert words in run(capsys, *command(tmp_path / "one", tmp_path / "other")).error(2)
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*")} == before


@pytest.mark.parametrize(("name", "ending"), [
    ("train", ".star"), ("train", ".html"), ("recalibrate", ".mrc"), ("train html", ".pdf"), ("train html", ".json"),
    ("train status", ".html"), ("train report", ".pupicker"), ("report", ".png"),
])
def test_a_file_does_not_get_the_name_of_another_kind(capsys, files, name, ending):
    words, usual = WRITTEN[name]
    before = set(files.rglob("*"))
    line = run(capsys, *words(files, files / f"x{ending}")).error(2)
    assert line.endswith(f"is the name of something else; end it with {usual}"), line
    assert set(files.rglob("*")) == before


DISTANCE = ("--distance", 10)
WRITTEN = {
    "train": (lambda f, out: train(f, "--output", out), ".pupicker"),
    "train html": (lambda f, out: train(f, "--output", f / "n.pupicker", "--html", out), ".html"),
    "train status": (lambda f, out: train(f, "--output", f / "n.pupicker", "--status", out), ".json"),
    "train report": (lambda f, out: train(f, "--output", f / "n.pupicker", "--report", out), ".json"),
    "pick": (lambda f, out: pick(f, "--output", out), ".star"),
    "pick folder": (lambda f, out: pick(f, "--output", out), ""),
    "pick weaker": (lambda f, out: pick(f, "--candidates", out), ""),
    "baseline": (lambda f, out: ["baseline", "dog", f / "mics", "--diameter", 100, "--output", out], ".tsv"),
    "convert": (lambda f, out: ["convert", f / "labels.star", out], ".tsv"),
    "convert folder": (lambda f, out: ["convert", f / "labels.star", out, "--per-micrograph", ".star"], ""),
    "evaluate plot": (lambda f, out: evaluate(f, "--plot", out), ".png"),
    "evaluate matches": (lambda f, out: evaluate(f, "--matches", out), ".tsv"),
    "combine": (lambda f, out: ["combine", f / "labels.star", f / "o", *DISTANCE, "--output", out], ".tsv"),
    "combine folder": (lambda f, out: ["combine", f / "labels.star", f, *DISTANCE, "--output", out], ""),
    "preprocess": (lambda f, out: ["preprocess", f / "mics", "--target-pixel-size", 12, "--output", out], ""),
    "recalibrate": (lambda f, out: ["recalibrate", f / "m.pupicker", "--particles-per-micrograph", 20, "--output", out],
                    ".pupicker"),
    "report": (lambda f, out: ["report", f / "mics", "--picks", f / "labels.star", "--output", out], ".html"),
    "simulate": (lambda f, out: ["simulate", "--micrographs", 1, "--output", out], ""),
    "cross-validate": (lambda f, out: ["cross-validate", *train(f, "--output", out)[1:]], ""),
    "models": (lambda f, out: ["models", "publish", f / "m.pupicker", "--name", "n", "--folder", out], ""),
    "label": (lambda f, out: ["label", f / "mics", "--output", out], ""),
    "serve": (lambda f, out: ["serve", "--model", f / "m.pupicker", "--watch", f / "mics", "--output", out], ""),
    "serve metrics": (lambda f, out: ["serve", "--model", f / "m.pupicker", "--metrics", out], ".prom"),
}
"""How each command is given the name of what it writes, and how such names end; "" are folders."""


EITHER = ("pick", "baseline", "convert", "combine")
"""Where a folder is for one table a micrograph, whatever it is called."""


def evaluate(folder, *more):
    return ["evaluate", "--picks", folder / "labels.star", "--truth", folder / "labels.star", "--radius", 10, *more]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_can_be_no_output_is_one_line_before_the_work(capsys, files, name):
    """Devices stand behind links: a writer that took one for a file would replace the link alone."""
    words, suffix = WRITTEN[name]
    known = files / f"there{suffix}"
    wrong, proc = "give the name of a file" if suffix else "give the name of a folder", f"/proc/pupicker{suffix}"
    makers = [lambda: known.symlink_to("/dev/null"), lambda: known.symlink_to("/dev/full"), lambda: os.mkfifo(known)]
    if name not in EITHER:
        makers.append(known.mkdir if suffix else known.touch)
    for make in makers:
        make()
        before = set(files.rglob("*"))
        line = run(capsys, *words(files, known)).error(2)
        assert f"{known}: is a" in line and wrong in line, line
        assert set(files.rglob("*")) == before
        known.rmdir() if known.is_dir() else known.unlink()
    below = files / "labels.star" / f"new{suffix}"
    assert f"{below}: {files / 'labels.star'} is no folder" in run(capsys, *words(files, below)).error(2)
    assert f"{proc}: nothing can be written in /proc (" in run(capsys, *words(files, proc)).error(1)
    assert not os.path.exists(proc)


FOLDERS = ["preprocess", "simulate", "cross-validate", "models", "label", "serve", "pick weaker"]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_new_folder_does_not_get_the_name_of_a_file(capsys, files, name):
    words, _ = WRITTEN[name]
    new = files / "new.mrc"
    assert f"{new}: a folder is written" in run(capsys, *words(files, new)).error(2)
    assert not new.exists()


FAILS = {
    "train": ("the table of picks is empty", lambda f, new: [
        "train", f / "mics", "--picks", f / "none.tsv", "--diameter", 100, "--output", new / "m.pupicker", "--html",
        new / "r" / "r.html"]),
    "pick": ("no.pupicker: not a pupicker model", lambda f, new: [
        "pick", f / "mics", "--model", f / "no.pupicker", "--output", new / "p.star"]),
    "pick folder": ("no.pupicker: not a pupicker model", lambda f, new: [
        "pick", f / "mics", "--model", f / "no.pupicker", "--output", new / "p", "--candidates", new / "c"]),
    "convert": ("b.box: a .box file needs a box size", lambda f, new: ["convert", f / "labels.star", new / "b.box"]),
    "convert folder": (".box: a .box file needs a box size", lambda f, new: [
        "convert", f / "labels.star", new / "b", "--per-micrograph", ".box"]),
    "evaluate": ("gone.star: No such file", lambda f, new: evaluate(
        f, "--truth", f / "gone.star", "--plot", new / "p.png")),
    "combine": ("gone.star: No such file", lambda f, new: [
        "combine", f / "labels.star", f / "gone.star", "--distance", 10, "--output", new / "c"]),
    "recalibrate": ("particles per micrograph", lambda f, new: [
        "recalibrate", f / "m.pupicker", "--particles-per-micrograph", 9e9, "--output", new / "m.pupicker"]),
    "report": ("gone.star: No such file", lambda f, new: [
        "report", f / "mics", "--picks", f / "gone.star", "--output", new / "r.html"]),
    "simulate": ("gone.mrc: no such density file", lambda f, new: [
        "simulate", "--density", f / "gone.mrc", "--output", new / "s"]),
    "cross-validate": ("the table of picks is empty", lambda f, new: [
        "cross-validate", f / "mics", "--picks", f / "none.tsv", "--diameter", 100, "--output", new / "cv"]),
    "models": ("no.pupicker: not a pupicker model", lambda f, new: [
        "models", "publish", f / "no.pupicker", "--name", "n", "--folder", new / "library"]),
    "label": ("a window cannot be opened", lambda f, new: ["label", f / "mics", "--output", new / "labels"]),
    "serve": ("no.pupicker: not a pupicker model", lambda f, new: [
        "serve", "--model", f / "no.pupicker", "--watch", f / "mics", "--output", new / "p"]),
}
"""A failure of each command after it has found that its output can be written."""


@pytest.mark.parametrize("name", FAILS)
def test_nothing_is_left_of_a_run_that_had_nothing_to_write(capsys, monkeypatch, files, name):
    monkeypatch.delenv("DISPLAY", raising=False)
    (files / "none.tsv").write_text("micrograph\tx\ty\n")
    (files / "no.pupicker").write_bytes(b"no model")
    before = set(files.rglob("*"))
    words, command = FAILS[name]
    result = run(capsys, *command(files, files / "new" / "newer"))
    assert words in result.error(result.code) and result.code in (1, 2)
    assert set(files.rglob("*")) == before
    for path in ("none.tsv", "no.pupicker"):
        (files / path).unlink()


@pytest.mark.parametrize("there", [True, False])
def test_picks_and_weaker_picks_are_two_folders(capsys, files, there):
    """Whether they are there or not, and however they are called."""
    folder = files / "picks"
    if there:
        folder.mkdir()
    (files / "link").symlink_to(folder)
    words = "is the folder of output and of candidates; give two" if there else "is also --candidates; give another"
    for candidates in (folder, files / "link"):
        line = run(capsys, *pick(files, "--output", folder, "--format", "tsv", "--candidates", candidates)).error(2)
        assert "--output" in line and "--candidates" in line and words in line
    assert folder.is_dir() == there and not (there and list(folder.iterdir()))


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
