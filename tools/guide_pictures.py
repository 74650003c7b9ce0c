"""``python tools/guide_pictures.py``: takes the pictures of the user guide anew (docs/images), in windows of a project.

Simulates micrographs with carbon, labels a hundred particles, trains, picks, evaluates, and opens the forms,
wizards and viewers on a virtual screen, by the programs that drive them in the tests.  Needs Xvfb, xauth and
ImageMagick.
"""

from __future__ import annotations

import argparse
import shutil
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demo import choose_labels, pupicker
from demo_project import DemoProject, set_up
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.reports.png import GREYS, with_few_colours
from screen import run_on_screen

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
DIAMETER_ANG, PIXEL_SIZE_ANG, LABELS, LABELLED_MICROGRAPHS = 160.0, 4.0, 100, 8
SIDES_PX = (1000, 900, 800, 700, 600)  # the first at which a picture is small enough
LARGEST_BYTES = 110_000
# What a driver calls a picture -> its name in the guide.
FORMS = {"ProtPuPickerTrain": "form_train", "ProtPuPickerPick": "form_pick"}
VIEWERS = {"scores": "viewer_coordinates", "training": "viewer_training", "model": "viewer_model"}
WIZARDS = {"diameter": "wizard_diameter", "prior": "wizard_prior", "detection": "wizard_detection"}


def simulate(folder: Path) -> CoordinateTable:
    """Micrographs with dirt; return the truth."""
    pupicker("simulate", "--output", folder, "--micrographs", 12, "--diameter", DIAMETER_ANG, "--pixel-size",
             PIXEL_SIZE_ANG, "--snr", 0.08, "--carbon", "--seed", 3)
    return read_coordinates(folder / "truth.star")


def run_project(folder: Path, truth: CoordinateTable) -> tuple[Any, dict[str, int]]:
    """Import, train, pick and evaluate; return the project and the ids of its runs."""
    from pupicker.constants import THRESHOLD_GIVEN
    from pupicker.protocols import ProtPuPickerEvaluate, ProtPuPickerPick, ProtPuPickerTrain

    project = DemoProject("Guide")
    micrographs = project.import_micrographs(folder / "micrographs", "import micrographs", PIXEL_SIZE_ANG)
    box_px = 2 * round(0.75 * DIAMETER_ANG / PIXEL_SIZE_ANG)
    labelled = truth.select(np.isin(truth.micrograph, sorted(set(truth.micrograph))[:LABELLED_MICROGRAPHS]))
    labels = project.import_coordinates(choose_labels(labelled, LABELS, 0), micrographs, "labels", box_px,
                                        folder / "labels.sqlite")
    reference = project.import_coordinates(choose_labels(truth, len(truth), 0), micrographs, "reference", box_px,
                                           folder / "truth.sqlite")
    train = project.run(ProtPuPickerTrain, "train", {"inputCoordinates": (labels, "outputCoordinates")},
                        diameter=DIAMETER_ANG, useGpu=False)
    pick = project.run(ProtPuPickerPick, "pick", {
        "inputMicrographs": (micrographs, "outputMicrographs"), "inputModel": (train, "outputModel"),
    }, useGpu=False, thresholdMode=THRESHOLD_GIVEN, threshold=-6.0)
    evaluate = project.run(ProtPuPickerEvaluate, "evaluate", {
        "inputCoordinates": (pick, "outputCoordinates"), "referenceCoordinates": (reference, "outputCoordinates"),
    }, diameter=DIAMETER_ANG)
    runs = {"labels": labels, "train": train, "pick": pick, "evaluate": evaluate}
    return project, {name: run.getObjId() for name, run in runs.items()}


def store(picture: Image.Image, path: Path) -> None:
    """Write a picture, as large and as fine as its file may be: noise does not compress."""
    for side, greys in product(SIDES_PX, (None, GREYS)):
        smaller = picture.copy()
        smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
        with_few_colours(smaller, greys).save(path, optimize=True)
        if path.stat().st_size <= LARGEST_BYTES:
            return


def main() -> int:
    """Make the project and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo/guide"), help="folder of the project")
    folder = parser.parse_args().output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    truth = simulate(folder / "micrographs")
    set_up(folder / "scipion")
    project, ids = run_project(folder, truth)
    taken = folder / "pictures"
    shutil.rmtree(taken, ignore_errors=True)
    taken.mkdir()
    path = project.path(".")
    run_on_screen("gui_driver", path, taken, *FORMS)
    run_on_screen("viewers_driver", path, taken, ids["pick"], ids["train"], ids["evaluate"])
    run_on_screen("wizard_driver", path, taken, ids["labels"], ids["train"], ids["train"], *WIZARDS)
    for source, name in {**FORMS, **VIEWERS, **WIZARDS}.items():
        store(Image.open(taken / f"{source}.png").convert("RGB"), IMAGES / f"{name}.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
