"""Two runs into one output, and what a killed one leaves."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pupicker.engine.runtime import sole_writer as module
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.sole_writer import sole_writer, sole_writer_of_tables
from pupicker.shared.atomic import atomic_path

HOLD = """
import sys
from pathlib import Path
from pupicker.engine.runtime.sole_writer import sole_writer, sole_writer_of_tables
output = Path(sys.argv[1])
with sole_writer_of_tables(output, [output / "a.star"]) if output.is_dir() else sole_writer(output):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holding():
    """Start a process that holds an output until it is closed."""
    processes = []

    def start(output: Path):
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(output)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.communicate()


def test_the_second_run_into_a_file_is_told(tmp_path, holding):
    first = holding(tmp_path / "m.pupicker")
    with pytest.raises(InputError, match=rf"another run is writing it \(process {first.pid} on") as caught, \
            sole_writer(tmp_path / "m.pupicker"):
        pass
    assert caught.value.parameters == ("output",)
    with sole_writer(tmp_path / "other.pupicker"):
        pass
    first.communicate()
    with sole_writer(tmp_path / "m.pupicker"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_goes_on_waits_for_the_one_before_it(tmp_path, holding):
    first = holding(tmp_path / "m.pupicker")
    ending, begin = threading.Timer(1.0, first.communicate), time.monotonic()
    ending.start()
    with sole_writer(tmp_path / "m.pupicker", patience_s=30.0):
        assert time.monotonic() - begin >= 1.0
    ending.join()
    assert list(tmp_path.iterdir()) == []


def test_in_a_folder_only_the_same_tables_are_held(tmp_path, holding):
    first = holding(tmp_path)
    with pytest.raises(InputError, match=r"a\.star: another run is writing it"), \
            sole_writer_of_tables(tmp_path, [tmp_path / "b.star", tmp_path / "a.star"]):
        pass
    with sole_writer_of_tables(tmp_path, [tmp_path / "b.star"]):
        pass
    first.kill()
    first.wait()
    with sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_half_written_goes(tmp_path):
    for name in (".a.0123abcd.star", ".b.0123abcd.star", ".m.pupicker.0123abcd.checkpoint", ".m.0123abcd.pupicker",
                 ".noend.0123abcd", ".bashrc", "a.star"):
        (tmp_path / name).touch()
    with sole_writer_of_tables(tmp_path, [tmp_path / "a.star", tmp_path / "noend"]):
        assert not (tmp_path / ".a.0123abcd.star").exists()
    with sole_writer(tmp_path / "m.pupicker", beside=[tmp_path / "m.pupicker.checkpoint"]):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.0123abcd.star", ".bashrc", "a.star"]


def test_what_another_run_is_writing_stays(tmp_path):
    """Files of one name but for the extension are of different runs."""
    with atomic_path(tmp_path / "apo.star") as temporary:
        temporary.touch()
        with sole_writer(tmp_path / "apo.pupicker"), sole_writer_of_tables(tmp_path, [tmp_path / "apo.tsv"]):
            pass
    assert (tmp_path / "apo.star").is_file()


def test_a_lock_that_is_removed_between_opening_and_locking_is_no_lock(tmp_path, monkeypatch):
    """The run before ends just then; a third one is told none the less, and the lock is there for it to see."""
    output = tmp_path / "m.pupicker"
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(sole_writer(output))
        with monkeypatch.context() as patch:
            patch.setattr(module.fcntl, "flock", before_locking(first.close))
            second.enter_context(sole_writer(output))
        with pytest.raises(InputError, match="another run is writing it"), sole_writer(output):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_another_run_takes_for_a_dead_one_is_made_anew(tmp_path, monkeypatch):
    """It looks at it before it is locked, and removes it."""
    def looks() -> None:
        with sole_writer_of_tables(tmp_path, [tmp_path / "b.star"]):
            pass

    monkeypatch.setattr(module.fcntl, "flock", before_locking(looks))
    with sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]), \
            pytest.raises(InputError, match="another run is writing it"), \
            sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_at_which_another_run_looks_is_waited_for(tmp_path, monkeypatch):
    with ExitStack() as other:
        def looks() -> None:
            lock = module._Lock(next(tmp_path.glob(".run-*.lock")))
            assert lock.take()
            other.callback(lock.release)

        monkeypatch.setattr(module.fcntl, "flock", before_locking(looks))
        monkeypatch.setattr(module.time, "sleep", lambda _: other.close())
        with sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]), \
                pytest.raises(InputError, match="another run is writing it"), \
                sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]):
            pass


def before_locking(happens):
    """For ``flock``: something happens before the first lock, which comes between opening and locking."""
    left = [happens]

    def flock(descriptor, how, real=fcntl.flock):
        if left:
            left.pop()()
        real(descriptor, how)

    return flock


def test_where_files_cannot_be_locked_a_run_goes_on(tmp_path, monkeypatch):
    def knows_none(descriptor, how):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(module.fcntl, "flock", knows_none)
    runs = []
    with sole_writer(tmp_path / "m.pupicker"), sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]):
        runs.append(sorted(path.suffix for path in tmp_path.iterdir()))
    assert runs == [[".lock", ".lock"]] and not list(tmp_path.iterdir())
    monkeypatch.setattr(module.os.path, "samestat", lambda one, other: False)
    with sole_writer(tmp_path / "m.pupicker"):
        runs.append([])
    assert len(runs) == 2, "a file that is never the same twice keeps no run waiting"
