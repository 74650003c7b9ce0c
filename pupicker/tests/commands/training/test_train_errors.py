"""Trainings that cannot be: one line that names what is wrong; bad micrographs are set aside."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates, write_coordinates
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import HEIGHT, WIDTH


def test_labels_on_another_scale(train, simulated, tmp_path):
    write_coordinates(tmp_path / "scaled.star", read_coordinates(simulated.labels).scaled(4.0))
    message = train(picks=tmp_path / "scaled.star").error(1)
    assert "outside of their micrographs" in message and f"{WIDTH} x {HEIGHT}" in message
    assert "pupicker convert" in message
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
    some = train(micrographs=[*simulated.labelled[1:], path])
    assert some.code == 3 and "(--pixel-size)" in next(li for li in some.err.splitlines() if li.startswith("quarant"))


def test_both_priors(train):
    result = train("--class-prior", 0.1, "--particles-per-micrograph", 5)
    assert result.code == 2 and "--class-prior" in result.err and "--particles-per-micrograph" in result.err


@pytest.mark.parametrize(("options", "words"), [
    (("--class-prior", 0), ("share of the area 0 must", "between 0 and 1", "(--class-prior)")),
    (("--class-prior", 1.5), ("share of the area 1.5", "between 0 and 1")),
    (("--class-prior", "nan"), ("share of the area nan",)),
    (("--class-prior", 0.9), ("share of the area 0.9", "fit")),
    (("--class-prior", 1e-4), ("labelled particles cover", "raise the share of the area", "--class-prior")),
    (("--particles-per-micrograph", 0), ("particles per micrograph 0", "above 0")),
    (("--particles-per-micrograph", 1e6), ("1e+06", "fit")),
    (("--particles-per-micrograph", 2), ("labelled particles cover",)),
    (("--validation-fraction", 1), ("validation fraction 1", "below 1")),
    (("--validation-fraction", -0.1), ("validation fraction -0.1",)),
    (("--updates", 0), ("updates 0", "from 1 to")),
    (("--batch-size", 8), ("batch size 8",)),
    (("--learning-rate", 0), ("learning rate 0",)),
    (("--working-pixel-size", -1), ("working pixel size",)),
    (("--training-radius", 0), ("training radius",)),
    (("--min-distance", 0), ("minimum distance",)),
    (("--box-size", -3), ("box size",)),
    (("--pixel-size", -1), ("pixel size -1", "(--pixel-size)")),
])
def test_impossible_options(train, options, words):
    message = train(*options).error(2)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(("options", "words"), [
    (("--class-prior", 0), "the share of the area 0 must be between 0 and 1 (--class-prior)"),
    (("--particles-per-micrograph", -1), "the particles per micrograph -1 must be above 0"),
    (("--class-prior", 0.1, "--particles-per-micrograph", 5), "not allowed with"),
    (("--updates", 0), "the updates 0 must be from 1 to 10000000"), (("--weight-decay", 2), "from 0 to 1"),
    (("--objective", "ge"), "invalid choice"), (("--network", "conv32"), "no network 'conv32'"),
    (("--dropout", 1), "the dropout 1 must be"), (("--network-setting", "depth=3"), "no setting 'depth'"),
    (("--autoencoder", "much"), "or auto"), (("--box-size", -3), "the box size -3 Å must be above 0 and"),
    (("--pseudo-label-count", 5), "without pseudo-labels"), (("--seed", -1), "the random seed -1"),
])
def test_a_bad_option_is_refused_before_anything_is_read(train, tmp_path, options, words):
    """Neither the micrographs nor the labels exist."""
    result = train(*options, micrographs=[tmp_path / "none.mrc"], picks=tmp_path / "none.star")
    assert words in result.error(2) and "none.mrc" not in result.err


@pytest.mark.parametrize("diameter", [0, -160, "nan", "inf", 10, 1e6])
def test_impossible_diameter(train, diameter):
    assert "diameter" in train(diameter=diameter).error(2)


def test_particle_larger_than_the_micrographs(train, simulated):
    message = train(diameter=9000).error(1)
    assert str(simulated.labelled[0]) in message and "too small" in message


def test_output_that_is_a_folder_is_refused_before_training(train, tmp_path):
    (tmp_path / "m.pupicker").mkdir()
    result = train()
    assert "is a folder" in result.error(2) and "training" not in result.err


def test_diverging_training(train):
    assert "lower the learning rate" in train("--learning-rate", "1e30").error(1)


# ---- quarantine


def test_bad_micrographs_are_set_aside(train, simulated, tmp_path):
    truncated, constant = tmp_path / "truncated.mrc", tmp_path / "constant.mrc"
    truncated.write_bytes(simulated.labelled[0].read_bytes()[:5000])
    write_mrc(constant, np.full((300, 300), 7, dtype=np.float32), 6.0)
    blank, pixels = tmp_path / "blank.mrc", read_image(simulated.labelled[0]).pixels.copy()
    pixels[: int(0.8 * len(pixels))] = pixels.mean()
    write_mrc(blank, pixels, 6.0)
    result = train("--json", micrographs=[truncated, *simulated.labelled, constant, blank])
    assert result.code == 3
    assert result.json["micrographs"] == 3
    report = json.loads((tmp_path / "m.pupicker.report.json").read_text())
    assert {entry["micrograph"]: entry["reason"].split(": ")[1].split()[0] for entry in report["quarantined"]} == {
        str(truncated): "truncated", str(constant): "all", str(blank): "80",
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


@pytest.mark.parametrize("wrong", [30.0, 90.0])
def test_one_wrong_pixel_size_decides_nothing(train, simulated, tmp_path, wrong):
    """Neither the lengths of all nor the end of the run, even if it is that of the first micrograph."""
    first = tmp_path / "a_first.mrc"
    write_mrc(first, read_image(simulated.labelled[0]).pixels, wrong)
    result = train("--json", micrographs=[first, *simulated.labelled])
    assert result.code == 3 and [q["micrograph"] for q in result.json["quarantined"]] == [str(first)]
    assert result.json["training_pixel_size_ang"] == 6.0 and result.json["micrographs"] == 3


def test_out_of_memory_is_one_line(train, monkeypatch):
    def full(*arguments, **more):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB\nSee documentation")

    monkeypatch.setattr("pupicker.engine.training.dataset.load_training_set", full)
    assert "out of memory (CUDA out of memory." in train().error(1)


def test_options_that_nothing_looks_at_are_refused(train, capsys):
    assert "--pseudo-label-count" in train("--pseudo-label-count", 20).error(2)
    without = run(capsys, "train", "a.mrc", "--pseudo-labels", "general", "--diameter", 180, "--output", "m",
                  "--min-score", 2)
    assert "is of a table of labels, and none is given; leave it out (--min-score)" in without.error(2)
    assert "--diam" in run(capsys, "train", "a.mrc", "--picks", "a.star", "--diam", 180, "--output", "m").err
