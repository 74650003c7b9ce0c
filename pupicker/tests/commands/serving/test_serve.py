"""A process that stays: what it answers, and what it survives."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pupicker
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.shared.worker import Worker, WorkerDied, WorkerError
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG

SOON_S = 120.0
COMMAND = [sys.executable, "-m", "pupicker", "serve", "--threads", "1"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(pupicker.__file__).resolve().parents[1])}
TRAINING = {"diameter": DIAMETER_ANG, "network": "conv31", "batch_size": 32, "validation_fraction": 0.0}


@pytest.fixture(scope="module")
def worker(model_path):
    with Worker([*COMMAND, "--model", str(model_path)], ENVIRONMENT) as one:
        yield one


def wait_for(condition, what):
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def names(paths):
    return [str(path) for path in paths]


def ended(*words, **more):
    """Start one, with its standard error in a pipe."""
    return subprocess.Popen([*COMMAND, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, **more)


def test_picks_are_those_of_the_command(worker, pick, simulated, tmp_path):
    """In tables and in the answers; a broken micrograph is one answer more, and ends nothing."""
    broken = tmp_path / "broken.mrc"
    broken.write_bytes(simulated.unseen[0].read_bytes()[:5000])
    assert pick(simulated.unseen, tmp_path / "one", "--format", "tsv", "--score-sd").code == 0
    told = []
    last = worker.ask("pick", told.append, micrographs=names([*simulated.unseen, broken]), score_sd=True,
                      output=str(tmp_path / "two"), coordinates=True)
    assert [answer["event"] for answer in told] == ["micrograph", "micrograph", "quarantined"]
    for answer, path in zip(told, simulated.unseen, strict=False):
        table = f"{path.stem}.tsv"
        assert (tmp_path / "one" / table).read_bytes() == (tmp_path / "two" / table).read_bytes()
        found = read_coordinates(tmp_path / "two" / table)
        assert answer["picks"] == len(found) == len(answer["x"]) > 5
        assert answer["score"] == pytest.approx(found.score, abs=1e-4)
        assert answer["score_sd"] == pytest.approx(found.score_sd, abs=1e-4)
        assert answer["null_level"] < min(answer["score_median"], 0) and answer["box_size_px"] == 40
    assert "truncated" in told[2]["reason"] and told[2]["micrograph"] == str(broken)
    assert last["picks"] == told[0]["picks"] + told[1]["picks"] and last["quarantined"][0]["micrograph"] == str(broken)


def test_candidates_are_weaker_picks_too(worker, simulated, tmp_path):
    path, before, told = simulated.unseen[0], [], []
    worker.ask("pick", before.append, micrographs=[str(path)])
    threshold = before[0]["score_median"]
    last = worker.ask("pick", told.append, micrographs=[str(path)], threshold=threshold,
                      output=str(tmp_path / "picks"), candidates=str(tmp_path / "weaker"))
    found, weaker = (read_coordinates(tmp_path / name / f"{path.stem}.tsv") for name in ("picks", "weaker"))
    assert last["threshold"] == threshold and told[0]["picks"] == len(found) and "x" not in told[0]
    assert 0 < len(found) < len(weaker) and min(weaker.score) >= -6
    assert sorted(found.score) == sorted(weaker.score[weaker.score >= threshold])


def test_scores_of_places_are_those_of_the_picks(worker, simulated):
    name = str(simulated.unseen[0])
    picked, scored = [], []
    worker.ask("pick", picked.append, micrographs=[name], score_sd=True)
    places = [[x, y] for x, y in zip(picked[0]["x"], picked[0]["y"], strict=True)]
    worker.ask("score", scored.append, places={name: [*places, [2.0, 2.0]]})
    scores = scored[0]["score"]
    assert len(places) > 5 and scores[:-1] == pytest.approx(picked[0]["score"], abs=1.0)
    assert np.median(np.abs(np.subtract(scores[:-1], picked[0]["score"]))) < 0.1
    assert scores[-1] < min(scores[:-1]) and scored[0]["probability"][-1] < 0.5
    assert scored[0]["score_sd"][:-1] == pytest.approx(picked[0]["score_sd"], abs=1e-3)


def test_a_place_beside_a_particle_has_the_best_score_near_it(worker, simulated):
    """Within no distance it is that of the place itself."""
    name, near_ang = str(simulated.unseen[0]), DIAMETER_ANG / 4
    picked, answers = [], []
    worker.ask("pick", picked.append, micrographs=[name])
    aside_px = 0.8 * near_ang / picked[0]["pixel_size_ang"]
    places = [[x + aside_px, y] for x, y in zip(picked[0]["x"], picked[0]["y"], strict=True) if x < 100]
    for fields in ({}, {"search_radius": 0}, {"search_radius": near_ang}):
        worker.ask("score", answers.append, places={name: places}, **fields)
    plain, none, near = (answer["score"] for answer in answers)
    assert plain == none and all(a <= b for a, b in zip(plain, near, strict=True))
    assert np.median(near) > np.median(plain) + 3 and np.median(near) > 0
    with pytest.raises(WorkerError, match="search radius"):
        worker.ask("score", places={name: places}, search_radius=-1)


def test_suggestions_are_those_of_the_general_model(worker, capsys, simulated, tmp_path):
    path = simulated.unseen[0]
    assert run(capsys, "baseline", "general", path, "--diameter", DIAMETER_ANG, "--output", tmp_path / "a.tsv",
               "--threads", 1).code == 0
    told = []
    worker.ask("suggest", told.append, micrographs=[str(path)], diameter=DIAMETER_ANG)
    found = read_coordinates(tmp_path / "a.tsv")
    assert told[0]["x"] == pytest.approx(found.x, abs=1e-3) and told[0]["score"] == pytest.approx(found.score, abs=1e-3)
    assert told[0]["probability"] == pytest.approx(found.probability, abs=1e-3)


@pytest.mark.parametrize(("do", "fields", "message"), [
    ("pick", {"micrographs": ["a.mrc"], "model": "nowhere.pupicker"}, "there is no such model file"),
    ("pick", {"micrographs": ["a.mrc"], "format": "png", "output": "o"}, "format must be one of star, tsv"),
    ("pick", {"micrographs": ["a.mrc"], "output": "o", "candidates": "o/."}, "is the folder of output and of candid"),
    ("train", {"micrographs": ["a.mrc"], "output": "m.star", "diameter": 100, "labels": "t"}, "end it with .pupicker"),
    ("pick", {"micrographs": ["a.mrc"], "min_distance": 0}, "must be above 0"),
    ("train", {"micrographs": ["nowhere"], "output": "m", "diameter": 100, "labels": "t.star"}, "no such file"),
    ("train", {"micrographs": ["a.mrc"], "output": "m", "diameter": 100}, "either labels or pseudo_labels"),
    ("fly", {}, "do must be one of"),
])
def test_an_error_is_an_answer(worker, do, fields, message):
    before = worker.pid()
    with pytest.raises(WorkerError, match=message):
        worker.ask(do, **fields)
    assert worker.pid() == before


def test_a_training_replaces_nothing_but_a_model(worker, simulated, tmp_path):
    """Said before it begins."""
    for source in (simulated.labelled[0], simulated.labels):
        copy = tmp_path / source.name
        shutil.copy(source, copy)
        with pytest.raises(WorkerError, match="is there and is no model") as error:
            worker.ask("train", micrographs=names(simulated.labelled), labels=str(simulated.labels),
                       output=str(copy), **TRAINING)
        assert error.value.parameters == ("output",) and copy.read_bytes() == source.read_bytes()


def test_a_name_that_no_table_can_hold_costs_itself(worker, simulated, tmp_path):
    named = [tmp_path / "a\nb.mrc", tmp_path / os.fsdecode(b"c\xff.mrc"), tmp_path / "d.mrc"]
    for path in named:
        os.link(simulated.unseen[0], path)
    told = []
    last = worker.ask("pick", told.append, micrographs=names(named), output=str(tmp_path / "out"), format="star")
    assert [answer["event"] for answer in told] == ["quarantined", "quarantined", "micrograph"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["d.star"] and len(last["quarantined"]) == 2


def test_tables_that_need_the_size_of_the_micrograph(worker, simulated, tmp_path):
    worker.ask("pick", micrographs=names(simulated.unseen[:1]), output=str(tmp_path), format="cs")
    assert len(read_coordinates(tmp_path / f"{simulated.unseen[0].stem}.cs", simulated.unseen[:1])) > 5


def test_scores_of_what_cannot_be_scored(worker, simulated, tmp_path):
    """A micrograph that is not there costs itself; a place beside the image is said."""
    there, told = str(simulated.unseen[0]), []
    last = worker.ask("score", told.append, places={str(tmp_path / "none.mrc"): [[1, 1]], there: [[1, 1], [1e9, 1]]})
    assert [answer["event"] for answer in told] == ["quarantined", "micrograph"] and len(told[1]["score"]) == 2
    assert len(last["warnings"]) == 1 and "1 place is outside" in last["warnings"][0]


def test_a_line_that_cannot_be_understood_is_no_end_of_the_input():
    lines = ['{"id": 1, "do": "pick", "micrographs": ["a"], "threshold": ' + "9" * 400 + "}", '{"id": 2, "do": "info"}']
    out, _ = ended().communicate("\n".join(lines), timeout=SOON_S)
    assert [json.loads(line).get("event") for line in out.splitlines()] == ["ready", "error", "result"]


def test_what_has_nobody_to_talk_to_is_said():
    for closed, words in (("<&-", "standard input is closed"), (">&-", "standard output is closed")):
        shell = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *COMMAND], env=ENVIRONMENT, text=True, check=False,
                               capture_output=True, timeout=SOON_S)
        assert shell.returncode == 2 and words in shell.stderr and "Traceback" not in shell.stderr


@pytest.mark.slow
def test_a_training_makes_room_for_picks_and_can_be_ended(worker, train, simulated, tmp_path):
    """The model is that of the command, although micrographs were picked meanwhile; labels as places are the same."""
    assert train("--validation-fraction", 0, quick=("--updates", 30, "--batch-size", 32, "--threads", 1, "--network",
                                                   "conv31"), picks=simulated.labels).code == 0
    table = read_coordinates(simulated.labels, simulated.labelled)
    places = {str(path): [[x, y] for x, y in zip(table.of(str(path)).x.tolist(), table.of(str(path)).y.tolist(),
                                                  strict=True)] for path in simulated.labelled}
    ticket = worker.send("train", micrographs=names(simulated.labelled), labels=places, updates=30,
                         output=str(tmp_path / "served.pupicker"), **TRAINING)
    second = worker.send("train", micrographs=names(simulated.labelled), labels=str(simulated.labels), updates=1000,
                         output=str(tmp_path / "never.pupicker"), **TRAINING)
    answers = []
    wait_for(lambda: answers.extend(ticket.poll()) or any(a.get("stage") == "selection" for a in answers), "no start")
    for _ in range(3):
        worker.ask("pick", micrographs=names(simulated.unseen[:1]))
        assert ticket.last is None
    wait_for(lambda: (answers.extend(ticket.poll()), ticket.last)[1], "no model")
    assert ticket.last["event"] == "result", ticket.last
    alone, served = (pupicker.load_model(tmp_path / name) for name in ("m.pupicker", "served.pupicker"))
    ours, theirs = alone.network.state_dict(), served.network.state_dict()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    assert ticket.last["card"]["labels"] == len(table)
    wait_for(lambda: any(answer["event"] == "progress" for answer in second.poll()), "the second does not begin")
    worker.cancel(second)
    wait_for(lambda: (second.poll(), second.last)[1], "it does not end")
    assert second.last["event"] == "cancelled" and not (tmp_path / "never.pupicker").exists()


def test_a_killed_process_is_answered_and_started_again(model_path, simulated):
    with Worker([*COMMAND, "--model", str(model_path)], ENVIRONMENT) as one:
        ticket = one.send("pick", micrographs=names(simulated.micrographs))
        assert ticket.wait(SOON_S)["event"] == "micrograph"
        os.kill(one.pid(), signal.SIGKILL)
        wait_for(lambda: (ticket.poll(), ticket.last)[1], "no answer")
        assert ticket.last["event"] == "died" and "signal 9" in ticket.last["error"]
        assert one.ask("pick", micrographs=names(simulated.unseen))["event"] == "result"
        assert one.starts == 2
    wait_for(lambda: one.pid() is None, "it stays")


def test_what_does_not_start_is_said(capfd, tmp_path):
    with Worker(["false"]) as other:
        with pytest.raises(WorkerDied, match="does not start: exit status 1"):
            other.start()
        with pytest.raises(WorkerDied, match="ended: exit status 1"):
            other.ask("info")
    with Worker(["echo", '{"event": "ready", "protocol": 2}']) as newer:
        with pytest.raises(WorkerDied, match="speaks version 2, this program 1"):
            newer.start()
        assert newer.send("info").wait(SOON_S)["event"] == "died"
    assert "there is no such model file" in run(capfd, "serve", "--model", tmp_path / "none").error(1)


def test_sigterm_finishes_the_micrograph(model_path, simulated, tmp_path):
    """And end of the input finishes all."""
    many = [tmp_path / f"m{number}.mrc" for number in range(9)]
    for path in many:
        os.link(simulated.unseen[0], path)
    line = json.dumps({"do": "pick", "micrographs": names(many), "output": str(tmp_path / "out"), "format": "star"})
    process = ended("--model", model_path)
    process.stdin.write(line + "\n" + line + "\n")
    process.stdin.flush()
    answers = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=SOON_S)
    answers += [json.loads(line) for line in rest.splitlines()]
    assert process.returncode == 0
    assert [answer["event"] for answer in answers[-2:]] == ["cancelled", "cancelled"]
    done = [answer for answer in answers if answer["event"] == "micrograph"]
    assert 1 <= len(done) < len(many)
    assert sorted(names((tmp_path / "out").iterdir())) == sorted(answer["table"] for answer in done)
    process = ended("--model", model_path)
    out, _ = process.communicate(json.dumps({"do": "pick", "id": 1, "micrographs": names(simulated.unseen)}) + "\n",
                                 timeout=SOON_S)
    assert json.loads(out.splitlines()[-1])["event"] == "result" and process.returncode == 0


def test_a_socket_serves_several_and_outlives_them(capfd, model_path, simulated, tmp_path):
    path = tmp_path / "s.sock"
    process = ended("--socket", path)
    assert json.loads(process.stdout.readline())["event"] == "ready"
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(str(path))
        rude.sendall(b"\xff\xfe nonsense\n")  # and leaves
    clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for number, client in enumerate(clients):
        client.connect(str(path))
        request = {"id": number, "do": "pick", "micrographs": [str(simulated.unseen[number])], "model": str(model_path)}
        client.sendall(json.dumps(request).encode() + b"\n")
    for number, client in enumerate(clients):
        with client.makefile() as lines:
            answers = [json.loads(next(lines)) for _ in range(3)]
        assert [answer["event"] for answer in answers] == ["ready", "micrograph", "result"]
        assert answers[1]["micrograph"] == str(simulated.unseen[number])
        client.close()
    assert "another process serves there" in run(capfd, "serve", "--socket", path).error(2)
    with socket.socket(socket.AF_UNIX) as half, half.makefile() as lines:  # asks, says that this was all, and reads
        half.settimeout(SOON_S)
        half.connect(str(path))
        half.sendall(json.dumps(request).encode() + b"\n")
        half.shutdown(socket.SHUT_WR)
        assert [json.loads(line)["event"] for line in lines] == ["ready", "micrograph", "result"]
    with socket.socket(socket.AF_UNIX) as last:
        last.connect(str(path))
        last.sendall(b'{"do": "stop"}\n')
        process.wait(timeout=SOON_S)
    assert process.returncode == 0 and not path.exists()


def test_a_folder_that_grows(model_path, simulated, tmp_path):
    """Once each; what is being written is left alone; what is broken is taken up when it is whole."""
    folder, out, metrics = (tmp_path / name for name in ("in", "out", "metrics.prom"))
    folder.mkdir()
    whole = simulated.unseen[0].read_bytes()
    shutil.copy(simulated.unseen[0], folder / "a.mrc")
    words = ("--model", model_path, "--watch", folder, "--output", out, "--settle", 0.6, "--metrics", metrics)
    process = ended(*words)

    def tables():
        return {path.name: path.stat().st_mtime_ns for path in out.iterdir()} if out.is_dir() else {}

    try:
        wait_for(lambda: "a.star" in tables(), "a is not picked")
        before = tables()["a.star"]
        with (folder / "b.mrc").open("wb") as growing:
            for part in range(0, len(whole), len(whole) // 8):
                growing.write(whole[part:part + len(whole) // 8])
                growing.flush()
                time.sleep(0.2)
                assert "b.star" not in tables()
        (folder / "c.mrc").write_bytes(whole[:5000])
        (folder / ".hidden.mrc").write_bytes(whole)
        wait_for(lambda: "b.star" in tables(), "b is not picked")
        wait_for(lambda: re.search(r"pupicker_quarantined_total [1-9]", metrics.read_text()), "c is not set aside")
        (folder / "c.mrc").write_bytes(whole)
        wait_for(lambda: "c.star" in tables(), "c is not picked")
    finally:
        process.send_signal(signal.SIGTERM)
        out_text, error_text = process.communicate(timeout=SOON_S)
    assert process.returncode == 0, error_text
    answers = [json.loads(line) for line in out_text.splitlines()]
    assert [Path(a["micrograph"]).name for a in answers if a["event"] == "micrograph"] == ["a.mrc", "b.mrc", "c.mrc"]
    assert sum(answer["event"] == "error" for answer in answers) == 0
    assert tables()["a.star"] == before and set(tables()) == {"a.star", "b.star", "c.star"}


@pytest.mark.parametrize(("options", "words"), [
    (("--output", "out"), "--output: only for --watch"), (("--threshold", 3), "--threshold: only for --watch"),
    (("--socket", "a", "--masks", "m"), "--masks: only for --watch"),
    (("--watch", ".", "--model", "m.pupicker"), "a folder for the tables: give --output"),
    (("--watch", ".", "--output", "out"), "either a model, or a diameter"),
    (("--watch", ".", "--output", "out", "--model", "m.pupicker", "--diameter", 100), "either a model, or a diameter"),
    (("--socket", "a", "--watch", "b"), "--watch: not allowed with argument --socket"),
    (("--metrics", "counters.star"), "end it with .prom"),
])
def test_options_that_do_not_go_together(capsys, options, words):
    assert words in run(capsys, "serve", *options).error(2)


def test_a_folder_to_watch_that_is_not_there(capsys, tmp_path):
    assert "nowhere: no such folder to watch" in run(
        capsys, "serve", "--watch", tmp_path / "nowhere", "--output", tmp_path / "o", "--diameter", 100).error(1)
