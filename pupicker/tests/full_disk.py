"""A disk on which there is no room left, without one: this process may not write files beyond a number of bytes."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

FULL = os.strerror(27)
"""How the system says it, EFBIG; a disk that is full says another word in its place."""


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """While the block runs no file gets longer than `size` bytes; Python ignores the signal that comes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
