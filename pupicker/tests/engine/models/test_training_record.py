"""The record of a training: what old models stored is read, what newer ones store is kept."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from pupicker import METHOD_VERSION
from pupicker.engine.models.model_card import card
from pupicker.engine.models.model_file import load_model
from pupicker.engine.models.training_record import Epoch, ParticleInterval, TrainingRecord, Validation

OLD = {
    "curve": [{"stage": "selection", "updates": 100, "loss": 0.5, "validation": None, "particles_per_micrograph": 9.0}],
    "validation": {"average_precision": 0.8, "best_updates": 100}, "proposals": "dog", "labels": 12, "seed": 3,
    "particles_interval": {"low": 7.0, "high": 12.0, "level": 0.9}, "software": {"torch": "2.4"},
    "expected_curve": [[1.0, 0.9, 0.2]], "crowding": None,
}


def test_stored_keys_become_fields_and_keys_again():
    record = TrainingRecord.from_dict(OLD)
    assert record.curve == (Epoch("selection", 100, 0.5, None, 9.0),) and record.validation == Validation(0.8, 100)
    assert record.pseudo_labels == "dog" and record.labels == 12 and record.objective is None
    assert record.particles_interval == ParticleInterval(7.0, 12.0, 0.9)
    assert record.to_dict() == {name: value for name, value in OLD.items() if value is not None}
    assert TrainingRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


def test_what_a_newer_version_recorded_is_kept():
    record = TrainingRecord.from_dict({"labels": 2, "of_tomorrow": [1, 2]})
    assert record.labels == 2 and record.others == {"of_tomorrow": [1, 2]}
    assert record.to_dict() == {"labels": 2, "of_tomorrow": [1, 2]}


@pytest.mark.parametrize(("stored", "meant"), [
    ({"method_version": 3}, "ge-kl-forward"), ({}, "ge-kl-forward"), ({"method_version": 4}, "ge-kl"),
])
def test_ge_kl_of_before_the_papers_direction_was_there_is_named_as_now(stored, meant):
    record = TrainingRecord.from_dict({"objective": "ge-kl", **stored})
    assert record.objective == meant
    assert TrainingRecord.from_dict(record.to_dict()) == record
    assert TrainingRecord.from_dict({"objective": "pn", **stored}).objective == "pn"


def test_nothing_is_recorded_of_an_empty_model():
    assert TrainingRecord.from_dict({}) == TrainingRecord() and TrainingRecord().to_dict() == {}


def test_parts_of_a_newer_version_are_read_and_damaged_ones_are_left_out():
    """Nothing of a record is needed for picking."""
    newer = {"validation": {"average_precision": 0.8, "best": 1}, "curve": [
        {"stage": "refit", "updates": 1, "loss": 2.0, "validation": None, "particles_per_micrograph": 3.0, "new": 4},
        {"stage": "refit"}, 5]}
    record = TrainingRecord.from_dict(newer)
    assert record.validation == Validation(0.8) and record.curve == (Epoch("refit", 1, 2.0, None, 3.0),)
    assert TrainingRecord.from_dict({"particles_interval": {"low": 1.0}, "curve": 3}) == TrainingRecord(curve=())
    assert TrainingRecord.from_dict(None) == TrainingRecord()


def test_a_training_records_everything(model_path):
    """None only where there is nothing to tell: a number that was given has no interval."""
    record = load_model(model_path).record
    empty = {field.name for field in fields(record) if getattr(record, field.name) is None}
    assert empty == {"pseudo_labels", "particles_interval", "crowding"} and record.others == {}
    assert record.method_version == METHOD_VERSION == card(load_model(model_path))["method_version"]
