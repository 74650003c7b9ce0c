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
from pupicker.tests.scipion.screen import (
    REPOSITORY,
    assert_shows_something,
    need_screen,
    run_on_screen,
)
from pupicker.tests.shared_data import shared

PIXEL_SIZE, DIAMETER, SIDE = 7.08, 191.0, 384
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
    return folder


@pytest.mark.gui
@pytest.mark.slow
def test_labels_survive_and_suggestions_learn(bgal, tmp_path):
    need_screen()
    arguments = (bgal / "mics", bgal / "truth.tsv", tmp_path, DIAMETER)
    with pytest.raises(AssertionError):  # it kills itself
        run_on_screen("label_driver", *arguments, "first")
    run_on_screen("label_driver", *arguments, "second")
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert result["found again"] == 6 and result["suggested"] > 20
    assert (result["labels"], result["none"]) == (12, 1)
    assert result["diameters"][0] == pytest.approx(result["diameters"][1], abs=0.2)
    assert np.median(result["click"]) < 0.03
    assert result["model"].endswith("model_001.pupicker") and result["error"] == "" and result["finished"]
    assert result["hits"] > 0.55
    assert_shows_something(tmp_path, ["label"])


@pytest.mark.gui
def test_the_command_goes_on_and_writes_tables(bgal, tmp_path):
    need_screen()
    script = 'until w=$(xdotool search --onlyvisible --name "pupicker: label"); do sleep 0.3; done; sleep 1;' \
             ' eval $(xdotool getwindowgeometry --shell $w); xdotool mousemove $((X + WIDTH / 2)) $((Y + HEIGHT / 2))' \
             ' click 1; sleep 0.5; xdotool mousemove_relative 60 0 click 3; sleep 0.5; xdotool key --window $w ctrl+d'
    command = f'({script}) & "{sys.executable}" -m pupicker label "{bgal / "mics"}" --diameter {DIAMETER:g}' \
              f' --output "{tmp_path / "out"}"; status=$?; wait; exit $status'
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    screen = ["xvfb-run", "-a", "-n", str(150 + worker), "-s", "-screen 0 1400x900x24"]
    done = subprocess.run([*screen, "bash", "-c", command], capture_output=True, text=True, cwd=REPOSITORY, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(read_coordinates(tmp_path / "out" / "labels.tsv")) == 1
    assert len(read_coordinates(tmp_path / "out" / "negatives.tsv")) == 1
    assert "pupicker train" in done.stdout and "--diameter 191" in done.stdout
