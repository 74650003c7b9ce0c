"""``pupicker models``, and the commands that take a model by its name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG
from pupicker.tests.tiny_model import tiny_model


@pytest.fixture
def library(tmp_path, monkeypatch):
    """An empty one: the folder of the user."""
    folder = tmp_path / "library"
    monkeypatch.setenv("PUPICKER_USER_MODELS", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def published(capsys, library, model_path):
    """With the trained model as ``blobs``."""
    words = ("--name", "blobs", "--specimen", "blobs, simulated", "--microscope", "none", "--author", "ann")
    done = run(capsys, "models", "publish", model_path, *words)
    assert done.code == 0 and str(library / "blobs.pupicker") in done.out
    return library


def test_list_and_show(capsys, published, model_path):
    listed = run(capsys, "models", "list", "--json").json
    assert listed["folders"] == [{"path": str(published), "owner": "user"}]
    (model,) = listed["models"]
    assert (model["name"], model["specimen"], model["diameter_ang"]) == ("blobs", "blobs, simulated", DIAMETER_ANG)
    assert run(capsys, "models", "show", "blobs", "--json").json == {**model, "owner": "", "hidden": False}
    head, row = run(capsys, "models", "list", "simulated", "--diameter", 150).out.splitlines()
    assert head.split()[:2] == ["name", "specimen"] and row.startswith("blobs") and model["digest"][:12] in row
    assert run(capsys, "models", "show", "blob").error(1).endswith("the nearest names are blobs")
    for words in (("virus",), ("--diameter", 400), ("--pixel-size", 50)):
        assert run(capsys, "models", "list", *words).out.startswith("1 model, but none like this, in ")
    assert "blobs, simulated" in run(capsys, "models", "show", "blobs").out
    unpublished = run(capsys, "models", "show", model_path, "--json").json
    assert unpublished["specimen"] == "" and unpublished["digest"] == model["digest"]
    assert run(capsys, "info", published / "blobs.pupicker", "--json").json["card"]["author"] == "ann"


def test_a_name_picks_what_the_file_picks(capsys, published, model_path, simulated, tmp_path):
    tables = []
    for model in (model_path, "blobs"):
        out = tmp_path / "picks.tsv"
        done = run(capsys, "pick", simulated.unseen[0], "--model", model, "--output", out, "--threads", 1, "--json")
        assert done.code == 0
        tables.append(out.read_text())
        out.unlink()
    assert tables[0] == tables[1] and len(tables[0].splitlines()) > 5
    line = run(capsys, "pick", simulated.unseen[0], "--model", "blob", "--output", tmp_path / "p.tsv").error(1)
    assert line == ("pupicker pick: error: blob: there is no such model file, nor a model of this name in the library;"
                    " the nearest names are blobs (--model)")
    assert not (tmp_path / "p.tsv").exists()


def test_serve_takes_a_name(published, simulated):
    requests = [{"id": 1, "do": "info", "file": "blobs"}, {"id": 2, "do": "pick", "model": "blob", "micrographs": [
        str(simulated.unseen[0])]}, {"id": 3, "do": "pick", "micrographs": [str(simulated.unseen[0])]}]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [sys.executable, "-m", "pupicker", "serve", "--model", "blobs", "--threads", "1"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    by_id = {number: [answer for answer in answers if answer.get("id") == number] for number in (1, 2, 3)}
    assert by_id[1][-1]["diameter_ang"] == DIAMETER_ANG
    assert "nearest names are blobs" in by_id[2][-1]["error"]
    assert by_id[3][-1]["event"] == "result" and "error" not in by_id[3][-1]


def test_check_reads_everything_and_says_what_is_damaged(capsys, published, tmp_path):
    assert run(capsys, "models", "check").out.split() == ["blobs", "user", "good"]
    content = bytearray((published / "blobs.pupicker").read_bytes())
    content[-1] ^= 1
    (published / "bad.pupicker").write_bytes(content)
    plain = bytearray(tiny_model(tmp_path / "m.pupicker").read_bytes())  # no card: its own digest of the weights tells
    plain[-1] ^= 1
    (published / "plain.pupicker").write_bytes(plain)
    done = run(capsys, "models", "check", "--json")
    assert done.code == 1
    assert {model["name"]: bool(model["problem"]) for model in done.json["models"]} == {
        "bad": True, "blobs": False, "plain": True}
    listed = run(capsys, "models", "list")
    assert listed.code == 0 and "damaged" in next(line for line in listed.out.splitlines() if line.startswith("bad "))
    assert "copy it again" in listed.out
    assert "damaged" in run(capsys, "models", "show", "bad").error(1)


@pytest.mark.parametrize(("words", "said"), [
    (("--name", "a/b"), "(--name)"), (("--name", "general"), "(--name)"), (("--name", ""), "(--name)"),
    (("--name", "a", "--note", "one\ntwo"), "(--note)"), (("--name", "a", "--specimen", "x" * 501), "(--specimen)"),
])
def test_what_cannot_be_published(capsys, library, tmp_path, words, said):
    assert said in run(capsys, "models", "publish", tiny_model(tmp_path / "m.pupicker"), *words).error(2)
    assert not library.exists()


def test_a_name_that_is_taken(capsys, published, tmp_path):
    other = tiny_model(tmp_path / "m.pupicker")
    line = run(capsys, "models", "publish", other, "--name", "blobs").error(2)
    assert "another model has this name" in line and line.endswith("(--name, --replace)")
    assert run(capsys, "models", "publish", other, "--name", "blobs", "--replace").code == 0
    site = tmp_path / "site"
    assert run(capsys, "models", "publish", other, "--name", "blobs", "--folder", site).code == 0
    assert (site / "blobs.pupicker").is_file()
