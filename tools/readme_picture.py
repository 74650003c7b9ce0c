"""``python tools/readme_picture.py DATA``: takes the pictures on real micrographs anew.

They show the window of the scores, for the README, its gallery, an evaluation and the window that labels, for the
guide.  It learns from a hundred labels on the training micrographs of apoferritin (EMPIAR-10146, in DATA as
benchmarks/README.md lays it out), picks the test micrographs in a Scipion project, and opens the windows on a virtual
screen.  Needs what tools/guide_pictures.py needs.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

from PIL import Image

from demo_project import DemoProject, Positions, set_up
from guide_pictures import IMAGES, store
from pupicker.engine.files.coordinates import read_coordinates
from screen import run_on_screen

SET, PIXEL_SIZE_ANG, DIAMETER_ANG = "empiar10146_apoferritin", 1.5, 120.0
ALL_BUT_NOISE = -6.0
# What the driver calls a picture -> its name in the guide: where picks are doubtful, simulated ones show little.
VIEWERS = {"scores": "window", "gallery": "gallery", "evaluation": "viewer_evaluation"}


def positions_of(table: Path, suffix: str = ".mrc") -> Positions:
    """Name of the micrograph's file -> centres."""
    found: dict[str, list[tuple[float, float]]] = {}
    coordinates = read_coordinates(table)
    for name, x, y in zip(coordinates.micrograph, coordinates.x, coordinates.y, strict=True):
        found.setdefault(Path(name).name.removesuffix(suffix) + suffix, []).append((x, y))
    return found


def link_micrographs(data: Path, folder: Path) -> None:
    """Links to the micrographs in a folder for each role: train, test."""
    with (data / "splits.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["data_set"] == SET and row["role"] in ("train", "test"):
                link = folder / row["role"] / f"{row['micrograph']}.mrc"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(data / SET / "mrc" / link.name)


def run_project(data: Path, folder: Path) -> tuple[Path, list[int]]:
    """Import, train, pick, evaluate; return the project's folder and the ids of the last three runs."""
    from pupicker.constants import THRESHOLD_GIVEN
    from pupicker.protocols import ProtPuPickerEvaluate, ProtPuPickerPick, ProtPuPickerTrain

    project = DemoProject("Readme")
    diameter_px = 2 * round(DIAMETER_ANG / PIXEL_SIZE_ANG / 2)
    training, test = (project.import_micrographs(folder / role, f"import {role}", PIXEL_SIZE_ANG)
                      for role in ("train", "test"))
    labels = project.import_coordinates(positions_of(data / "labels" / SET / "n0100_seed0.tsv"), training, "labels",
                                        diameter_px, folder / "labels.sqlite")
    truth = project.import_coordinates(positions_of(data / SET / "truth" / "particles_1.5A.star"), test, "truth",
                                       diameter_px, folder / "truth.sqlite")
    train = project.run(ProtPuPickerTrain, "train", {"inputCoordinates": (labels, "outputCoordinates")},
                        diameter=DIAMETER_ANG, useGpu=False)
    pick = project.run(ProtPuPickerPick, "pick", {
        "inputMicrographs": (test, "outputMicrographs"), "inputModel": (train, "outputModel"),
    }, useGpu=False, thresholdMode=THRESHOLD_GIVEN, threshold=ALL_BUT_NOISE)
    evaluate = project.run(ProtPuPickerEvaluate, "evaluate", {
        "inputCoordinates": (pick, "outputCoordinates"), "referenceCoordinates": (truth, "outputCoordinates"),
    }, diameter=DIAMETER_ANG)
    return project.path("."), [run.getObjId() for run in (pick, train, evaluate)]


def main() -> int:
    """Make the project and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the data")
    parser.add_argument("--output", type=Path, default=Path("demo/readme"), help="folder of the project")
    arguments = parser.parse_args()
    data, folder = arguments.data.resolve(), arguments.output.resolve()
    link_micrographs(data, folder)
    set_up(folder / "scipion")
    project, ids = run_project(data, folder)
    taken = folder / "pictures"
    shutil.rmtree(taken, ignore_errors=True)
    taken.mkdir()
    run_on_screen("viewers_driver", project, taken, *ids)
    for source, name in VIEWERS.items():
        store(Image.open(taken / f"{source}.png").convert("RGB"), IMAGES / f"{name}.png")
    run_on_screen("label_driver", folder / "train", data / SET / "truth" / "particles_1.5A.star", taken, DIAMETER_ANG,
                  "second")
    store(Image.open(taken / "label.png").convert("RGB"), IMAGES / "label_window.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
