"""Who computes: a training goes on whenever nobody waits for an answer.

Picking changes nothing that a training uses, so that a request begins at once, beside the update that runs; the
training begins no other update before the request is answered.  Only what draws random numbers while it is loaded waits
for the training to stand still: its numbers stay those of a training that was alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Between one training and any number of requests."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests = 0
        self._training = False  # whether one computes

    @contextmanager
    def request(self) -> Iterator[None]:
        """While the block runs, the training begins no other update."""
        with self._changed:
            self._requests += 1
        try:
            yield
        finally:
            with self._changed:
                self._requests -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within a request: wait until the training stands still; it does so while the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: not self._training)
        yield

    @contextmanager
    def training(self) -> Iterator[None]:
        """The block trains; it asks :meth:`step` before every update."""
        self._begin()
        try:
            yield
        finally:
            with self._changed:
                self._training = False
                self._changed.notify_all()

    def step(self) -> None:
        """Between two updates: wait until no request is left."""
        with self._changed:
            if not self._requests:
                return
            self._training = False
            self._changed.notify_all()
        self._begin()

    def _begin(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._requests)
            self._training = True
