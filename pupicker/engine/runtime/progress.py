"""Progress with the remaining time: a bar on a terminal, plain lines elsewhere; nothing unless asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from pupicker.shared.durations import format_seconds

_stream: TextIO | None = None


@contextmanager
def progress_on(stream: TextIO) -> Iterator[None]:
    """Within the block the progress of all work is written to `stream`; the command line does so on stderr."""
    global _stream
    before, _stream = _stream, stream
    try:
        yield
    finally:
        _stream = before


class Progress:
    """Report how far a loop of known length is.

    Parameters
    ----------
    total
        Number of units of work.
    label
        What is being done, e.g. ``"picking"``.
    stream
        Where to write; default: what :func:`progress_on` says, else nowhere.  On a terminal one line is redrawn,
        elsewhere a line is written at most every `interval_s` seconds and at the end (logs stay short).
    """

    def __init__(self, total: int, label: str, stream: TextIO | None = None, interval_s: float = 10.0) -> None:
        self.total = max(1, total)
        self.label = label
        self.stream = _stream if stream is None else stream
        self.done = 0
        self._terminal = self.stream is not None and self.stream.isatty()
        self._interval_s = 0.2 if self._terminal else interval_s
        self._start = self._last = time.monotonic()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more units as done; `note` is shown behind the numbers (a loss, a file name)."""
        self.done += count
        now = time.monotonic()
        if self.done >= self.total or now - self._last >= self._interval_s:
            self._last = now
            self._write(now - self._start, note)

    def _write(self, elapsed_s: float, note: str) -> None:
        if self.stream is None:
            return
        fraction = min(1.0, self.done / self.total)
        left_s = elapsed_s * (1 - fraction) / max(fraction, 1e-9)
        when = f"took {format_seconds(elapsed_s)}" if fraction >= 1 else f"ETA {format_seconds(left_s)}"
        text = f"{self.label}: {self.done}/{self.total} ({fraction:.0%}), {when}" + (f", {note}" if note else "")
        if self._terminal:
            filled = round(24 * fraction)
            line = f"\r\033[K[{'#' * filled}{'.' * (24 - filled)}] {text}" + ("\n" if fraction >= 1 else "")
        else:
            line = text + "\n"
        try:
            self.stream.write(line)
            self.stream.flush()
        except OSError:  # a full disk of logs, a terminal that is gone: the work goes on without
            self.stream = None
