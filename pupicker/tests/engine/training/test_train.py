"""The one way to train."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pupicker.engine.models.initial_weights import Start, load_start
from pupicker.engine.models.model_card import card
from pupicker.engine.models.model_file import Model
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.training.optimisation import FittingOptions
from pupicker.engine.training.options import PSEUDO_LABEL_UPDATES, Task, TrainingOptions, updates_for
from pupicker.engine.training.train import train
from pupicker.engine.training.trainer import Interrupted
from pupicker.tests.engine.blobs import GEOMETRY, training_set

FITTING = FittingOptions(network="conv31", network_settings={"width": 4}, batch_size=32, positives=4, seed=2)
OPTIONS = TrainingOptions(FITTING, particles_per_micrograph=9, updates=8, epoch_updates=4)
DATA = training_set(5, 5)
TASK = Task(GEOMETRY, OPTIONS, pixel_size_ang=0.5)


def weight(model: Model) -> object:
    return model.network.head.weight.tolist()


def test_a_stopped_training_goes_on_from_its_checkpoint(tmp_path):
    path = tmp_path / "m.checkpoint"
    asked: list[int] = []

    def stop() -> bool:
        asked.append(0)
        return len(asked) > 6

    with pytest.raises(Interrupted):
        train(DATA, TASK, path, stop=stop)
    assert path.exists()
    with pytest.raises(InputError, match="other data or options") as caught:
        train(DATA, replace(TASK, options=replace(OPTIONS, validation_fraction=0.5)), path, resume=True)
    assert caught.value.parameters == ("resume",)
    resumed, whole = train(DATA, TASK, path, resume=True), train(DATA, TASK)
    assert weight(resumed) == weight(whole) and resumed.record.curve == whole.record.curve


def test_the_record_says_what_was_done():
    record = train(DATA, replace(TASK, options=replace(OPTIONS, updates=4, validation_fraction=0))).record
    assert (record.labels, record.held_out_labels, record.refit, record.micrographs) == (10, 0, False, 2)
    assert (record.objective, record.start, record.start_sha256) == ("ge-binomial", "random", "")
    assert record.training_pixel_size_ang == 0.5 and record.training_data_sha256 == "digest"
    assert record.pseudo_labels is None and record.autoencoder == 0


def test_more_than_fit_is_said_before_the_first_update():
    with pytest.raises(UsageError, match="22 A fit") as caught:
        train(DATA, replace(TASK, options=replace(OPTIONS, particles_per_micrograph=1e5)))
    assert caught.value.parameters == ("particles_per_micrograph", "diameter")


@pytest.mark.parametrize(("number", "said"), [(59, 0), (63, 1)])
def test_a_given_number_that_does_not_fit_side_by_side_is_said_once_and_before_the_first_update(caplog, number, said):
    """61 circles of 22 pixels are a hexagonal lattice of 160×160."""
    options = replace(OPTIONS, particles_per_micrograph=number, updates=1, epoch_updates=1, validation_fraction=0)
    asked = iter([False, True])
    with pytest.raises(Interrupted):
        train(DATA, replace(TASK, options=options), stop=lambda: next(asked))
    assert sum("fit side by side" in text for text in caplog.messages) == said
    caplog.clear()
    model = train(DATA, replace(TASK, options=options))
    assert sum("fit side by side" in text for text in caplog.messages) == said == bool(model.record.crowding)


@pytest.mark.parametrize(("updates", "said"), [(1, True), (60, False)])
def test_a_model_that_expects_mostly_wrong_picks_says_so(caplog, updates, said):
    """From random weights, where one update teaches nothing."""
    options = replace(OPTIONS, updates=updates, epoch_updates=updates, validation_fraction=0)
    model = train(DATA, replace(TASK, options=options))
    assert model.record.expected_precision is not None and (model.record.expected_precision < 0.5) == said
    assert sum("hardly tells them from the background" in text for text in caplog.messages) == said
    assert card(model)["doubt"] == (caplog.messages[-1] if said else None)


@pytest.mark.parametrize(("number", "held_out"), [(None, 4), (9, 0)])
def test_a_quarter_of_the_labels_is_held_out_where_only_they_tell_the_number(number, held_out):
    options = replace(OPTIONS, particles_per_micrograph=number, updates=1, epoch_updates=1)
    record = train(training_set(4, 4, 4, 4), replace(TASK, options=options)).record
    assert (record.labels, record.held_out_labels) == (16, held_out)


def test_what_follows_from_the_labels():
    chosen = Task(GEOMETRY, TrainingOptions(replace(FITTING, autoencoder="auto")))
    with pytest.raises(ValueError, match="resolve the task first"):
        _ = chosen.max_updates
    resolved = chosen.resolved(40)
    assert resolved.max_updates == updates_for(40, Start()) and resolved.options.fitting.autoencoder == 0.25
    assert resolved.resolved(40) == resolved
    assert chosen.resolved(40, pseudo=True).max_updates == PSEUDO_LABEL_UPDATES
    assert TASK.resolved(40).max_updates == 8 and TASK.resolved(40).options.epoch_updates == 4


def test_the_start_is_part_of_the_options_that_a_checkpoint_is_known_by():
    from pupicker.core.networks import build

    start = load_start("general", "conv31", build("conv31"))
    assert replace(TASK, start=start).resolved(40).options.fitting.start_digest == start.digest != ""
