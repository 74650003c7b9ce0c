"""``train --status``: how far a training is, for whoever reads it from outside."""

from __future__ import annotations

import json


def test_status_at_the_end(train, tmp_path):
    result = train("--status", tmp_path / "s.json", "--json")
    status = json.loads((tmp_path / "s.json").read_text())
    assert (status["stage"], status["eta_s"]) == ("done", 0)
    assert status["updates"] == status["updates_total"] == 4
    assert status["best_validation_average_precision"] == result.json["validation"]["average_precision"]
    assert status["particles_per_micrograph"] == result.json["particles_per_micrograph"]
