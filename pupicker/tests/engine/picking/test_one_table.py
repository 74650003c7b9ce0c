"""One table, and the unfinished one beside it."""

from __future__ import annotations

import pytest

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.picking import one_table as module
from pupicker.engine.picking.one_table import OneTable
from pupicker.engine.runtime.errors import InputError
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


@pytest.mark.parametrize("suffix", ["tsv", "star"])
def test_picks_are_there_once_however_often_a_run_is_interrupted(tmp_path, suffix):
    """Also those of a micrograph that this run was not given: they are in the table, and in the unfinished one."""
    first = OneTable(tmp_path / f"p.{suffix}", PATHS[:2], False)
    with first.writing(), first.kept():
        for path in PATHS[:2]:
            first.add(found(path), 10)
        first.finish([], False)
    for _ in range(2):
        killed = OneTable(tmp_path / f"p.{suffix}", PATHS[1:], True)
        with pytest.raises(KeyboardInterrupt), killed.writing(), killed.kept():
            raise KeyboardInterrupt
    last = OneTable(tmp_path / f"p.{suffix}", PATHS[1:], True)
    with last.writing(), last.kept():
        assert last.done == {"b.mrc": 2}
        last.add(found(PATHS[2], 3), 10)
        last.finish([], False)
    table = read_coordinates(tmp_path / f"p.{suffix}")
    assert {name: len(table.of(name)) for name in table.names()} == {"a.mrc": 2, "b.mrc": 2, "c.mrc": 3}


def test_what_a_killed_run_left_half_written_goes(tmp_path):
    left = [tmp_path / name for name in (".p.0123abcd.tsv", ".p.unfinished.0123abcd.tsv")]
    for path in left:
        path.touch()
    with OneTable(tmp_path / "p.tsv", PATHS, False).writing():
        assert not any(path.exists() for path in left)


@pytest.mark.parametrize("suffix", ["tsv", "star", "txt"])
def test_a_part_does_not_write_over_the_picks_of_another(tmp_path, suffix):
    file = tmp_path / f"p.{suffix}"
    for _ in range(2):  # a part that is repeated writes over its own
        first = OneTable(file, PATHS[:1], False, PATHS[1:])
        with first.writing(), first.kept():
            first.add(found(PATHS[0]), 10)
            first.finish([], False)
    text = file.read_bytes()
    second = OneTable(file, PATHS[1:], False, PATHS[:1])
    with pytest.raises(InputError, match=r"p\.\w+: holds picks of 1 micrograph of other parts \(a"), second.writing():
        raise AssertionError
    assert file.read_bytes() == text
    with OneTable(file, PATHS[1:], True, PATHS[:1]).writing():  # --skip-done: what is there stays
        pass


@pytest.mark.parametrize("text", ["", "no table"])
def test_what_no_part_has_written_is_written_over(tmp_path, text):
    (tmp_path / "p.tsv").write_text(text)
    table = OneTable(tmp_path / "p.tsv", PATHS[1:], False, PATHS[:1])
    with table.writing(), table.kept():
        table.add(found(PATHS[1]), 10)
        table.finish([], False)
    assert read_coordinates(tmp_path / "p.tsv").names() == [str(PATHS[1])]
