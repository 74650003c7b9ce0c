"""The one loop over micrographs."""

from __future__ import annotations

import io
import signal
import threading
from pathlib import Path

import pytest

from pupicker.engine.runtime import quarantine
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.runtime.interruption import Stopped, stop_on_signals
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.quarantine import usable, usable_with
from pupicker.engine.runtime.run_report import Report
from pupicker.shared.choices import EXIT_TERMINATED

PATHS = [Path(str(number)) for number in range(9)]


def read(path: Path) -> int:
    if path.name == "2":
        raise InputError("2: has no pixel size", "pixel_size")
    return int(path.name)


def read_with_little_memory(path: Path) -> int:
    if path.name == "5":
        raise MemoryError
    return read(path)


@pytest.mark.parametrize("threads", [1, 3])
def test_what_cannot_be_read_is_set_aside_and_the_rest_comes_in_order(threads):
    report = Report("pick", word=lambda error: f"{error} ({error.parameters[0]})")
    progress = Progress(len(PATHS), "reading", io.StringIO())
    assert list(usable(PATHS, read, report, progress, threads)) == [(PATHS[n], n) for n in (0, 1, 3, 4, 5, 6, 7, 8)]
    assert report.quarantined == [(PATHS[2], "2: has no pixel size (pixel_size)")]
    assert progress.done == len(PATHS) and report.done == []


def test_the_second_step_is_guarded_too():
    def use(number: int) -> int:
        if number == 7:
            raise RuntimeError("CUDA out of memory.\nTried to allocate much")
        return number * number

    report = Report("pick")
    read = read_with_little_memory
    found = dict(usable_with(PATHS, read, use, report, Progress(9, "picking", io.StringIO()), 2))
    assert list(found.values()) == [0, 1, 9, 16, 36, 64]
    assert report.quarantined[1] == (PATHS[5], "5: MemoryError:")
    assert report.quarantined[-1] == (PATHS[7], "7: RuntimeError: CUDA out of memory. Tried to allocate much")


def test_a_loop_that_keeps_what_it_reads_ends_where_memory_ends():
    """The next one will not fit either: a training on what did would pass for one on all."""
    report = Report("train")
    with pytest.raises(MemoryError):
        list(usable(PATHS, read_with_little_memory, report, Progress(9, "reading", io.StringIO()), 2))
    assert [path for path, _ in report.quarantined] == [PATHS[2]]


def test_wrong_usage_is_no_matter_of_one_micrograph():
    def wrong(path: Path) -> int:
        raise UsageError("the pixel size -1 must be above 0", "pixel_size")

    report = Report("pick")
    with pytest.raises(UsageError):
        list(usable(PATHS, wrong, report, Progress(9, "reading", io.StringIO()), 1))
    assert report.quarantined == []


def test_the_parameter_that_would_have_helped_is_named_if_all_fail():
    report = Report("pick")
    assert list(usable([PATHS[2]], read, report, Progress(1, "reading", io.StringIO()), 1)) == []
    with pytest.raises(InputError, match="the only micrograph cannot be used") as caught:
        report.require_some()
    assert caught.value.parameters == ("pixel_size",)


def test_a_read_that_hangs_is_given_up_and_named(monkeypatch):
    """A disk that is gone; the others go on, though every thread was needed."""
    monkeypatch.setattr(quarantine, "READ_LIMIT_S", 0.3)
    monkeypatch.setattr(quarantine, "STOP_GRACE_S", 0.1)
    never = threading.Event()

    def read(path: Path) -> int:
        if path.name == "1":
            never.wait(60)
        return int(path.name)

    report = Report("pick")
    done = dict(usable(PATHS[:4], read, report, Progress(4, "reading", io.StringIO()), 1))
    never.set()
    assert list(done.values()) == [0, 2, 3]
    ((path, reason),) = report.quarantined
    assert path == PATHS[1] and "not read within 0 s: is its disk still there?" in reason


def test_a_signal_ends_the_wait_for_a_read(monkeypatch):
    monkeypatch.setattr(quarantine, "STOP_GRACE_S", 0.1)
    never = threading.Event()
    with stop_on_signals(), pytest.raises(Stopped, match="stopped while 0 was being read") as caught:
        signal.raise_signal(signal.SIGTERM)
        for _ in usable(PATHS[:1], lambda path: never.wait(60), Report("pick"), Progress(1, "", io.StringIO()), 1):
            pass
    never.set()
    assert caught.value.exit_code == EXIT_TERMINATED
