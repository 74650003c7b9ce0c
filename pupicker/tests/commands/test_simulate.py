from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from pupicker.commands import simulate
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.files.micrographs import list_micrographs, read_header, read_image
from pupicker.engine.runtime.errors import PuPickerError
from pupicker.engine.runtime.progress import progress_on
from pupicker.simulation.config import PIXEL_TYPES, SimulationConfig
from pupicker.simulation.dataset import simulate_dataset
from pupicker.tests.shared_data import shared

SMALL = ["--width", "160", "--height", "144", "--particles", "4", "--diameter", "80", "--micrographs", "3"]


def run(parser_of_command, *arguments):
    with progress_on(sys.stderr):
        return simulate.run(parser_of_command.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def parser():
    import argparse

    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    return parser


def test_set_with_truth_and_record(parser, tmp_path, capsys):
    assert run(parser, "--output", tmp_path / "set", *SMALL, "--pixel-size", "3.5") == 0
    out, err = capsys.readouterr()
    assert "3 micrographs, 12 particles of globular, diameter 80 A" in out
    assert "simulating: 3/3" in err
    micrographs = list_micrographs([tmp_path / "set"])
    assert [path.name for path in micrographs] == ["mic_0001.mrc", "mic_0002.mrc", "mic_0003.mrc"]
    header = read_header(micrographs[0])
    assert (header.width, header.height) == (160, 144)
    assert header.pixel_size_ang == pytest.approx(3.5)
    star, tsv = (read_coordinates(tmp_path / "set" / name) for name in ("truth.star", "truth.tsv"))
    assert star.names() == [path.name for path in micrographs]
    np.testing.assert_allclose(star.x, tsv.x, atol=1e-3)
    np.testing.assert_allclose(star.y, tsv.y, atol=1e-3)
    record = json.loads((tmp_path / "set" / "simulation.json").read_text())
    assert record["config"]["pixel_size_ang"] == 3.5
    assert record["density"] == {"name": "globular", "diameter_ang": 80.0, "voxel_size_ang": 3.5}
    assert [made["particles"] for made in record["micrographs"]] == [4, 4, 4]


def test_json_on_stdout_is_the_record(parser, tmp_path, capsys):
    run(parser, "--output", tmp_path, *SMALL, "--json")
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "simulation.json").read_text())


def test_a_micrograph_depends_on_neither_the_count_nor_the_threads(parser, tmp_path):
    run(parser, "--output", tmp_path / "three", *SMALL, "--seed", "5", "--threads", "2")
    run(parser, "--output", tmp_path / "one", *SMALL, "--seed", "5", "--threads", "1", "--micrographs", "1")
    first, again = ((tmp_path / name / "mic_0001.mrc").read_bytes()[1024:] for name in ("three", "one"))
    assert first == again
    three, one = (read_coordinates(tmp_path / name / "truth.star") for name in ("three", "one"))
    np.testing.assert_array_equal(three.of("mic_0001.mrc").x, one.x)


@pytest.mark.parametrize("dtype", PIXEL_TYPES)
@pytest.mark.parametrize("image_format", ["mrc", "tif"])
def test_pixel_types_reach_the_file(parser, tmp_path, dtype, image_format):
    options = ["--output", tmp_path, *SMALL, "--micrographs", "1", "--dtype", dtype, "--format", image_format]
    if (dtype, image_format) == ("uint8", "mrc"):
        with pytest.raises(PuPickerError, match="int8"):
            run(parser, *options)
        return
    run(parser, *options)
    path = tmp_path / f"mic_0001.{image_format}"
    header = read_header(path)
    assert header.dtype == dtype
    assert header.pixel_size_ang == pytest.approx(4.0)
    assert read_image(path).pixels.std() > 0


def test_all_contaminants_and_a_real_structure(parser, tmp_path, capsys):
    model = shared("data/models_maps/1rvx_HA_trimer.pdb")
    run(parser, "--output", tmp_path, "--density", model, "--micrographs", "1", "--particles", "10", "--width", "401",
        "--height", "377", "--carbon", "--gold", "2", "--ice", "1", "--aggregates", "1", "--tilt-sd", "20",
        "--defocus-range", "0.8", "1.2", "--prefix", "ha_")
    record = json.loads((tmp_path / "simulation.json").read_text())
    assert 0.8 <= record["micrographs"][0]["defocus_um"] <= 1.2
    assert record["micrographs"][0]["name"] == "ha_0001.mrc"
    assert record["density"]["name"] == "1rvx_HA_trimer.pdb"
    assert len(read_coordinates(tmp_path / "truth.star")) == record["micrographs"][0]["particles"] > 0
    assert read_image(tmp_path / "ha_0001.mrc").pixels.shape == (377, 401)
    capsys.readouterr()


def test_crowding_is_said(parser, tmp_path, capsys):
    run(parser, "--output", tmp_path, "--width", "200", "--height", "200", "--particles", "30", "--diameter", "80",
        "--micrographs", "1", "--gold", "30")
    assert "no room for all 30 particles in 1 micrograph, first mic_0001.mrc" in capsys.readouterr().err
    assert 0 < len(read_coordinates(tmp_path / "truth.star")) < 30


def test_micrographs_of_an_earlier_set_are_not_mixed_in(parser, tmp_path):
    run(parser, "--output", tmp_path, *SMALL)
    run(parser, "--output", tmp_path, *SMALL, "--seed", "1")  # the same names: replaced
    with pytest.raises(PuPickerError, match=r"mic_0003\.mrc: left from an earlier set"):
        run(parser, "--output", tmp_path, *SMALL, "--micrographs", "2")


def test_an_interrupted_set_has_no_truth_of_an_earlier_one(tmp_path):
    """Some of its micrographs are those of the earlier set, others are not."""
    config = SimulationConfig(width=160, height=144, particles=4, diameter_ang=80.0)
    before = ["simulation.json", "truth.star", "truth.tsv"]

    def there():
        return sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".mrc")

    def interrupted(file):
        raise KeyboardInterrupt

    simulate_dataset(config, tmp_path, 2)
    blind = {"defocus_range_um": (0.0, 0.0), "astigmatism_um": 0.0, "cs_mm": 0.0, "amplitude_contrast": 0.0}
    with pytest.raises(PuPickerError, match="no contrast"):
        simulate_dataset(replace(config, **blind), tmp_path, 2)
    assert there() == before  # nothing was written
    with pytest.raises(KeyboardInterrupt):
        simulate_dataset(replace(config, seed=1), tmp_path, 2, on_written=interrupted)
    assert there() == []
    simulate_dataset(config, tmp_path, 2)
    assert there() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--micrographs", "0"], "micrographs is 0"),
        (["--snr", "0"], "snr is 0"),
        (["--prefix", "../up"], "prefix is '../up': must consist of"),
        (["--density", "nothing.mrc"], "leave the diameter out"),
        (["--particles", "900"], "900 particles .* too many"),
    ],
)
def test_wrong_usage_writes_nothing(parser, tmp_path, options, words):
    with pytest.raises(PuPickerError, match=words):
        run(parser, "--output", tmp_path / "set", *SMALL, *options)
    assert not (tmp_path / "set").exists()
