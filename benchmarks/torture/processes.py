"""Commands as processes of their own: forked from this one, in which torch is loaded, so that each costs no start."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pupicker.commands.main import main

LONGEST_S = 600


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


def forked(work: Callable[[], int], log: Path) -> int:
    """Start `work` in a process of its own, with both outputs in a file; its number."""
    sys.stdout.flush()
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(target, 1)
        os.dup2(target, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        signal.alarm(LONGEST_S)
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(
    words: Sequence[object], log: Path, end_after_s: float | None = None, number: int = signal.SIGKILL
) -> Ended:
    """Run ``pupicker WORDS``; a signal after so many seconds if it still runs then."""
    begin = time.monotonic()
    process = forked(lambda: main([str(word) for word in words]), log)
    sent = end_after_s is None
    while True:
        done, status = os.waitpid(process, os.WNOHANG if not sent else 0)
        if done:
            return Ended(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"), time.monotonic() - begin)
        if time.monotonic() - begin >= (end_after_s or 0):
            os.kill(process, number)
            sent = True
        time.sleep(0.002)
