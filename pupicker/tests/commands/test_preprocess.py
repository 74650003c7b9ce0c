from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
import torch

from pupicker.core.image.histograms import histogram
from pupicker.core.image.normalization import fit
from pupicker.engine.files.micrographs import read_header, read_image, write_mrc
from pupicker.engine.preparation import preprocessing
from pupicker.tests.commands.command_line import run
from pupicker.tests.full_disk import FULL, room_for
from pupicker.tests.simulated import HEIGHT, PIXEL_SIZE_ANG, WIDTH


@pytest.fixture
def preprocess(capsys, tmp_path):
    """Preprocess into ``tmp_path/out``."""

    def call(micrographs, *more):
        return run(capsys, "preprocess", *micrographs, "--output", tmp_path / "out", "--threads", 1, *more)

    return call


def test_pixel_size_in_the_header_is_that_of_the_pixels(preprocess, simulated, tmp_path):
    """301 x 333 pixels of 6 A become 181 x 200, so they are not exactly the 10 A asked for."""
    result = preprocess(simulated.micrographs, "--target-pixel-size", 10, "--json")
    assert result.code == 0
    expected = PIXEL_SIZE_ANG * (WIDTH / 181 + HEIGHT / 200) / 2
    assert result.json["pixel_size_ang"] == pytest.approx(expected)
    for source in simulated.micrographs:
        output = result.json["outputs"][str(source)]
        assert output == {"file": str(tmp_path / "out" / source.name), "pixel_size_ang": pytest.approx(expected)}
        header = read_header(output["file"])
        assert (header.width, header.height, header.dtype) == (181, 200, "float32")
        assert header.pixel_size_ang == pytest.approx(expected, rel=1e-6)
        assert header.pixel_size_ang * header.width == pytest.approx(PIXEL_SIZE_ANG * WIDTH, rel=0.002)


def test_background_is_standardised(preprocess, simulated, tmp_path):
    """The heavier of two Gaussians fitted to the new pixels, all micrographs together, has mean 0 and deviation 1."""
    assert preprocess(simulated.micrographs, "--target-pixel-size", 9).code == 0
    pixels = [read_image(path).pixels for path in sorted((tmp_path / "out").iterdir())]
    together = fit(histogram(torch.from_numpy(np.concatenate([image.ravel() for image in pixels]))), "location-scale")
    # The fit has its own scale: go back from it to the pixels.
    index, scale, offset = together.mixture.dominant, float(together.scale[0]), float(together.offset[0])
    assert (together.mixture.mean[index] - offset) / scale == pytest.approx(0, abs=0.1)
    assert together.mixture.std[index] / scale == pytest.approx(1, abs=0.1)
    medians = [float(np.median(image)) for image in pixels]
    assert max(medians) - min(medians) < 0.2  # though the intensities differ by a factor of 1.5


def test_diameter_gives_the_working_pixel_size(preprocess, simulated):
    result = preprocess(simulated.unseen, "--diameter", 220, "--json")
    assert result.json["pixel_size_ang"] == pytest.approx(10, rel=0.005)
    lines = preprocess(simulated.unseen, "--diameter", 220).out.splitlines()
    assert lines[0].split() == ["micrographs", "2"] and lines[1].startswith("pixel size")


def test_never_finer_than_the_micrographs(preprocess, simulated):
    """Asked for by its pixel size it is an error; following from the diameter, the pixel size is kept."""
    assert "coarser than the 3 A" in preprocess(simulated.unseen, "--target-pixel-size", 3).error(1)
    result = preprocess(simulated.unseen, "--diameter", 60, "--json")
    assert result.json["pixel_size_ang"] == pytest.approx(PIXEL_SIZE_ANG)


def test_result_would_overwrite_its_source(capsys, simulated, tmp_path):
    source = tmp_path / "a.mrc"
    content = simulated.unseen[0].read_bytes()
    source.write_bytes(content)
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "link"):
        result = run(capsys, "preprocess", source, "--output", folder, "--target-pixel-size", 12)
        assert "overwrite itself" in result.error(2)
    assert source.read_bytes() == content


def test_one_of_several_results_would_overwrite_its_source(capsys, simulated, tmp_path):
    """``x/a.mrc`` preprocessed into ``y`` where ``y/b.mrc`` is an input too."""
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    paths = [tmp_path / "x" / "a.mrc", tmp_path / "y" / "b.mrc"]
    for path, source in zip(paths, simulated.unseen, strict=True):
        path.write_bytes(source.read_bytes())
    result = run(capsys, "preprocess", *paths, "--output", tmp_path / "y", "--target-pixel-size", 12)
    assert "b.mrc" in result.error(2)


