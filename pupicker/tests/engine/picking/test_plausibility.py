from __future__ import annotations

from pupicker.engine.picking.plausibility import expected_picks


def test_numbers_of_picks_far_from_those_of_training_are_said():
    assert "not a single pick on 2" in expected_picks({"a": 0, "b": 0}, None, 0)
    assert expected_picks({"a": 50}, 0.01, 5000) == "" and expected_picks({"a": 1}, None, 5000) == ""
    assert "50 times fewer than training says" in expected_picks({"a": 1}, 0.01, 5000)
    assert "10.0 times as many as training says" in expected_picks({"a": 500}, 0.01, 5000)
    assert expected_picks({}, 0.01, 0) == "" and expected_picks({"a": 1}, 0.01, 900) == ""
