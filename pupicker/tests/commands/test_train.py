from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pupicker.engine.coordinates import CoordinateTable, read_coordinates, write_coordinates
from pupicker.engine.micrographs import read_image, write_mrc
from pupicker.engine.model_file import load_model
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG, PARTICLES

QUICK = ("--updates", 4, "--batch-size", 32, "--threads", 1)
"""Enough to go through every step; the model is worth nothing."""


@pytest.fixture
def train(capsys, simulated, tmp_path):
    """Train on the labelled micrographs into ``tmp_path/m.pupicker``; keywords replace arguments."""

    def call(*more, micrographs=simulated.labelled, picks=simulated.labels, diameter=DIAMETER_ANG, quick=QUICK):
        return run(capsys, "train", *micrographs, "--picks", picks, "--diameter", diameter,
                   "--output", tmp_path / "m.pupicker", *quick, *more)

    return call


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


def test_table_on_stdout_progress_on_stderr(train, tmp_path):
    result = train()
    assert result.code == 0
    said = [line.split("  ")[0] for line in result.out.splitlines()]
    assert said == [
        "model", "labels", "particles a micrograph", "class prior", "validation AP", "updates", "suggested threshold",
        "working pixel size", "training radius", "minimum distance", "background", "box size",
    ]
    lines = result.err.splitlines()
    assert lines[0].startswith("reading micrographs: 3/3 (100%), took ")
    assert all("\r" not in line and "\033" not in line for line in lines)
    assert any(line.startswith("training: 1/1 (100%)") and "particles a micrograph" in line for line in lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.pupicker"]


def test_json_is_the_model_card_and_the_report(train, simulated, tmp_path):
    result = train("--json", "--report", tmp_path / "r.json")
    assert result.json == json.loads((tmp_path / "r.json").read_text())
    assert result.json["command"] == "train"
    assert result.json["done"] == [str(path) for path in simulated.labelled]
    assert result.json["quarantined"] == []
    assert result.json["labels"] == 3 * PARTICLES
    assert result.json["class_prior_source"]
    assert [epoch["stage"] for epoch in result.json["curve"]] == ["selection", "refit"]


def test_number_of_updates_is_never_more_than_asked_for(train):
    result = train("--json", "--validation-fraction", 0, quick=("--updates", 150, "--batch-size", 32, "--threads", 1))
    assert result.json["curve"][-1]["updates"] == 100


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
    result = train("--json", picks=picks)
    assert result.code == 0 and result.json["labels"] == PARTICLES and result.json["micrographs"] == 3
    assert load_model(tmp_path / "m.pupicker").details["held_out_labels"] == round(PARTICLES / 4)
    assert result.json["validation"]["average_precision"] is not None


def test_one_micrograph_alone(train, simulated, tmp_path):
    result = train("--json", micrographs=simulated.labelled[:1])
    assert result.code == 0 and result.json["micrographs"] == 1 and result.json["labels"] == PARTICLES
    assert load_model(tmp_path / "m.pupicker").details["held_out_labels"] == round(PARTICLES / 4)


def test_a_single_label(train, simulated, tmp_path):
    result = train("--json", picks=some_labels(simulated, tmp_path, lambda *place: place == (0, 0)))
    assert result.code == 0 and result.json["labels"] == 1
    assert result.json["validation"]["average_precision"] is None


def test_two_labels_on_two_micrographs(train, simulated, tmp_path):
    result = train(picks=some_labels(simulated, tmp_path, lambda micrograph, label: micrograph < 2 and label == 0))
    assert result.code == 0
    assert load_model(tmp_path / "m.pupicker").details["held_out_labels"] == 1


def test_whole_micrographs_are_held_out(train, tmp_path):
    assert train().code == 0
    assert load_model(tmp_path / "m.pupicker").details["held_out_labels"] == PARTICLES


def test_nothing_held_out(train, tmp_path):
    result = train("--validation-fraction", 0)
    assert result.code == 0 and "none held out" in result.out
    details = load_model(tmp_path / "m.pupicker").details
    assert details["held_out_labels"] == 0 and not details["refit"]
    assert details["validation"]["average_precision"] is None
    assert {epoch["stage"] for epoch in details["curve"]} == {"selection"}


def test_no_refit_keeps_the_best_epoch(train, tmp_path):
    assert train("--no-refit").code == 0
    kept = load_model(tmp_path / "m.pupicker")
    assert not kept.details["refit"] and {epoch["stage"] for epoch in kept.details["curve"]} == {"selection"}
    assert train().code == 0
    refitted = load_model(tmp_path / "m.pupicker")
    assert refitted.details["refit"]
    assert not torch.equal(kept.network.head.weight, refitted.network.head.weight)


@pytest.mark.parametrize("objective", ["ge-kl", "nnpu", "pn"])
def test_other_objectives(train, objective):
    result = train("--json", "--objective", objective)
    assert result.code == 0 and result.json["objective"] == objective


def test_a_few_labels_outside_are_left_out_and_said(train, simulated, tmp_path):
    table = read_coordinates(simulated.labels)
    outside = CoordinateTable(table.micrograph[:2], np.array([-40.0, 5000.0]), np.array([10.0, 10.0]))
    write_coordinates(tmp_path / "more.tsv", CoordinateTable.concatenate([table, outside]))
    result = train("--json", picks=tmp_path / "more.tsv")
    assert result.code == 0 and result.json["labels"] == 3 * PARTICLES
    assert "warning: 2 labels outside" in result.err


# ---- errors: one line that names what is wrong


def test_labels_on_another_scale(train, simulated, tmp_path):
    write_coordinates(tmp_path / "scaled.star", read_coordinates(simulated.labels).scaled(4.0))
    message = train(picks=tmp_path / "scaled.star").error(1)
    assert "outside of their micrographs" in message and "361 x 399" in message and "--scale" in message
    assert not (tmp_path / "m.pupicker").exists()


def test_names_that_do_not_match(train, simulated, tmp_path):
    table = read_coordinates(simulated.labels)
    write_coordinates(tmp_path / "other.star", table.renamed({name: f"other_{name}" for name in table.names()}))
    message = train(picks=tmp_path / "other.star").error(1)
    assert "other_mic_0001.mrc" in message and "'mic_0001.mrc'" in message


def test_empty_table_of_labels(train, tmp_path):
    write_coordinates(tmp_path / "empty.star", CoordinateTable.empty())
    assert "table of picks is empty" in train(picks=tmp_path / "empty.star").error(1)


def test_missing_pixel_size(train, simulated, tmp_path):
    path = tmp_path / simulated.labelled[0].name
    write_mrc(path, read_image(simulated.labelled[0]).pixels, 0.0)
    message = train(micrographs=[path]).error(1)
    assert str(path) in message and "--pixel-size" in message
    assert train("--pixel-size", 6, micrographs=[path]).code == 0


def test_both_priors(train):
    result = train("--class-prior", 0.1, "--particles-per-micrograph", 5)
    assert result.code == 2 and "--class-prior" in result.err and "--particles-per-micrograph" in result.err


@pytest.mark.parametrize(("options", "words"), [
    (("--class-prior", 0), ("--class-prior 0", "between 0 and 1")),
    (("--class-prior", 1.5), ("--class-prior 1.5", "between 0 and 1")),
    (("--class-prior", "nan"), ("--class-prior nan",)),
    (("--class-prior", 0.9), ("--class-prior 0.9", "fit")),
    (("--class-prior", 1e-4), ("labelled particles cover", "raise --class-prior")),
    (("--particles-per-micrograph", 0), ("--particles-per-micrograph 0",)),
    (("--particles-per-micrograph", 1e6), ("1e+06", "fit")),
    (("--particles-per-micrograph", 2), ("labelled particles cover",)),
    (("--validation-fraction", 1), ("--validation-fraction 1",)),
    (("--validation-fraction", -0.1), ("--validation-fraction -0.1",)),
    (("--updates", 0), ("--updates 0",)),
    (("--batch-size", 8), ("--batch-size 8",)),
    (("--learning-rate", 0), ("--learning-rate 0",)),
    (("--working-pixel-size", -1), ("working pixel size",)),
    (("--training-radius", 0), ("training radius",)),
    (("--min-distance", 0), ("minimum distance",)),
    (("--box-size", -3), ("box size",)),
    (("--pixel-size", -1), ("--pixel-size -1",)),
])
def test_impossible_options(train, options, words):
    message = train(*options).error(2)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("diameter", [0, -160, "nan", 10])
def test_impossible_diameter(train, diameter):
    assert "diameter" in train(diameter=diameter).error(2)


@pytest.mark.parametrize("diameter", [1e6, "inf"])
def test_particle_larger_than_the_micrographs(train, simulated, diameter):
    message = train(diameter=diameter).error(1)
    assert str(simulated.labelled[0]) in message and "too small" in message


def test_output_that_is_a_folder_is_refused_before_training(train, tmp_path):
    (tmp_path / "m.pupicker").mkdir()
    result = train()
    assert "is a folder" in result.error(2) and "training" not in result.err


def test_diverging_training(train):
    assert "lower --learning-rate" in train("--learning-rate", "1e30").error(1)


# ---- quarantine


def test_bad_micrographs_are_set_aside(train, simulated, tmp_path):
    truncated, constant = tmp_path / "truncated.mrc", tmp_path / "constant.mrc"
    truncated.write_bytes(simulated.labelled[0].read_bytes()[:5000])
    write_mrc(constant, np.full((300, 300), 7, dtype=np.float32), 6.0)
    result = train("--json", micrographs=[truncated, *simulated.labelled, constant])
    assert result.code == 3
    assert result.json["micrographs"] == 3
    report = json.loads((tmp_path / "m.pupicker.report.json").read_text())
    assert {entry["micrograph"]: entry["reason"].split(": ")[1].split()[0] for entry in report["quarantined"]} == {
        str(truncated): "truncated", str(constant): "all",
    }
    assert (tmp_path / "m.pupicker").exists()
    assert f"quarantined: {truncated}" in result.err


def test_all_micrographs_bad(train, tmp_path):
    bad = tmp_path / "mic_0001.mrc"
    write_mrc(bad, np.zeros((300, 300), dtype=np.float32), 6.0)
    message = train("--report", tmp_path / "r.json", micrographs=[bad]).error(1)
    assert str(bad) in message
    assert [entry["micrograph"] for entry in json.loads((tmp_path / "r.json").read_text())["quarantined"]] == [str(bad)]
    assert not (tmp_path / "m.pupicker").exists()
