"""Commands as processes of their own, forked from one in which torch is loaded, so that each costs no start.

That one computes nothing: threads that torch has used do not live on in a fork, which would wait for them for ever.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from pupicker.commands.main import main

LONGEST_S = 600
NOTHING = Path(os.devnull)
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pupicker.engine.training.train", "pupicker.engine.picking.picker",
                                "pupicker.commands.simulate", "pupicker.engine.serving"])


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal; what it wrote; how long it took."""

    code: int
    text: str
    seconds: float

    @property
    def error(self) -> str:
        """The last line."""
        lines = self.text.strip().splitlines()
        return lines[-1] if lines else ""

    @property
    def told(self) -> bool:
        """Whether it failed as it should: one line that says what, with an exit code for it."""
        errors = [line for line in self.text.splitlines() if ": error: " in line]
        return self.code in (1, 2) and len(errors) == 1 and self.plain

    @property
    def plain(self) -> bool:
        """Whether it ended by itself, without a traceback."""
        return self.code >= 0 and "Traceback" not in self.text


def started(
    work: Callable[..., int], arguments: tuple[object, ...], log: Path, stdin: Path = NOTHING
) -> BaseProcess:
    """Start ``work(*arguments)``, both importable, in a process of its own, with both outputs in a file."""
    process = CONTEXT.Process(target=_worked, args=(work, arguments, log, stdin))
    process.start()
    return process


def ended(process: BaseProcess) -> int:
    """Its exit code, negative for a signal, once it has ended."""
    process.join()
    code = process.exitcode
    process.close()
    assert code is not None
    return code


def _worked(work: Callable[..., int], arguments: tuple[object, ...], log: Path, stdin: Path) -> None:
    """In the process: work, and end with the code."""
    code = 1
    try:
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        sys.stdin = os.fdopen(0, closefd=False)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(target, 1)
        os.dup2(target, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        signal.alarm(LONGEST_S)
        code = work(*arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(
    words: Sequence[object], log: Path, end_after_s: float | None = None, number: int = signal.SIGKILL,
    stdin: Path = NOTHING,
) -> Ended:
    """Run ``pupicker WORDS``; a signal after so many seconds if it still runs then."""
    begin = time.monotonic()
    process = started(main, ([str(word) for word in words],), log, stdin)
    process.join(None if end_after_s is None else max(0.0, begin + end_after_s - time.monotonic()))
    if process.exitcode is None and process.pid:
        os.kill(process.pid, number)
    return Ended(ended(process), log.read_text(errors="replace"), time.monotonic() - begin)
