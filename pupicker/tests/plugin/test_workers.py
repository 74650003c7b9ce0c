"""The processes that pick for a run: what is tried again, what is set aside."""

from __future__ import annotations

import sys

import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

from pupicker.plugin.outcome import CoreError  # isort: skip
from pupicker.plugin.workers import MOST_KILLED_STARTS, Batch, Workers, fieldsOf  # isort: skip
from pupicker.shared.worker import Worker  # isort: skip

SERVER = """
import json, os, sys

def say(**answer):
    sys.stdout.write(json.dumps(answer) + "\\n")
    sys.stdout.flush()

log = open(os.environ["LOG"], "a")
if os.path.exists(os.environ["LOG"] + ".broken"):
    sys.exit(7)
starts = os.environ["LOG"] + ".starts"
if os.path.exists(starts):
    left = int(open(starts).read())
    open(starts, "w").write(str(left - 1))
    if left > 0:
        os.kill(os.getpid(), 9)
say(event="ready", protocol=1)
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "stop":
        break
    for name in request["micrographs"]:
        log.write(name + "\\n")
        log.flush()
        seen = open(os.environ["LOG"]).read().split().count(name)
        if name.startswith("kills") or (name.startswith("once") and seen == 1):
            os.kill(os.getpid(), 9)
        elif name.startswith("bad"):
            say(id=request["id"], event="quarantined", micrograph=name, reason=name + ": truncated")
        elif name.startswith("no_model"):
            say(id=request["id"], event="error", error="the threshold is wrong", parameters=["threshold"])
            break
        else:
            say(id=request["id"], event="micrograph", micrograph=name, picks=3)
    else:
        say(id=request["id"], event="result", threshold=request["threshold"], borders_px={name: [1, 0, 0, 0]}, picks=3)
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """One whose process ends, refuses and answers as the names of the micrographs say."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    with Worker([sys.executable, str(script)]) as one:
        yield one


def pick(worker, *names):
    told = []
    picking = Batch(worker, {"threshold": 0.5}, lambda answer: told.append(answer["micrograph"]))
    picking.run(names)
    return told, picking.report()


def test_all_is_picked_once_though_the_process_dies(worker, tmp_path):
    told, report = pick(worker, "a", "once1", "b", "once2", "c")
    assert sorted(told) == ["a", "b", "c", "once1", "once2"]
    assert report["quarantined"] == [] and report["threshold"] == 0.5
    assert (tmp_path / "log").read_text().split().count("a") == 1
    assert worker.starts == 3


def test_what_fails_twice_is_set_aside(worker, tmp_path):
    told, report = pick(worker, "kills", "a", "bad", "b")
    assert sorted(told) == ["a", "b"]
    reasons = {entry["micrograph"]: entry["reason"] for entry in report["quarantined"]}
    assert set(reasons) == {"kills", "bad"}
    assert "signal 9" in reasons["kills"] and reasons["bad"] == "bad: truncated"
    tried = (tmp_path / "log").read_text().split()
    assert (tried.count("kills"), tried.count("bad")) == (2, 2)
    assert set(report["borders_px"]) <= {"a", "b", "bad"}


def test_what_concerns_all_ends_the_run(worker, tmp_path):
    with pytest.raises(CoreError, match=r"^pupicker pick: error: the threshold is wrong \(field: Threshold\)$"):
        pick(worker, "no_model")
    worker.close()
    (tmp_path / "log.broken").touch()
    with pytest.raises(CoreError, match="does not start: exit status 7"):
        pick(worker, "a")


def test_a_start_that_is_killed_is_no_fault_of_the_program(worker, tmp_path):
    """It is made again and again, but not for ever."""
    (tmp_path / "log.starts").write_text(str(MOST_KILLED_STARTS - 1))
    told, report = pick(worker, "a")
    assert told == ["a"] and report["quarantined"] == [] and worker.starts == MOST_KILLED_STARTS
    worker.close()
    (tmp_path / "log.starts").write_text("1000")
    with pytest.raises(CoreError, match="does not start: it was ended from outside"):
        pick(worker, "b")
    assert worker.starts == 2 * MOST_KILLED_STARTS


def test_a_worker_is_kept_for_its_place():
    workers, made = Workers(), []

    def make(number):
        made.append(number)
        return Worker(["false"])

    with workers.one("0", make) as first, workers.one("0", make) as second, workers.one("1", make) as other:
        assert len({first, second, other}) == 3
    with workers.one("0", make) as again, workers.one("0", make) as both:
        assert {again, both} == {first, second}
    assert made == [1, 2, 3]
    workers.close()


def test_options_as_fields():
    words = ["--threshold=-2.5", "--score-sd", "--min-distance", "72", "--no-exclude-contamination", "--masks", "m",
             "--margin", "50.0", "--candidates", "c"]
    assert fieldsOf(words) == {"threshold": -2.5, "score_sd": True, "min_distance": 72.0,
                               "exclude_contamination": False, "masks": "m", "margin": 50.0, "candidates": "c"}
