"""One table, and the unfinished one beside it."""

from __future__ import annotations

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.picking import one_table as module
from pupicker.engine.picking.one_table import OneTable
from pupicker.tests.engine.picking.found import PATHS, found


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
