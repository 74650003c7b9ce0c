"""The one loop over micrographs: the next ones are read meanwhile, and one that cannot be used stops no run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch

from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.run_report import Report
from pupicker.shared.options import THREADS

MAX_READERS = 4

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

    At most :data:`MAX_READERS` threads: each holds a micrograph, and disks are no faster with more.

    Raises
    ------
    UsageError
        There is no such number of threads.
    """
    check_options({"threads": threads}, [THREADS])
    readers = min(max(1, threads), MAX_READERS)
    with ThreadPoolExecutor(readers) as pool:
        pending: list[tuple[Path, Future[T]]] = []
        for path in paths:
            pending.append((path, pool.submit(work, path)))
            if len(pending) > 2 * readers:
                yield pending.pop(0)
        yield from pending


def _reason(path: Path, problem: Exception) -> str:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return f"{path}: {type(problem).__name__}: {problem}"
