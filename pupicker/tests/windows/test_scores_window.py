"""The window of the scores, used by the mouse and by keys on made-up picks."""

from __future__ import annotations

import json
import os
import tempfile

import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)
from pupicker.tests.scipion.screen import assert_shows_something, need_screen, run_on_screen

pytestmark = pytest.mark.gui
ROOM = 40
"""Pictures on a page of the gallery."""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    need_screen()
    folder = tempfile.mkdtemp(dir=os.environ.get("PUPICKER_PICTURES") or tmp_path_factory.mktemp("scores"))
    run_on_screen("pupicker.tests.windows.scores_driver", folder)
    assert_shows_something(folder, ["opened", "hidden", "left_out", "gallery"])
    with open(os.path.join(folder, "result.json"), encoding="utf-8") as stream:
        return json.load(stream)


def test_it_opens_at_the_threshold_of_the_model(told):
    assert told["opened"] == 2.0 and told["suggestion"] == "Suggested (2.00)"


def test_one_number_of_kept_picks_everywhere(told):
    for name in ("kept at first", "kept then"):
        said, listed = told[name]
        assert said == listed > 10
    assert told["kept then"][0] == told["kept at first"][0] + 1


def test_what_was_moved_or_added_is_moved_again(told):
    assert told["changes"] == "1 added, 1 moved"


def test_a_double_click_and_a_drag_beside_the_image_change_nothing(told):
    assert told["double"]


def test_what_is_not_shown_is_not_changed(told):
    assert told["hidden"] and told["locked"]


def test_a_micrograph_that_is_left_out_is_marked(told):
    number, button, reason, tags = told["left out"]
    assert (number, button, tags) == ("left out", "Take back (e)", ["left out"]) and reason.startswith("Left out")
    assert told["kept of the other"][0] == told["kept of the other"][1] == told["kept at first"][0] / 2
    assert told["recall stays"]
    assert told["taken back"] == [True, "Leave out (e)"]


def test_the_field_of_the_threshold_takes_a_comma_and_no_more_than_there_is(told):
    assert told["written"] == [3.5, 8.0, -6.0, -6.0]
    assert not told["writes still"]


def test_undo_is_offered_where_there_is_something_to_undo(told):
    assert told["undo"] == [False, True]


def test_weaker_picks_come_without_loss_or_are_said_to_be_missing(told):
    assert told["weaker is offered"]
    assert told["weaker"] == [181, "1 weaker pick is there now: lower the threshold."]
    assert told["undone then"] and "no weaker picks" in told["no weaker"]


def test_the_histogram_has_room_for_many_picks(told):
    assert told["label"]


def test_a_suggestion_that_comes_into_reach_is_offered(told):
    assert told["suggestion then"] == "Suggested (-6.50)"


def test_the_gallery_follows(told):
    kept, below, rejected = "#35d07f", "#505050", "#ff3b3b"
    assert told["frames"] == {kept: ROOM // 2, below: ROOM // 2}
    assert told["frames above"][kept] < ROOM // 2
    assert told["rejected"][rejected] == 1 and rejected not in told["undone"]
    assert told["undone"] == told["clicked twice"] == told["undone in the gallery"] == told["frames above"]
    assert told["next page"] == [ROOM, 0, True]
    assert told["galleries"] == 1 and told["same gallery"]


def test_a_message_goes_when_it_is_no_longer_true(told):
    assert "No pick is kept" in told["nothing"] and "No pick is kept" not in told["something"]
