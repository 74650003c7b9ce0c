from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pupicker.core.networks import DEFAULT_NETWORK
from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates, write_coordinates
from pupicker.engine.models.model_file import load_model
from pupicker.engine.picking.picker import Picker, PickingOptions
from pupicker.tests.simulated import PARTICLES, simulated_in


def some_labels(simulated, tmp_path, keep):
    """A table with the labels for which ``keep(index of the micrograph, index of the label in it)``."""
    table = read_coordinates(simulated.labels)
    names = table.names()
    rows = [
        row for number, name in enumerate(names) for index, row in enumerate(np.flatnonzero(table.micrograph == name))
        if keep(number, index)
    ]
    path = tmp_path / "some.star"
    write_coordinates(path, table.select(np.array(rows, dtype=int)))
    return path


# ---- what is said, and where


HOLDING_OUT = ("--validation-fraction", 0.25)


def test_table_on_stdout_progress_on_stderr(train, tmp_path):
    result = train("--network", DEFAULT_NETWORK)
    assert result.code == 0
    said = [line.split("  ")[0] for line in result.out.splitlines()]
    assert said == [
        "model", "labels", "particles a micrograph", "interval of it", "share of the area", "expected AP", "updates",
        "suggested threshold", "expected precision", "expected recall", "working pixel size", "training radius",
        "minimum distance", "background", "box size",
    ]
    lines = result.err.splitlines()
    assert lines[0].startswith("reading micrographs: 3/3 (100%), took ")
    assert all("\r" not in line and "\033" not in line for line in lines)
    assert any(line.startswith("training: 1/1 (100%)") and "particles a micrograph" in line for line in lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.pupicker"]


def test_json_is_the_model_card_and_the_report(train, simulated, tmp_path):
    result = train("--json", "--report", tmp_path / "r.json", *HOLDING_OUT)
    assert result.json == json.loads((tmp_path / "r.json").read_text())
    assert result.json["command"] == "train"
    assert result.json["done"] == [str(path) for path in simulated.labelled]
    assert result.json["quarantined"] == []
    assert result.json["labels"] == 3 * PARTICLES
    assert result.json["class_prior_source"]
    assert [epoch["stage"] for epoch in result.json["curve"]] == ["selection", "refit"]


def test_as_many_updates_as_asked_for(train):
    """The last epoch is shorter."""
    result = train("--json", "--validation-fraction", 0, "--width", 8, "--start", "random", "--updates", 150)
    assert [epoch["updates"] for epoch in result.json["curve"]] == [100, 150]


# ---- the same seed, the same model


def test_same_seed_same_weights_another_seed_others(train, tmp_path):
    weights = []
    for seed in (5, 5, 6):
        assert train("--seed", seed).code == 0
        weights.append(load_file(tmp_path / "m.pupicker"))
    first, again, other = weights
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_training_leaves_the_global_random_state_alone(train):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    assert train().code == 0
    assert torch.equal(torch.rand(3), expected)


# ---- which labels there are


def test_labels_on_one_micrograph_of_several(train, simulated, tmp_path):
    """Some of its labels are held out; the other micrographs still serve as unlabelled ones."""
    picks = some_labels(simulated, tmp_path, lambda micrograph, label: micrograph == 1)
    result = train("--json", *HOLDING_OUT, picks=picks)
    assert result.code == 0 and result.json["labels"] == PARTICLES and result.json["micrographs"] == 3
    assert load_model(tmp_path / "m.pupicker").record.held_out_labels == round(PARTICLES / 4)
    assert result.json["validation"]["average_precision"] is not None


def test_labels_are_not_said_to_be_on_all_micrographs(train, simulated, tmp_path):
    """Those without labels are learnt from too; where the labels lie the row does not say."""
    result = train("--updates", 2, picks=some_labels(simulated, tmp_path, lambda micrograph, label: micrograph == 1))
    row = next(line for line in result.out.splitlines() if line.startswith("labels"))
    assert row.split() == ["labels", str(PARTICLES), "in", "a", "training", "on", "3", "micrographs"]


def test_one_micrograph_alone(train, simulated, tmp_path):
    result = train("--json", *HOLDING_OUT, micrographs=simulated.labelled[:1])
    assert result.code == 0 and result.json["micrographs"] == 1 and result.json["labels"] == PARTICLES
    assert load_model(tmp_path / "m.pupicker").record.held_out_labels == round(PARTICLES / 4)


def test_a_single_label(train, simulated, tmp_path):
    result = train("--json", picks=some_labels(simulated, tmp_path, lambda *place: place == (0, 0)))
    assert result.code == 0 and result.json["labels"] == 1
    assert result.json["validation"]["average_precision"] is None


def test_two_labels_on_two_micrographs(train, simulated, tmp_path):
    picks = some_labels(simulated, tmp_path, lambda micrograph, label: micrograph < 2 and label == 0)
    assert train(*HOLDING_OUT, picks=picks).code == 0
    assert load_model(tmp_path / "m.pupicker").record.held_out_labels == 1
    assert train(picks=picks).code == 0
    told = load_model(tmp_path / "m.pupicker").record
    assert told.held_out_labels == 0 and told.particles_per_micrograph == pytest.approx(PARTICLES, rel=0.6)


def test_whole_micrographs_are_held_out(train, tmp_path):
    assert train(*HOLDING_OUT).code == 0
    assert load_model(tmp_path / "m.pupicker").record.held_out_labels == PARTICLES


def test_nothing_held_out(train, tmp_path):
    """As it is where the general model tells the number of particles."""
    result = train()
    assert result.code == 0 and "expected AP" in result.out
    record = load_model(tmp_path / "m.pupicker").record
    assert record.held_out_labels == 0 and not record.refit
    assert record.validation.average_precision is None
    assert {epoch.stage for epoch in record.curve} == {"selection"}


def test_no_refit_keeps_the_best_epoch(train, tmp_path):
    assert train("--no-refit", *HOLDING_OUT).code == 0
    kept = load_model(tmp_path / "m.pupicker")
    assert not kept.record.refit and {epoch.stage for epoch in kept.record.curve} == {"selection"}
    assert train(*HOLDING_OUT).code == 0
    refitted = load_model(tmp_path / "m.pupicker")
    assert refitted.record.refit
    assert not torch.equal(kept.network.head.weight, refitted.network.head.weight)


@pytest.mark.parametrize("objective", ["ge-kl", "ge-kl-forward", "nnpu", "pn"])
def test_other_objectives(train, objective):
    result = train("--json", "--objective", objective)
    assert result.code == 0 and result.json["objective"] == objective


@pytest.mark.slow
def test_places_labelled_as_no_particle_score_lower(train, tmp_path):
    """Half of the particles of one micrograph are said to be none: the model learns it at those places."""
    simulated = simulated_in(tmp_path / "micrographs", 361, 399)  # in smaller ones a short training tells less apart
    table = read_coordinates(simulated.labels)
    own = np.flatnonzero(table.micrograph == table.names()[0])
    wrong = table.select(np.isin(np.arange(len(table)), own[:7]))
    write_coordinates(tmp_path / "none.tsv", CoordinateTable(wrong.micrograph, wrong.x, wrong.y))
    rest = table.select(~np.isin(np.arange(len(table)), own[:7]))
    write_coordinates(tmp_path / "rest.tsv", CoordinateTable(rest.micrograph, rest.x, rest.y))
    own_rest = rest.micrograph == table.names()[0]
    above = []
    for options in ((), ("--negatives", tmp_path / "none.tsv")):
        result = train("--json", "--validation-fraction", 0, "--updates", 300, *options,
                       micrographs=simulated.labelled, picks=tmp_path / "rest.tsv")
        assert result.code == 0 and result.json["negatives"] == (7 if options else 0)
        picker = Picker(load_model(tmp_path / "m.pupicker"), torch.device("cpu"), PickingOptions(threshold=-99.0))
        picks = picker.pick(picker.prepare(simulated.labelled[0]))
        assert picks.score is not None
        near = np.hypot(picks.x[:, None] - wrong.x, picks.y[:, None] - wrong.y).min(axis=1) < 8
        true = np.hypot(picks.x[:, None] - rest.x[own_rest], picks.y[:, None] - rest.y[own_rest]).min(axis=1) < 8
        # How often a particle scores above such a place: scores of two models are not on one scale.
        above.append(float(np.mean(picks.score[true][:, None] > picks.score[near])))
    assert above[1] > above[0] + 0.1


def test_a_few_labels_outside_are_left_out_and_said(train, simulated, tmp_path):
    table = read_coordinates(simulated.labels)
    outside = CoordinateTable(table.micrograph[:2], np.array([-40.0, 5000.0]), np.array([10.0, 10.0]))
    write_coordinates(tmp_path / "more.tsv", CoordinateTable.concatenate([table, outside]))
    result = train("--json", picks=tmp_path / "more.tsv")
    assert result.code == 0 and result.json["labels"] == 3 * PARTICLES
    assert "warning: 2 labelled particles outside" in result.err
