"""What a training tells while it runs, with a clock that is set by hand."""

from __future__ import annotations

import json

import pytest

from pupicker.engine.models.training_record import TrainingRecord, Validation
from pupicker.engine.training.status import TrainingStatus


class Clock:
    """Seconds, as they are set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def state(stage, *epochs, best_updates=300, best=0.5):
    """After some epochs of (updates, validation)."""
    curve = [{"stage": stage, "updates": updates, "loss": 1 / updates, "validation": validation,
              "particles_per_micrograph": 7.0} for updates, validation in epochs]
    return {"curve": curve, "best_updates": best_updates, "best_validation": best}


@pytest.fixture
def told():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def status(told, clock, tmp_path):
    return TrainingStatus(tmp_path / "status.json", clock, told.append)


def test_what_is_told_is_what_is_written(status, told, tmp_path):
    status.reading()
    assert told == [{"stage": "reading"}] == [json.loads((tmp_path / "status.json").read_text())]
    status.begin(900, True)
    status.epoch(state("selection", (100, 0.4)))
    assert told[-1] == json.loads((tmp_path / "status.json").read_text()) and len(told) == 2


def test_without_anybody_to_tell_nothing_is_done(clock, tmp_path, monkeypatch):
    """The state of an epoch is not even looked at, and no file is written."""
    monkeypatch.chdir(tmp_path)
    assert TrainingStatus(None, clock).epoch({}) is None and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("refit", "left"), [(True, 700 + 300), (False, 700)])
def test_what_is_left_of_the_selection_and_of_the_refit(status, told, clock, refit, left):
    """Two epochs of a hundred updates took ten seconds."""
    status.reading()
    status.begin(900, refit)
    clock.now += 10
    status.epoch(state("selection", (100, 0.4)))
    status.epoch(state("selection", (100, 0.4), (200, None)))
    assert told[-1] == {
        "stage": "selection", "stages": 2 if refit else 1, "updates": 200, "updates_total": 900,
        "eta_s": left / 100 * 5, "loss": 1 / 200, "validation_average_precision": 0.4,
        "best_validation_average_precision": 0.5, "particles_per_micrograph": 7.0}


def test_a_refit_ends_at_the_best_length(status, told, clock):
    status.begin(900, True)
    clock.now += 6
    status.epoch(state("refit", (50, None), (100, None)))
    assert (told[-1]["updates_total"], told[-1]["eta_s"]) == (300, 200 / 50 * 6)
    assert told[-1]["validation_average_precision"] is None
    status.epoch(state("refit", (50, None), (350, None)))  # longer than it had to be: nothing is left
    assert told[-1]["eta_s"] == 0


def test_the_clock_starts_with_the_training(status, told, clock):
    clock.now += 500  # of reading
    status.begin(200, False)
    clock.now += 4
    status.epoch(state("selection", (100, 0.1)))
    assert told[-1]["eta_s"] == 4
    status.begin(200, False)
    clock.now += 3
    status.epoch(state("selection", (100, 0.1)))
    assert told[-1]["eta_s"] == 3


def test_a_training_that_goes_on_counts_its_own_seconds(status, told, clock):
    """The first epoch that is told is the third: two were of the run before."""
    status.begin(600, False)
    clock.now += 7
    status.epoch(state("selection", (100, 0.1), (200, 0.1), (300, 0.1)))
    assert told[-1]["eta_s"] == 21


def test_the_end_keeps_the_last_epoch_and_tells_the_final_numbers(status, told):
    status.begin(900, True)
    status.epoch(state("refit", (300, 0.4)))
    status.done(TrainingRecord(particles_per_micrograph=12.5, validation=Validation(0.75, 300)))
    assert told[-1] == {**told[-2], "stage": "done", "eta_s": 0.0, "best_validation_average_precision": 0.75,
                        "particles_per_micrograph": 12.5}
    status.done(TrainingRecord())
    assert told[-1]["best_validation_average_precision"] is None
