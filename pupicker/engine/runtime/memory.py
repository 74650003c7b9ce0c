"""Memory that several readers share: as many read at the same time as fit into it together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SharedMemory:
    """A number of bytes; whoever needs some waits until they are free.

    Parameters
    ----------
    size_bytes
        Of all together.  Who needs more than that waits for all of it, and has it alone.
    """

    def __init__(self, size_bytes: int) -> None:
        self._size = self._free = size_bytes
        self._changed = threading.Condition()

    @contextmanager
    def room_for(self, needed_bytes: int) -> Iterator[None]:
        """Hold so many bytes while the block runs."""
        needed = min(needed_bytes, self._size)
        with self._changed:
            self._changed.wait_for(lambda: needed <= self._free)
            self._free -= needed
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()
