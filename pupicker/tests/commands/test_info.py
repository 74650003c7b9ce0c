from __future__ import annotations

import numpy as np
import pytest

import pupicker
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG, HEIGHT, PARTICLES, PIXEL_SIZE_ANG, WIDTH


def test_model_as_json_has_what_other_programs_read(capsys, model_path):
    content = run(capsys, "info", model_path, "--json").json
    assert content["kind"] == "model" and content["schema_version"] == 3
    assert content["diameter_ang"] == DIAMETER_ANG
    assert content["working_pixel_size_ang"] == pytest.approx(DIAMETER_ANG / 22)
    assert content["box_size_ang"] == 1.5 * DIAMETER_ANG and content["min_distance_ang"] == 0.45 * DIAMETER_ANG
    assert 0 < content["class_prior"] < 0.1
    assert content["objective"] == "ge-binomial" and content["network"] == "conv31"
    assert content["labels"] == 3 * PARTICLES and content["micrographs"] == 3
    assert content["validation"] == {"average_precision": None, "best_updates": 200}  # none is held out
    assert 0.5 < content["expected_average_precision"] <= 1
    assert isinstance(content["suggested_threshold"], float)
    assert 0.5 < content["expected_precision"] <= 1 and 0.5 < content["expected_recall"] <= 1
    assert content["particles_interval"] is None and content["crowding"] is None  # the number was given
    assert content["software"]["pupicker"] == pupicker.__version__ and "torch" in content["software"]
    assert content["training_pixel_size_ang"] == pytest.approx(PIXEL_SIZE_ANG)
    assert content["seed"] == 1 and len(content["training_data_sha256"]) == 64
    assert content["particles_per_micrograph"] == pytest.approx(PARTICLES)
    assert "particles per micrograph" in content["class_prior_source"]
    assert [epoch["updates"] for epoch in content["curve"] if epoch["stage"] == "selection"] == [100, 200]


def test_model_as_table_gives_the_reasons(capsys, model_path):
    result = run(capsys, "info", model_path)
    assert result.code == 0 and result.err == ""
    rows = {line.split("  ")[0]: line for line in result.out.splitlines()}
    assert "receptive field 31 px" in rows["working pixel size"]
    assert "of the diameter" in rows["training radius"] and "diameters, even" in rows["box size"]


def test_micrograph(capsys, simulated, tmp_path):
    pixels = read_image(simulated.unseen[0]).pixels.copy()
    pixels[3, 4:7] = np.nan
    write_mrc(tmp_path / "a.mrc", pixels, PIXEL_SIZE_ANG)
    content = run(capsys, "info", tmp_path / "a.mrc", "--json").json
    assert content["kind"] == "micrograph" and content["dtype"] == "float32"
    assert (content["width"], content["height"]) == (WIDTH, HEIGHT)
    assert content["pixel_size_ang"] == pytest.approx(PIXEL_SIZE_ANG) and content["invalid_pixels"] == 3
    assert content["mean"] == pytest.approx(np.nanmean(pixels), rel=1e-4)
    assert "geometry" not in content
    assert run(capsys, "info", tmp_path / "a.mrc").out.splitlines()[0].split() == ["kind", "micrograph"]


def test_a_pixel_size_that_is_given_is_the_one_that_is_told(capsys, simulated):
    for more in ((), ("--diameter", 220)):
        content = run(capsys, "info", simulated.unseen[0], "--pixel-size", 2.5, *more, "--json").json
        assert content["pixel_size_ang"] == 2.5


def test_lengths_that_follow_from_a_diameter(capsys, simulated):
    path = simulated.unseen[0]
    content = run(capsys, "info", path, "--diameter", 220, "--json").json
    assert content["geometry"]["working_pixel_size_ang"] == pytest.approx(10)
    # Finer than the particle needs, but nothing finer exists.
    assert run(capsys, "info", path, "--diameter", 66, "--json").json["geometry"]["working_pixel_size_ang"] == 6
    assert "nothing finer exists" in run(capsys, "info", path, "--diameter", 66).out
    fine = run(capsys, "info", path, "--diameter", 66, "--pixel-size", 1.0, "--json").json
    assert fine["geometry"]["working_pixel_size_ang"] == pytest.approx(3)


def test_micrograph_without_pixel_size(capsys, simulated, tmp_path):
    path = tmp_path / "a.mrc"
    write_mrc(path, read_image(simulated.unseen[0]).pixels, 0.0)
    assert run(capsys, "info", path).code == 0
    assert "--pixel-size" in run(capsys, "info", path, "--diameter", 160).error(1)
    assert run(capsys, "info", path, "--diameter", 160, "--pixel-size", 6).code == 0


@pytest.mark.parametrize("diameter", [-1, "nan", 10])
def test_impossible_diameter(capsys, simulated, diameter):
    assert "diameter" in run(capsys, "info", simulated.unseen[0], "--diameter", diameter).error(2)


@pytest.mark.parametrize("name", ["none.mrc", "none.pupicker"])
def test_missing_file(capsys, tmp_path, name):
    assert str(tmp_path / name) in run(capsys, "info", tmp_path / name).error(1)


def test_file_that_is_neither(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing\n" * 20)
    assert "not a pupicker model" in run(capsys, "info", tmp_path / "notes.txt").error(1)


def test_folder(capsys, tmp_path):
    assert str(tmp_path) in run(capsys, "info", tmp_path).error(1)


def test_lengths_of_a_model_are_not_asked_for(capsys, model_path):
    assert "are for a micrograph" in run(capsys, "info", model_path, "--diameter", 180).error(2)