def test_masked_pixels_are_filled(preprocess, simulated, tmp_path):
    pixels = read_image(simulated.unseen[0]).pixels.copy()
    pixels[100:140, 50:90] = np.nan
    write_mrc(tmp_path / "a.mrc", pixels, PIXEL_SIZE_ANG)
    assert preprocess([tmp_path / "a.mrc"], "--target-pixel-size", 12).code == 0
    out = read_image(tmp_path / "out" / "a.mrc")
    assert out.n_invalid == 0 and np.abs(out.pixels[52:68, 27:43]).max() < 3


def test_bad_micrographs_are_set_aside(preprocess, simulated, tmp_path):
    bad = tmp_path / "bad.mrc"
    write_mrc(bad, np.full((300, 300), np.nan, dtype=np.float32), PIXEL_SIZE_ANG)
    result = preprocess([bad, *simulated.unseen], "--target-pixel-size", 12)
    assert result.code == 3
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [entry["micrograph"] for entry in report["quarantined"]] == [str(bad)]
    assert list(report["outputs"]) == [str(path) for path in simulated.unseen]
    assert str(bad) in preprocess([bad], "--target-pixel-size", 12).error(1)


@pytest.mark.parametrize("memory_bytes", [0, 50_000])
def test_what_does_not_fit_into_memory_waits_in_files_and_comes_out_the_same(
    preprocess, simulated, tmp_path, monkeypatch, memory_bytes
):
    """None, or one of several micrographs of 44 kB."""
    bad = tmp_path / "bad.mrc"
    bad.write_bytes(b"no micrograph")
    paths = [*simulated.micrographs[:2], bad, *simulated.unseen]
    assert preprocess(paths, "--target-pixel-size", 18).code == 3
    in_memory = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert len(in_memory) == 5  # four micrographs and the report
    monkeypatch.setattr(preprocessing, "MEMORY_BYTES", memory_bytes)
    saved, save = [], np.save
    monkeypatch.setattr(np, "save", lambda path, pixels: saved.append(path) or save(path, pixels))
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    assert preprocess(paths, "--target-pixel-size", 18).code == 3
    assert len(saved) == (4 if memory_bytes == 0 else 3)
    again = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(again) == sorted(in_memory)  # nothing else is left
    for name in again:
        if name.endswith(".mrc"):
            assert again[name][1024:] == in_memory[name][1024:]  # the headers hold the time


def test_each_micrograph_is_read_once(preprocess, simulated, monkeypatch):
    read = []
    prepare = preprocessing.prepare
    monkeypatch.setattr(preprocessing, "prepare", lambda path, recipe: read.append(path) or prepare(path, recipe))
    assert preprocess(simulated.micrographs, "--target-pixel-size", 18).code == 0
    assert sorted(read) == sorted(simulated.micrographs)


def test_nothing_is_left_of_a_run_that_failed(preprocess, simulated, tmp_path):
    with room_for(100):
        assert f"mic_0004.mrc: {FULL}" in preprocess(simulated.unseen, "--target-pixel-size", 18).error(1)
    assert not (tmp_path / "out").exists()


def started(output):
    """A process that is in the middle of preprocessing into a folder, and its hidden folder there."""
    known = set(output.iterdir())
    ready, told = os.pipe()
    number = os.fork()
    if not number:
        with preprocessing.waiting_folder(output) as folder:
            (folder / "0.npy").write_bytes(b"pixels")
            os.write(told, b"x")
            signal.pause()
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    os.close(told)
    (folder,) = set(output.iterdir()) - known
    return number, folder


def kill(number):
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)


def test_what_a_killed_run_left_is_removed_by_the_next_one(preprocess, simulated, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    killed, left = started(output)
    running, kept = started(output)
    try:
        kill(killed)
        assert (left / "0.npy").exists()
        assert preprocess(simulated.unseen[:1], "--target-pixel-size", 18).code == 0
        assert not left.exists() and (kept / "0.npy").exists()
        assert [path for path in output.glob(".*") if path != kept] == []
    finally:
        kill(running)


@pytest.mark.parametrize(("options", "words"), [
    ((), "--target-pixel-size --diameter is required"),
    (("--diameter", 100, "--target-pixel-size", 9), "not allowed with argument --diameter"),
    (("--diameter", 0), "above 0 and at most 10000 (--diameter)"), (("--diameter", "nan"), "nan Å must be a finite"),
    (("--target-pixel-size", -9), "above 0 and at most 100 (--target-pixel-size)"),
    (("--target-pixel-size", 9, "--pixel-size", 0), "above 0 and at most 100 (--pixel-size)"),
])
def test_impossible_options(preprocess, simulated, options, words):
    assert words in preprocess(simulated.unseen, *options).error(2)


def test_output_is_a_file(preprocess, simulated, tmp_path):
    (tmp_path / "out").touch()
    assert f"{tmp_path / 'out'}: is a file" in preprocess(simulated.unseen, "--target-pixel-size", 12).error(2)
