"""The one loop over micrographs: the next ones are read meanwhile, and one that cannot be used stops no run."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.interruption import Stopped, stop_asked
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.run_report import Report
from pupicker.shared.options import THREADS

MAX_READERS = 4

READ_LIMIT_S = 600.0
"""A micrograph that is not read and resampled by then never will be."""

POLL_S, STOP_GRACE_S = 0.2, 2.0

T = TypeVar("T")
U = TypeVar("U")


def usable(
    paths: Sequence[Path], read: Callable[[Path], T], report: Report, progress: Progress, threads: int,
) -> Iterator[tuple[Path, T]]:
    """Yield each micrograph that can be read, with what `read` makes of it, in the order of `paths`.

    Parameters
    ----------
    paths
        Micrographs.
    read
        Runs in other threads, a few micrographs ahead.
    report
        Those that cannot be used are quarantined in it (:class:`InputError`).  Any other error ends the loop.
    progress
        Counts each micrograph when the consumer is done with it, or when it is quarantined.
    threads
        See :func:`in_background`.
    """
    for path, future in in_background(read, paths, threads):
        try:
            result = future.result()
        except InputError as error:
            report.quarantine(path, error)
        else:
            yield path, result
        progress.advance(1, path.name)


def usable_with(
    paths: Sequence[Path], read: Callable[[Path], T], use: Callable[[T], U], report: Report, progress: Progress,
    threads: int,
) -> Iterator[tuple[Path, U]]:
    """As :func:`usable`, with a second step `use`, in the thread of the consumer: what needs the network, the GPU.

    Nothing of a micrograph stays here, so an error of torch (too little memory: the next may be smaller) costs that
    micrograph only.
    """
    for path, future in in_background(read, paths, threads):
        problem: Exception | None = None
        try:
            result = use(future.result())
        except (InputError, MemoryError, RuntimeError) as error:
            problem = error
        if problem is None:
            yield path, result
        else:
            report.quarantine(path, problem if isinstance(problem, InputError) else _reason(path, problem))
        progress.advance(1, path.name)


def in_background(work: Callable[[Path], T], paths: Sequence[Path], threads: int) -> Iterator[tuple[Path, Future[T]]]:
    """Run `work` for each path in `threads` threads, a few ahead of the consumer; yields in the order of `paths`.

    At most :data:`MAX_READERS` threads: each holds a micrograph, and disks are no faster with more.  What takes longer
    than :data:`READ_LIMIT_S` is given up: a disk that is gone keeps a read waiting for ever.

    Raises
    ------
    UsageError
        There is no such number of threads.
    PuPickerError
        A signal asked to stop while the next one was being read.
    """
    check_options({"threads": threads}, [THREADS])
    readers = min(max(1, threads), MAX_READERS)
    pool = _Readers(work, readers)
    try:
        pending: list[_Job[T]] = []
        for path in paths:
            pending.append(pool.submit(path))
            if len(pending) > 2 * readers:
                yield pool.finished(pending.pop(0))
        while pending:
            yield pool.finished(pending.pop(0))
    finally:
        pool.close(pending)


@dataclass(eq=False)
class _Job(Generic[T]):
    path: Path
    future: Future[T]
    started: float | None = None


class _Readers(Generic[T]):
    """Threads that nobody has to wait for: one may hang in the read of a disk that is gone."""

    def __init__(self, work: Callable[[Path], T], count: int) -> None:
        self._work = work
        self._jobs: queue.SimpleQueue[_Job[T] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name="reader", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.future.set_running_or_notify_cancel():
                continue
            job.started = time.monotonic()
            try:
                result = self._work(job.path)
            except BaseException as error:
                job.future.set_exception(error)
            else:
                job.future.set_result(result)
                del result
            del job

    def submit(self, path: Path) -> _Job[T]:
        job: _Job[T] = _Job(path, Future())
        self._jobs.put(job)
        return job

    def finished(self, job: _Job[T]) -> tuple[Path, Future[T]]:
        """The job's path and its future, which is done."""
        asked: float | None = None
        while not wait([job.future], timeout=POLL_S).done:
            now = time.monotonic()
            asked = now if asked is None and stop_asked() else asked
            if asked is not None and now - asked > STOP_GRACE_S:
                raise Stopped(f"stopped while {job.path} was being read")
            if job.started is not None and now - job.started > READ_LIMIT_S:
                self._start()  # for the one that hangs
                given_up: Future[T] = Future()
                given_up.set_exception(InputError(f"{job.path}: not read within {READ_LIMIT_S:.0f} s: is its disk still"
                                                  " there?"))
                return job.path, given_up
        return job.path, job.future

    def close(self, pending: Sequence[_Job[T]]) -> None:
        for job in pending:
            job.future.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + STOP_GRACE_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))


def _reason(path: Path, problem: Exception) -> str:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return f"{path}: {type(problem).__name__}: {problem}"
