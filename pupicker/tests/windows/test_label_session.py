"""What was labelled: on disk at every click, undone, gone on with."""

from __future__ import annotations

import json

import pytest

from pupicker.window.label_session import NOT_PARTICLES, PARTICLES, LabelSession, SessionError


def test_every_change_is_on_disk_and_can_be_undone(tmp_path):
    path = str(tmp_path / "labels.json")
    session = LabelSession(path)
    session.setDiameter(180.0)
    session.add("a", [(10, 20), (30.126, 40)])
    session.add("b", [(5, 5)], NOT_PARTICLES)
    session.move("a", PARTICLES, 0, (11, 21))
    session.remove("a", PARTICLES, 1)
    again = LabelSession(path)
    assert again.places("a") == [(11, 21)] and again.places("b", NOT_PARTICLES) == [(5, 5)]
    assert again.diameterAng == 180.0 and again.number() == 1
    assert [session.undo() for _ in range(3)] == ["a", "a", "b"]
    assert session.places("a") == [(10, 20), (30.13, 40)] and LabelSession(path).number(NOT_PARTICLES) == 0
    assert [session.redo() for _ in range(3)] == ["b", "a", "a"] and session.redo() == ""
    assert LabelSession(path).places("a") == [(11, 21)]


def test_the_nearest_place_is_found_and_an_area_is_emptied(tmp_path):
    session = LabelSession()
    session.addSeveral("a", {PARTICLES: [(0, 0), (10, 0)], NOT_PARTICLES: [(20, 0)]})
    assert session.nearest("a", 8, 1, 5) == (PARTICLES, 1) and session.nearest("a", 19, 0, 5) == (NOT_PARTICLES, 0)
    assert session.nearest("a", 5, 40, 5) is None and session.nearest("b", 0, 0, 5) is None
    assert session.removeAll("a", lambda point: point[0] > 5) == 2
    session.undo()
    assert session.number() == 2 and session.number(NOT_PARTICLES) == 1


def test_a_table_for_training(tmp_path):
    session = LabelSession()
    session.add("mic1", [(1.5, 2)])
    session.writeTable(str(tmp_path / "labels.tsv"))
    assert (tmp_path / "labels.tsv").read_text() == "micrograph\tx\ty\nmic1\t1.50\t2.00\n"


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"curve": []}))
    with pytest.raises(SessionError, match=r"labels\.json: holds no labels"):
        LabelSession(str(path))
