"""A folder of tables while micrographs finish."""

from __future__ import annotations

import logging

import pytest

from pupicker.engine.picking.tables_in_folder import STATE, TablesInFolder
from pupicker.tests.engine.picking.found import PATHS, found


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
