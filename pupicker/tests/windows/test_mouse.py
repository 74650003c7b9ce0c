"""What clicks and drags on a micrograph do, and where they do nothing."""

from __future__ import annotations

import json

import pytest

from pupicker.tests.scipion.screen import need_screen, run_on_screen


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    need_screen()
    path = tmp_path_factory.mktemp("mouse") / "result.json"
    run_on_screen("pupicker.tests.windows.mouse_driver", path)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.gui
def test_a_click_tells_its_place(told):
    assert told["click"] == ["grab", "click"]
    assert told["place"] == pytest.approx([99.5, 199.5])


@pytest.mark.gui
def test_beside_the_micrograph_nothing_happens(told):
    assert told["click beside"] == told["right click beside"] == []
    assert set(told["drag beside"]) == {"grab", "move"}


@pytest.mark.gui
def test_a_slip_of_the_hand_is_no_drag(told):
    assert told["drag"] == ["grab", "move", "drop"]
    assert told["slip"] == ["grab"]
    assert told["there and back"][-1] == "drop" and "click" not in told["there and back"]


@pytest.mark.gui
def test_what_is_hidden_is_not_changed(told):
    assert told["hidden"] == told["hidden right"] == told["hidden drag"] == []
    assert told["reason"] == ["The circles are hidden. h: show them."] and told["no reason"] == 0


@pytest.mark.gui
@pytest.mark.parametrize("way", ["middle", "control"])
def test_there_is_a_drag_that_always_moves_the_view(told, way):
    assert told[way] == [] and told[way + " moved"] == pytest.approx(25)


@pytest.mark.gui
def test_a_double_click_takes_its_first_click_back(told):
    assert told["double"] == ["click", "takeBack"] and told["fits"] == 1.0
