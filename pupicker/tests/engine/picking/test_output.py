"""Picks on the disk while micrographs finish."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates
from pupicker.engine.picking import output as module
from pupicker.engine.picking.output import STATE, OneTable, TablesInFolder, expected_picks, name_problem
from pupicker.engine.picking.picker import Picked

PATHS = [Path(f"{name}.mrc") for name in "abc"]


def found(path: Path, count: int = 2) -> Picked:
    places = np.arange(count, dtype=float)
    return Picked(path, 1.0, CoordinateTable(np.full(count, str(path), object), places, places, places))


def folder_of(tmp_path, identity="one", skip_done=False, paths=PATHS):
    return TablesInFolder(tmp_path, {str(path): tmp_path / f"{path.stem}.star" for path in paths}, identity, skip_done)


def test_a_killed_run_is_gone_on_with_and_a_finished_one_begun_anew(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    killed = folder_of(tmp_path)
    with pytest.raises(KeyboardInterrupt), killed.writing(), killed.kept():
        killed.add(found(PATHS[0]), 10)
        raise KeyboardInterrupt
    again = folder_of(tmp_path)
    with again.writing():
        assert again.done == {"a.mrc": 2} and "1 of 3 micrographs is picked already" in caplog.text
        again.add(found(PATHS[1], 0), 10)
    other = folder_of(tmp_path, identity="another model")
    with other.writing():
        assert other.done == {}
        other.finish([], False)
    assert not (tmp_path / STATE).exists()
    new = folder_of(tmp_path, skip_done=True)
    with new.writing():
        assert new.done == {"a.mrc": 2, "b.mrc": 0}


def test_a_folder_says_what_is_of_this_run(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for name in ("a.star", "old.star"):
        (tmp_path / name).write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n")
    (tmp_path / "report.json").write_text('{"quarantined": []}')
    run = folder_of(tmp_path)
    with run.writing():
        run.add(found(PATHS[1]), 10)
        run.finish([], False)
    assert "holds 1 table of a micrograph that is not of this run: old.star" in caplog.text
    assert not (tmp_path / "report.json").exists() and (tmp_path / "old.star").exists()
    run = folder_of(tmp_path)
    with run.writing():
        run.finish([PATHS[0]], False)
    assert not (tmp_path / "a.star").exists() and "its micrograph cannot be used now" in caplog.text


def test_one_table_is_beside_the_output_until_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHORTEST_S", -1.0)
    monkeypatch.setattr(module, "WRITING_SHARE", 1e9)
    table = OneTable(tmp_path / "p.tsv", PATHS, False)
    with table.writing(), table.kept():
        for number, path in enumerate(PATHS, 1):
            table.add(found(path), 10)
            assert len(read_coordinates(table.unfinished).names()) == number
        table.finish([], False)
    assert not table.unfinished.exists() and len(read_coordinates(tmp_path / "p.tsv")) == 6


def test_picks_that_are_there_stay_if_only_the_new_is_wanted(tmp_path):
    first = OneTable(tmp_path / "p.tsv", PATHS[:1], False)
    with first.writing(), first.kept():
        first.add(found(PATHS[0]), 10)
        first.finish([], False)
    second = OneTable(tmp_path / "p.tsv", PATHS, True)
    with second.writing(), second.kept():
        assert second.done == {"a.mrc": 2}
        second.add(found(PATHS[1], 3), 10)
        second.finish([], False)
    assert len(read_coordinates(tmp_path / "p.tsv")) == 5


@pytest.mark.parametrize(("name", "suffix", "words"), [
    (os.fsdecode(b"\xff.mrc"), ".tsv", "not UTF-8"), ("a\nb.mrc", ".star", "line break"),
    ("a\"'b.mrc", ".star", "both kinds of quotes"), ("a\"'b.mrc", ".tsv", ""), ("a b.mrc", ".star", ""),
])
def test_names_that_a_table_cannot_hold(name, suffix, words):
    assert (words in name_problem(name, suffix)) if words else name_problem(name, suffix) == ""


def test_numbers_of_picks_far_from_those_of_training_are_said():
    assert "not a single pick on 2" in expected_picks({"a": 0, "b": 0}, None, 0)
    assert expected_picks({"a": 50}, 0.01, 5000) == "" and expected_picks({"a": 1}, None, 5000) == ""
    assert "50 times fewer" in expected_picks({"a": 1}, 0.01, 5000)
    assert "10.0 times as many" in expected_picks({"a": 500}, 0.01, 5000)
    assert expected_picks({}, 0.01, 0) == "" and expected_picks({"a": 1}, 0.01, 900) == ""
