"""Memory that readers share."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pupicker.engine.runtime.memory import SharedMemory


@pytest.mark.parametrize(("needed", "most_at_once"), [(10, 6), (25, 4), (34, 2), (51, 1), (100, 1), (1000, 1)])
def test_as_many_as_fit_together(needed, most_at_once):
    memory, lock, now, most = SharedMemory(100), threading.Lock(), [0], [0]
    all_there = threading.Barrier(most_at_once)

    def work(_: int) -> None:
        with memory.room_for(needed):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            all_there.wait(60)
            time.sleep(0.02)  # for one more than fits
            with lock:
                now[0] -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))  # a multiple of all these numbers
    assert most[0] == most_at_once


def test_an_error_gives_its_share_back():
    memory = SharedMemory(100)
    for _ in range(3):
        with pytest.raises(KeyError), memory.room_for(100):
            raise KeyError
    with memory.room_for(60), memory.room_for(40):
        pass
