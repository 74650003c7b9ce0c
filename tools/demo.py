"""``make demo``: picks a simulated data set in a Scipion project and measures the picks against the truth.

Simulates micrographs with known particles, creates a project with its own Scipion, imports the micrographs and 100
labelled particles, trains, picks micrographs that have no label, evaluates, draws.  All of it lies in ``demo/``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from scipy.ndimage import gaussian_filter

from demo_picture import draw_picks
from demo_project import DemoProject, set_up, write_launcher
from pupicker.core.scores.metrics import match_picks
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates import read_coordinates, write_coordinates

PROJECT = "PuPickerDemo"
DIAMETER_ANG, PIXEL_SIZE_ANG = 160.0, 4.0
LABELS = 100
UPDATES = 200  # a third of the default: enough for particles as clear as these
ALL_BUT_NOISE = -6.0  # score from which on picks are kept: the whole precision-recall curve is wanted
# Micrographs to label and to learn from, and others to pick: folder -> (how many, seed).
DATA = {"labelled": (8, 1), "other": (4, 2)}


def say(text: str) -> None:
    """Print at once: the lines come between those of other processes."""
    print(text, flush=True)


def pupicker(*arguments: object) -> str:
    """Run one command of pupicker; return its standard output."""
    command = [sys.executable, "-m", "pupicker", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"failed with exit code {done.returncode}: {' '.join(command)}")
    return done.stdout


def simulate(folder: Path, count: int, seed: int, args: argparse.Namespace) -> CoordinateTable:
    """Simulate `count` micrographs into `folder`, named after it; return their truth."""
    pupicker(
        "simulate", "--output", folder, "--prefix", f"{folder.name}_", "--micrographs", count,
        "--diameter", DIAMETER_ANG, "--pixel-size", PIXEL_SIZE_ANG, "--snr", args.snr, "--gold", args.gold,
        "--seed", seed,
    )
    return read_coordinates(folder / "truth.star")


def choose_labels(truth: CoordinateTable, count: int, seed: int) -> dict[str, list[tuple[float, float]]]:
    """Draw `count` particles, as a user would click them: micrograph name -> centres."""
    chosen = truth.select(np.random.default_rng(seed).choice(len(truth), count, replace=False))
    positions: dict[str, list[tuple[float, float]]] = {}
    for name, x, y in zip(chosen.micrograph, chosen.x, chosen.y, strict=True):
        positions.setdefault(name, []).append((x, y))
    return positions


def picks_of(coordinates: Any) -> CoordinateTable:
    """What a set of coordinates holds, as a table with scores."""
    found = [(item.getMicName(), item.getX(), item.getY(), item._pupickerScore.get()) for item in coordinates]
    names, x, y, score = zip(*found, strict=True) if found else ((), (), (), ())
    return CoordinateTable(np.array(names, dtype=object), np.array(x), np.array(y), np.array(score))


def draw(path: Path, micrograph: Path, picks: CoordinateTable, truth: CoordinateTable, threshold: float) -> None:
    """Write the picture of one micrograph with its picks of at least `threshold` and its truth."""
    radius_px = DIAMETER_ANG / PIXEL_SIZE_ANG / 2
    shown = picks.of(micrograph.name)
    shown = shown.select(shown.score >= threshold) if shown.score is not None else shown
    picks_xy, truth_xy = (np.stack([table.x, table.y], axis=1) for table in (shown, truth.of(micrograph.name)))
    taken = match_picks(picks_xy, np.asarray(shown.score), truth_xy, radius_px)
    missed = np.setdiff1d(np.arange(len(truth_xy)), taken)
    with mrcfile.open(micrograph) as stream:
        raw = np.asarray(stream.data, dtype=np.float32)
    # What an eye can see particles in: without most of the noise and without the thickness gradient.
    image = gaussian_filter(raw, radius_px / 8) - gaussian_filter(raw, radius_px * 4)
    draw_picks(path, image, f"{micrograph.name}, smoothed", radius_px, picks_xy, taken >= 0, truth_xy[missed])


def run_project(folder: Path, truth: dict[str, CoordinateTable], seed: int) -> tuple[CoordinateTable, dict[str, float]]:
    """Import, train and pick in a new Scipion project; return the picks and the seconds of each run."""
    set_up(folder / "scipion")
    write_launcher(folder / "scipion3", folder / "scipion")
    from pupicker.constants import THRESHOLD_GIVEN
    from pupicker.protocols import ProtPuPickerPick, ProtPuPickerTrain

    project = DemoProject(PROJECT)
    imported = {
        name: project.import_micrographs(folder / name, f"import {name} micrographs", PIXEL_SIZE_ANG) for name in DATA
    }
    labels = project.import_coordinates(
        choose_labels(truth["labelled"], LABELS, seed), imported["labelled"], "import labels",
        box_px=2 * round(0.75 * DIAMETER_ANG / PIXEL_SIZE_ANG), table=folder / "labels.sqlite",
    )
    train = project.run(
        ProtPuPickerTrain, "train", {
            "inputMicrographs": (imported["labelled"], "outputMicrographs"),
            "inputCoordinates": (labels, "outputCoordinates"),
        }, diameter=DIAMETER_ANG, updates=UPDATES, useGpu=False,
    )
    pick = project.run(
        ProtPuPickerPick, "pick", {
            "inputMicrographs": (imported["other"], "outputMicrographs"),
            "inputModel": (train, "outputModel"),
        }, useGpu=False, thresholdMode=THRESHOLD_GIVEN, threshold=ALL_BUT_NOISE,
    )
    return picks_of(pick.outputCoordinates), project.seconds


def report(result: dict[str, Any], seconds: dict[str, float], here: str) -> None:
    """Print what came out and how to look at it."""
    say(f"\nPicks on {DATA['other'][0]} micrographs without labels against the truth "
        f"({LABELS} labels on {DATA['labelled'][0]} other micrographs)")
    for label in ("average_precision", "best_f1", "precision_at_best_f1", "recall_at_best_f1", "recall"):
        say(f"  {label.replace('_', ' '):<26} {result[label]:.3f}")
    say("Time")
    for label, value in seconds.items():
        say(f"  {label:<26} {value:6.1f} s")
    say(f"Pictures\n  {here}/picks.png\n  {here}/precision_recall.png")
    say(f"Open the project (needs a screen):\n  {here}/scipion3 project {PROJECT}")


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder to write (default: demo)")
    parser.add_argument("--snr", type=float, default=0.05, help="signal-to-noise ratio of the micrographs")
    parser.add_argument("--gold", type=int, default=0, help="gold beads in each micrograph")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of labels")
    args = parser.parse_args()
    folder, here = args.output.resolve(), os.path.relpath(args.output)  # the project changes the current folder
    folder.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}

    start = time.monotonic()
    truth = {name: simulate(folder / name, count, seed, args) for name, (count, seed) in DATA.items()}
    seconds["simulate"] = time.monotonic() - start
    picks, of_runs = run_project(folder, truth, args.seed)
    seconds.update(of_runs)

    start = time.monotonic()
    write_coordinates(folder / "picks.star", picks)
    result = json.loads(pupicker(
        "evaluate", "--picks", folder / "picks.star", "--truth", folder / "other" / "truth.star",
        "--diameter", DIAMETER_ANG, "--pixel-size", PIXEL_SIZE_ANG,
        "--plot", folder / "precision_recall.png", "--json",
    ))
    first = sorted((folder / "other").glob("*.mrc"))[0]
    draw(folder / "picks.png", first, picks, truth["other"], result["best_f1_threshold"])
    seconds["evaluate and draw"] = time.monotonic() - start
    report(result, seconds, here)
    return 0


if __name__ == "__main__":
    sys.exit(main())
