"""SIGTERM and Ctrl-C: what is being done is finished where that is soon, and what is done is kept; then one line.

However a command ends by a signal, its exit code is that of the signal, as a shell says it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pupicker.engine.runtime.errors import PuPickerError
from pupicker.shared.choices import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_TERMINATED

_EXIT_CODES = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}

_asked: threading.Event | None = None
_last: int | None = None
"""The last signal that was noted."""


class Stopped(PuPickerError):
    """A signal asked to stop, and what could not wait was brought to an end; or whoever asks from a program did."""

    def __init__(self, message: str, *parameters: str) -> None:
        super().__init__(message, *parameters)
        self.exit_code = EXIT_FAILED if _last is None else _EXIT_CODES[signal.Signals(_last)]


class Terminated(BaseException):
    """SIGTERM came where nothing has to be brought to an end first."""


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM or SIGINT came; a second signal acts as usual, at once."""
    global _asked, _last
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked, _last = threading.Event(), None

    def remember(number: int, frame: FrameType | None) -> None:
        global _last
        _last = number
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
    outer, _asked = _asked, asked
    try:
        yield asked.is_set
    finally:
        _asked = outer
        for number, handler in before.items():
            _restore(number, handler)


def stop_asked() -> bool:
    """Whether a signal came that a block of :func:`stop_on_signals` has noted: for loops that wait."""
    return _asked is not None and _asked.is_set()


@contextmanager
def terminated_by_signal() -> Iterator[None]:
    """Within the block SIGTERM raises :class:`Terminated`, so that the command line can say its line."""
    usual = (signal.SIG_DFL, None)
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) not in usual:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        _restore(signal.SIGTERM, signal.SIG_DFL)


def ends_anyway() -> None:
    """From now on SIGTERM is left alone: the program is about to say why it ends, which a signal must not cut short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _restore(number: signal.Signals, handler: Any) -> None:
    """What was there before, unless :func:`ends_anyway` came."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)
