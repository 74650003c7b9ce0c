"""Labelling real micrographs in a window: clicks, a kill in the middle, suggestions that learn, tables at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pupicker.engine.files.coordinates import read_coordinates, write_coordinates
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.engine.models.model_file import load_model
from pupicker.tests.scipion.screen import (
    REPOSITORY,
    assert_shows_something,
    need_screen,
    run_on_screen,
)
from pupicker.tests.shared_data import shared

PIXEL_SIZE, DIAMETER, SIDE, FEW = 7.08, 191.0, 384, 6
"""Of the micrographs of beta-galactosidase (EMPIAR-10017), binned by four; a part of each is enough here."""


@pytest.fixture(scope="module")
def bgal(tmp_path_factory):
    """A folder with parts of two micrographs, and a table of their particles."""
    source, table = shared("data/empiar10017_bgal/mrc_bin4"), shared("data/labels/empiar10017_bgal/all.tsv")
    folder = tmp_path_factory.mktemp("bgal")
    particles = read_coordinates(table)
    chosen = []
    for name in particles.names()[:2]:
        pixels = read_image(source / f"{name}.mrc").pixels[200 : 200 + SIDE, 200 : 200 + SIDE]
        write_mrc(folder / "mics" / f"{name}.mrc", np.ascontiguousarray(pixels), PIXEL_SIZE)
        own = particles.of(name)
        inside = (own.x > 220) & (own.x < 180 + SIDE) & (own.y > 220) & (own.y < 180 + SIDE)
        kept = own.select(inside)
        kept.x[:], kept.y[:] = kept.x - 200, kept.y - 200
        chosen.append(kept)
    write_coordinates(folder / "truth.tsv", type(particles).concatenate(chosen))
    write_coordinates(folder / "few.tsv", chosen[0].select(np.arange(len(chosen[0])) < FEW))
    return folder


@pytest.mark.gui
@pytest.mark.slow
def test_labels_survive_and_suggestions_learn(bgal, tmp_path):
    need_screen()
    arguments = (bgal / "mics", bgal / "truth.tsv", tmp_path, DIAMETER)
    with pytest.raises(AssertionError, match="exit code 137"):  # it kills itself
        run_on_screen("label_driver", *arguments, "first")
    run_on_screen("label_driver", *arguments, "second")
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert result["found again"] == 6 and result["suggested"] > 20
    assert (result["labels"], result["none"]) == (12, 1)
    assert result["diameters"][0] == pytest.approx(result["diameters"][1], abs=0.2)
    assert result["model"].endswith("model_001.pupicker") and result["error"] == "" and result["finished"]
    assert result["hits"] > 0.55
    assert_shows_something(tmp_path, ["label"])


CLICKS = """eval $(xdotool getwindowgeometry --shell $w); xdotool mousemove $((X + WIDTH / 2)) $((Y + HEIGHT / 2))
click 1; sleep 0.5; xdotool mousemove_relative 60 0 click 3; sleep 0.5""".replace("\n", " ")
DONE = "xdotool key --window $w ctrl+d"


def labelled(bgal, output, actions, *options):
    """The command, whose window (``$w`` of a shell) is used by `actions` once it is there."""
    need_screen(xdotool="xdotool")
    script = f'until w=$(xdotool search --onlyvisible --name "pupicker: label"); do sleep 0.3; done; sleep 1; {actions}'
    words = " ".join(map(str, options))
    command = f'({script}) & "{sys.executable}" -m pupicker label "{bgal / "mics"}" --diameter {DIAMETER:g}' \
              f' --output "{output}" --threads 1 {words}; status=$?; wait; exit $status'
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    screen = ["xvfb-run", "-a", "-n", str(150 + worker), "-s", "-screen 0 1400x900x24"]
    return subprocess.run([*screen, "bash", "-c", command], capture_output=True, text=True, cwd=REPOSITORY, timeout=900,
                          check=False)


@pytest.mark.gui
def test_the_command_goes_on_and_writes_tables(bgal, tmp_path):
    done = labelled(bgal, tmp_path / "out", f"{CLICKS}; {DONE}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(read_coordinates(tmp_path / "out" / "labels.tsv")) == 1
    assert len(read_coordinates(tmp_path / "out" / "negatives.tsv")) == 1
    assert "none: it takes 5 labels" in done.stdout
    assert "pupicker train" in done.stdout and "--diameter 191" in done.stdout


@pytest.mark.gui
def test_a_second_window_on_a_folder_is_refused(bgal, tmp_path):
    """It would write over the labels of the first, which stay, and whose window goes on."""
    folder, told = tmp_path / "out", tmp_path / "second.txt"
    second = f'timeout 60 "{sys.executable}" -m pupicker label "{bgal / "mics"}" --output "{folder}" 2> "{told}"'
    done = labelled(bgal, folder, f"{CLICKS}; {second}; {DONE}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{folder / 'labels.json'}: another run is writing it (process " in told.read_text(encoding="utf-8")
    assert len(read_coordinates(folder / "labels.tsv")) == 1
    assert not list(folder.glob(".*"))


@pytest.mark.gui
@pytest.mark.slow
def test_done_trains_to_the_end_once(bgal, tmp_path):
    """A second *Done* without other labels trains nothing; the window goes on with the model."""
    folder = tmp_path / "out"
    done = labelled(bgal, folder, DONE, "--picks", bgal / "few.tsv", "--device", "cpu")
    assert done.returncode == 0, done.stderr[-2000:]
    model = load_model(folder / "model.pupicker")
    assert model.record.labels == FEW
    assert f"--model {folder / 'model.pupicker'}" in done.stdout and "training: " in done.stderr
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert (card["path"], card["trained_with"]) == (str(folder / "model.pupicker"), model.record.labels)
    made = (folder / "model.pupicker").stat().st_mtime_ns
    again = labelled(bgal, folder, DONE, "--device", "cpu")
    assert again.returncode == 0 and "pupicker pick" in again.stdout
    assert (folder / "model.pupicker").stat().st_mtime_ns == made


@pytest.mark.gui
@pytest.mark.slow
def test_a_training_that_fails_leaves_the_labels(bgal, tmp_path):
    """Something else has taken the model's place while the window was open."""
    folder = tmp_path / "out"
    done = labelled(bgal, folder, f'mkdir "{folder / "model.pupicker"}"; {DONE}', "--picks", bgal / "few.tsv")
    assert done.returncode == 2 and "is a folder" in done.stderr
    assert len(read_coordinates(folder / "labels.tsv")) == FEW
    assert "the labels are kept" in done.stdout and "next" in done.stdout
