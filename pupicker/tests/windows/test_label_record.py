"""What was labelled: on disk at every click, undone, gone on with."""

from __future__ import annotations

import argparse
import json
import logging

import pytest

from pupicker.commands.label import _note_micrographs, _record, _write_tables
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.runtime.errors import InputError
from pupicker.window.label_record import NOT_PARTICLES, PARTICLES, LabelRecord, LabelRecordError
from pupicker.window.suggester import LabelMicrograph


def test_every_change_is_on_disk_and_can_be_undone(tmp_path):
    path = str(tmp_path / "labels.json")
    record = LabelRecord(path)
    record.setDiameter(180.0)
    record.add("a", [(10, 20), (30.126, 40)])
    record.add("b", [(5, 5)], NOT_PARTICLES)
    record.move("a", PARTICLES, 0, (11, 21))
    record.remove("a", PARTICLES, 1)
    again = LabelRecord(path)
    assert again.places("a") == [(11, 21)] and again.places("b", NOT_PARTICLES) == [(5, 5)]
    assert again.diameterAng == 180.0 and again.number() == 1
    assert [record.undo() for _ in range(3)] == ["a", "a", "b"]
    assert record.places("a") == [(10, 20), (30.13, 40)] and LabelRecord(path).number(NOT_PARTICLES) == 0
    assert [record.redo() for _ in range(3)] == ["b", "a", "a"] and record.redo() == ""
    assert LabelRecord(path).places("a") == [(11, 21)]


def test_the_nearest_place_is_found_and_an_area_is_emptied():
    record = LabelRecord()
    record.exchange("a", (), {PARTICLES: [(0, 0), (10, 0)], NOT_PARTICLES: [(20, 0)]})
    assert record.nearest("a", 8, 1, 5) == (PARTICLES, 1) and record.nearest("a", 19, 0, 5) == (NOT_PARTICLES, 0)
    assert record.nearest("a", 5, 40, 5) is None and record.nearest("b", 0, 0, 5) is None
    assert record.removeAll("a", lambda point: point[0] > 5) == 2
    record.undo()
    assert record.number() == 2 and record.number(NOT_PARTICLES) == 1


def test_a_table_for_training(tmp_path):
    record = LabelRecord()
    record.add("mic1", [(1.5, 2)])
    record.writeTable(str(tmp_path / "labels.tsv"))
    assert (tmp_path / "labels.tsv").read_text() == "micrograph\tx\ty\nmic1\t1.50\t2.00\n"


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"curve": []}))
    with pytest.raises(LabelRecordError, match=r"labels\.json: holds no labels"):
        LabelRecord(str(path))


def test_micrographs_of_one_name_are_told_apart_in_the_table(tmp_path):
    """What the command writes is read again for the same files."""
    paths = [tmp_path / folder / "mic.mrc" for folder in "ab"] + [tmp_path / "a" / "other.mrc"]
    keys = distinct_stems(map(str, paths))
    record = LabelRecord(str(tmp_path / "labels.json"))
    for number, path in enumerate(paths):
        record.add(keys[str(path)], [(number, 1.0)])
        record.add(keys[str(path)], [(number, 2.0)], NOT_PARTICLES)
    _write_tables(tmp_path, record, [LabelMicrograph(keys[str(path)], path.name, str(path), 1.0) for path in paths])
    for table, y in (("labels.tsv", 1.0), ("negatives.tsv", 2.0)):
        again = read_coordinates(tmp_path / table, paths)
        assert [(again.of(str(path)).x.tolist(), again.of(str(path)).y.tolist()) for path in paths] == [
            ([number], [y]) for number in range(3)]
    assert "\nother\t2.00" in (tmp_path / "labels.tsv").read_text()


def test_a_table_beside_labels_of_before_is_said_to_be_ignored(tmp_path, caplog):
    table = tmp_path / "some.tsv"
    table.write_text("micrograph\tx\ty\nmic\t5\t6\n")
    args = argparse.Namespace(output=tmp_path, picks=table, diameter=100.0)
    with caplog.at_level(logging.WARNING, "pupicker"):
        assert _record(args, None, {"mic.mrc": "mic"}).places("mic") == [(5, 6)] and not caplog.text
        assert _record(args, None, {"mic.mrc": "mic"}).places("mic") == [(5, 6)]
    assert "some.tsv: not read" in caplog.text and "1 label of an earlier start" in caplog.text


def test_labels_stay_with_their_files_when_others_are_given(tmp_path):
    paths = [str(tmp_path / folder / "mic.mrc") for folder in "ab"]
    for path in paths:
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    args = argparse.Namespace(output=tmp_path, picks=None, diameter=100.0)

    def opened(*given):
        keys = distinct_stems(given)
        record = _record(args, None, keys)
        _note_micrographs(tmp_path, record, keys)
        return record

    opened(paths[0]).add("mic", [(5, 6)])
    assert opened(*paths).places("a_mic") == LabelRecord(str(tmp_path / "labels.json")).places("a_mic") == [(5, 6)]
    both = opened(*paths)
    both.add("b_mic", [(7, 8)])
    one = opened(paths[0])
    assert (one.places("mic"), one.places("b_mic")) == ([(5, 6)], [(7, 8)])
    one.remove("b_mic", PARTICLES, 0)
    with pytest.raises(InputError, match=r"a/mic\.mrc, which are not for .*b/mic\.mrc; give another folder"):
        opened(paths[1])
    (tmp_path / paths[0]).unlink()  # it was moved
    assert opened(paths[1]).places("mic") == [(5, 6)]
