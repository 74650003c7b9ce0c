"""SIGTERM and Ctrl-C: a training finishes the update and keeps the checkpoint, all else ends with one line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_asked: threading.Event | None = None


class Terminated(BaseException):
    """SIGTERM came where nothing has to be brought to an end first."""


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM or SIGINT came; a second signal acts as usual, at once."""
    global _asked
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = threading.Event()

    def remember(number: int, frame: FrameType | None) -> None:
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
