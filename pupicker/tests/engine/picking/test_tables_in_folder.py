"""A folder of tables while micrographs finish."""

from __future__ import annotations

import logging
import threading

import pytest

from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.picking.tables_in_folder import Share, TablesInFolder
from pupicker.engine.runtime.sole_writer import sole_writer
from pupicker.tests.engine.picking.found import PATHS, found


def folder_of(tmp_path, identity="one", skip_done=False, paths=PATHS, part=None, ending=".star"):
    return TablesInFolder(tmp_path, ending, Share(PATHS, paths, part), identity, skip_done)


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.star", "b.star"]
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


def test_parts_into_one_folder_leave_each_other_what_is_theirs(tmp_path, caplog):
    """The record, the report and the tables of a part are its own; the other one began earlier and is killed later."""
    caplog.set_level(logging.INFO)
    first, second = (folder_of(tmp_path, paths=PATHS[i::2], part=f"{i + 1}/2") for i in range(2))
    with pytest.raises(KeyboardInterrupt), second.writing():
        second.add(found(PATHS[1]), 10)
        with first.writing():
            for path in PATHS[0::2]:
                first.add(found(path), 10)
            (tmp_path / "report_2_of_2.json").write_text('{"quarantined": [1]}')
            (tmp_path / "report_1_of_2.json").write_text('{"quarantined": [1]}')
            first.finish([], False)
        raise KeyboardInterrupt
    assert (tmp_path / "report_2_of_2.json").exists() and not (tmp_path / "report_1_of_2.json").exists()
    again = folder_of(tmp_path, paths=PATHS[1::2], part="2/2")
    with again.writing():
        assert again.done == {"b.mrc": 2}
        again.finish([], False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.star", "b.star", "c.star"]
    assert "not of this run" not in caplog.text


def test_runs_on_other_micrographs_leave_each_other_what_they_need(tmp_path):
    first, second = folder_of(tmp_path, paths=PATHS[:1]), folder_of(tmp_path, paths=PATHS[1:])
    with second.writing(), first.writing():
        first.add(found(PATHS[0]), 10)
        second.add(found(PATHS[1]), 10)
        first.finish([], False)
    again = folder_of(tmp_path, paths=PATHS)
    with again.writing():
        assert again.done == {"b.mrc": 2}


def test_the_index_is_of_the_tables_that_are_there(tmp_path):
    """Of all parts, in the order in which the micrographs were given, whoever ends last; without stale tables."""
    ending, index = "_autopick.star", tmp_path / "autopick.star"
    first, second = (folder_of(tmp_path, paths=PATHS[i::2], part=f"{i + 1}/2", ending=ending) for i in range(2))
    (tmp_path / f"c{ending}").touch()
    with first.writing(), second.writing():
        first.add(found(PATHS[0]), 10)
        second.add(found(PATHS[1]), 10)
        second.finish([], False)
        first.finish([PATHS[2]], False)
    rows = [line.split() for line in index.read_text().splitlines() if ".mrc" in line]
    assert rows == [[f"{name}.mrc", str(tmp_path / f"{name}{ending}")] for name in "ab"]


def test_the_index_is_written_by_one_part_at_a_time(tmp_path):
    """One that has looked at the tables earlier does not write later."""
    run = folder_of(tmp_path, ending="_autopick.star")
    with run.writing(), sole_writer(tmp_path / "autopick.star"):
        ending = threading.Thread(target=run.finish, args=([], False))
        ending.start()
        ending.join(0.2)
        assert ending.is_alive() and not (tmp_path / "autopick.star").exists()
        run.add(found(PATHS[0]), 10)
    ending.join(60)
    assert "a_autopick.star" in (tmp_path / "autopick.star").read_text()


def test_tables_of_all_parts_have_names_of_their_own(tmp_path):
    """Micrographs of one name in two folders, each in another part."""
    given = [tmp_path / "x" / "a.mrc", tmp_path / "y" / "a.mrc"]
    for number, path in enumerate(given, 1):
        run = TablesInFolder(tmp_path / "picks", "_autopick.star", Share(given, [path], f"{number}/2"), "one", False)
        with run.writing():
            run.add(found(path, number), 10)
            run.finish([], False)
    tables = [tmp_path / "picks" / f"{name}_a_autopick.star" for name in "xy"]
    assert [len(read_coordinates(path)) for path in tables] == [1, 2]
    assert all(str(path) in (tmp_path / "picks" / "autopick.star").read_text() for path in tables)


def test_what_another_run_has_written_since_is_picked_again(tmp_path):
    killed, other = folder_of(tmp_path, part="1/1"), folder_of(tmp_path, "another model")
    with killed.writing():
        for path in PATHS[:2]:
            killed.add(found(path), 10)
    with other.writing():
        other.add(found(PATHS[0], 3), 10)
        other.finish([], False)
    again = folder_of(tmp_path, part="1/1")
    with again.writing():
        assert again.done == {"b.mrc": 2}
