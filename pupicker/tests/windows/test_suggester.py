"""Suggestions of a model that was chosen, and the training that goes on from it: a real process, and no window."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.models.model_file import load_model
from pupicker.shared.model_header import facts, read_header
from pupicker.shared.worker import Worker
from pupicker.tests.full_disk import FULL, room_for
from pupicker.tests.simulated import DIAMETER_ANG, PIXEL_SIZE_ANG, model_path, simulated
from pupicker.window import suggester as module
from pupicker.window.label_record import LabelRecord
from pupicker.window.suggester import LabelMicrograph, Suggester

__all__ = ["model_path", "simulated"]
SERVE = [sys.executable, "-m", "pupicker", "serve", "--device", "cpu", "--threads", "1"]
PATIENCE_S = 120


def wait(suggester, key, ready):
    limit = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < limit and not suggester.error, suggester.error or "nothing came"
        suggester.poll(key)
        time.sleep(0.02)


def test_a_chosen_model_suggests_and_is_learnt_from(simulated, model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "UPDATES", 2)
    path = simulated.labelled[0]
    key, first = path.stem, {**facts(read_header(model_path)), "path": str(model_path)}
    own = read_coordinates(simulated.labels, simulated.labelled).of(str(path))
    record = LabelRecord(str(tmp_path / "labels.json"))
    record.setDiameter(DIAMETER_ANG)
    entries = [LabelMicrograph(key, path.name, str(path), PIXEL_SIZE_ANG)]
    with Worker(SERVE) as worker:
        suggester = Suggester(worker, record, entries, str(tmp_path), first)
        assert suggester.threshold == pytest.approx(load_model(model_path).suggested_threshold)
        wait(suggester, key, lambda: key in suggester.known)
        assert suggester.known[key].model == str(model_path) and len(suggester.known[key].x) > 5
        record.add(key, list(zip(own.x.tolist(), own.y.tolist(), strict=True)))
        suggester.train(now=True)
        wait(suggester, key, lambda: suggester.trained == 1)
        again = Suggester(worker, record, entries, str(tmp_path), first)
        assert again.trained == 1 and again.model == str(tmp_path / "model_001.pupicker")
        monkeypatch.setattr(module, "IDLE_S", 0.0)
        wait(again, key, lambda: key in again.known)  # the window is opened again: nothing is trained
        assert not again.isTraining()
        record.add(key, [(5.0 * n, 5.0) for n in range(module.NEW_LABELS)])
        wait(again, key, again.isTraining)
    learnt = load_model(tmp_path / "model_001.pupicker")
    assert (learnt.network_name, learnt.record.start) == ("conv31", str(model_path))


def test_a_full_disk_and_a_python_that_is_gone_are_said(tmp_path):
    """And the window goes on: it takes the model up that could not be noted, and asks again."""
    record = LabelRecord(str(tmp_path / "labels.json"))
    record.setDiameter(DIAMETER_ANG)
    asked = []
    worker = SimpleNamespace(start=lambda: None, is_running=lambda: True, cancel=lambda ticket: None,
                             send=lambda *words, **fields: asked.append(words))
    suggester = Suggester(worker, record, [LabelMicrograph("a", "a", "a.mrc", 1.0)], str(tmp_path))
    suggester._starting.join()
    (tmp_path / "model_001.pupicker").touch()
    answer = {"event": "result", "card": {}, "model": str(tmp_path / "model_001.pupicker")}
    suggester._training = SimpleNamespace(poll=lambda: [answer], last=answer)
    suggester.known["a"] = module.Suggestions([1.0], [1.0], [1.0], None, "")
    with room_for(10):
        assert suggester.poll("a")
    assert f"{FULL}: '{tmp_path / 'model.json'}'" in suggester.error
    assert (suggester.trained, suggester.known, suggester.isTraining()) == (1, {}, False)
    suggester.poll("a")
    assert asked == [("pick",)]
    suggester._asked, worker.send = None, lambda *words, **fields: Worker([str(tmp_path / "gone")]).start()
    suggester.poll("a")
    assert "gone" in suggester.error
