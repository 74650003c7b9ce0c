from __future__ import annotations

import threading
import time

from pupicker.engine.serving.turns import Turns

SOON_S = 20.0


class Training(threading.Thread):
    """Steps without an end until it is told to."""

    def __init__(self, turns):
        super().__init__(daemon=True)
        self.turns, self.steps, self.over = turns, 0, False

    def run(self):
        with self.turns.training():
            while not self.over:
                self.turns.step()
                self.steps += 1
                time.sleep(0.001)

    def goes_on(self):
        before, deadline = self.steps, time.monotonic() + SOON_S
        while self.steps <= before + 2 and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.steps > before + 2


def test_a_training_stands_still_while_a_request_is_answered():
    turns = Turns()
    training = Training(turns)
    training.start()
    assert training.goes_on()
    with turns.request():
        with turns.alone():
            before = training.steps
            time.sleep(0.05)
            assert training.steps == before
        time.sleep(0.05)
        assert training.steps == before
    assert training.goes_on()
    training.over = True
    training.join(SOON_S)
    with turns.request(), turns.alone():  # nobody to wait for
        assert not training.is_alive()


def test_a_training_waits_for_the_request_that_was_there_before():
    turns, training = Turns(), None
    with turns.request():
        training = Training(turns)
        training.start()
        time.sleep(0.05)
        assert training.steps == 0
    assert training.goes_on()
    training.over = True
    training.join(SOON_S)
