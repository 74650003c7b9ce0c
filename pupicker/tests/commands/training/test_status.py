"""``train --status``: how far a training is, for whoever reads it from outside."""

from __future__ import annotations

import json

import pytest

from pupicker.engine.training.status import TrainingStatus


def test_status_at_the_end(train, tmp_path):
    result = train("--status", tmp_path / "s.json", "--json")
    status = json.loads((tmp_path / "s.json").read_text())
    assert (status["stage"], status["eta_s"]) == ("done", 0)
    assert status["updates"] == status["updates_total"] == 4
    assert status["best_validation_average_precision"] == result.json["validation"]["average_precision"]
    assert status["particles_per_micrograph"] == result.json["particles_per_micrograph"]


def epoch(stage, updates, validation=None):
    return {"stage": stage, "updates": updates, "loss": 1.0, "validation": validation, "particles_per_micrograph": 20.0}


def test_time_left_of_both_stages(tmp_path):
    """Ten seconds for 100 updates; the best length is not known to be better than what was seen."""
    now = [0.0]
    path = tmp_path / "s.json"
    status = TrainingStatus(path, lambda: now[0])
    status.reading()
    assert json.loads(path.read_text()) == {"stage": "reading"}
    now[0] = 5.0
    status.begin(500, refit=True)
    curve, written = [], []
    for stage, updates, best, seconds in (("selection", 100, 100, 15), ("selection", 200, 200, 25),
                                          ("refit", 100, 200, 35), ("refit", 200, 200, 45)):
        now[0] = float(seconds)
        curve.append(epoch(stage, updates, 0.9 if stage == "selection" else None))
        status.epoch({"curve": curve, "best_updates": best, "best_validation": 0.9})
        written.append(json.loads(path.read_text()))
    assert [entry["eta_s"] for entry in written] == pytest.approx([50, 50, 10, 0])
    assert [entry["updates_total"] for entry in written] == [500, 500, 200, 200]
    assert written[-1]["validation_average_precision"] == 0.9  # of the selection: the refit has none


def test_resumed_training_counts_its_own_seconds(tmp_path):
    now = [100.0]
    status = TrainingStatus(tmp_path / "s.json", lambda: now[0])
    status.begin(600, refit=False)
    now[0] = 107.0
    curve = [epoch("selection", n) for n in (100, 200, 300)]
    status.epoch({"curve": curve, "best_updates": 300, "best_validation": None})
    assert json.loads((tmp_path / "s.json").read_text())["eta_s"] == pytest.approx(21)
