"""How long the windows of many micrographs take to open: from the files to a drawn window.

    python benchmarks/viewer_start.py [--micrographs 1000] [--picks 300]

Needs Scipion's packages and an X display (DISPLAY or PUPICKER_DISPLAY).  Coordinates and one micrograph (4096 px
square, shared by all names) are made in a temporary folder.  Results: results/viewer_start.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pupicker.tests.protocols import scipion_environment  # noqa: F401  (before pyworkflow is imported)

SIDE_PX = 4096
REPORT = {"validation": {"best_updates": 1000}, "curve": [
    {"stage": "selection", "updates": 100 * n, "loss": 1 / n, "particles_per_micrograph": 300.0, "validation": 0.5}
    for n in range(1, 21)]}


def make_sets(folder: Path, micrographs: int, picks: int) -> Any:
    """Write the sets of a made-up picking; return the coordinates."""
    import mrcfile
    from pwem.objects import Coordinate, Micrograph, SetOfCoordinates, SetOfMicrographs
    from pyworkflow.object import Float

    generator = np.random.default_rng(1)
    with mrcfile.new(folder / "mic.mrc") as mrc:
        mrc.set_data(generator.normal(size=(SIDE_PX, SIDE_PX)).astype(np.float32))
    mic_set = SetOfMicrographs(filename=str(folder / "micrographs.sqlite"))
    mic_set.setSamplingRate(1.0)
    coord_set = SetOfCoordinates(filename=str(folder / "coordinates.sqlite"))
    coord_set.setBoxSize(200)
    coord_set.setMicrographs(mic_set)
    for number in range(micrographs):
        mic = Micrograph(location=str(folder / "mic.mrc"))
        mic.setMicName(f"mic_{number:05d}.mrc")
        mic_set.append(mic)
        positions, scores = generator.integers(0, SIDE_PX, (picks, 2)).tolist(), generator.normal(0, 3, picks).tolist()
        for (x, y), score in zip(positions, scores, strict=True):
            coord = Coordinate(x=x, y=y)
            coord.setMicrograph(mic)
            coord._pupickerScore = Float(score)
            coord._pupickerProbability = Float(1 / (1 + np.exp(-score)))
            coord_set.append(coord)
    mic_set.write()
    coord_set.write()
    return coord_set


def write_matches(folder: Path, coord_set: Any) -> tuple[Path, Path]:
    """The tables that evaluation and training windows read: two thirds hits; all of them as labels."""
    matches, labels = folder / "matches.tsv", folder / "labels.tsv"
    outcomes = ("hit", "hit", "hit", "hit", "missed", "false")
    with open(matches, "w") as table, open(labels, "w") as plain:
        table.write("micrograph\tx\ty\tscore\toutcome\n")
        plain.write("micrograph\tx\ty\n")
        for number, coord in enumerate(coord_set):
            outcome, x, y = outcomes[number % len(outcomes)], coord.getX(), coord.getY()
            name = f"mic{coord.getMicId():06d}"
            score = "" if outcome == "missed" else f"{coord._pupickerScore.get():.4f}"
            table.write(f"{name}\t{x}\t{y}\t{score}\t{outcome}\n")
            plain.write(f"{name}\t{x}\t{y}\n")
    return matches, labels


def opening(build: Callable[[], Any]) -> dict[str, float]:
    """Wall and processor seconds from nothing to a drawn window, which is closed again."""
    begin, busy = time.perf_counter(), time.process_time()
    window = build()
    window.root.deiconify()
    window.root.update()
    drawn, used = time.perf_counter() - begin, time.process_time() - busy
    window.root.destroy()
    return {"open_s": round(drawn, 3), "open_processor_s": round(used, 3)}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micrographs", type=int, default=1000)
    parser.add_argument("--picks", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "viewer_start.json")
    args = parser.parse_args()
    if "DISPLAY" not in os.environ and not os.environ.get("PUPICKER_DISPLAY"):
        sys.exit("needs a display: run it with PUPICKER_DISPLAY set to one, e.g. of Xvfb")
    os.environ["DISPLAY"] = os.environ.get("PUPICKER_DISPLAY") or os.environ["DISPLAY"]
    from pupicker.viewers.scored_set import readMicrographs, readScoredSet
    from pupicker.viewers.viewer_evaluation import EvaluationWindow, readMatches
    from pupicker.viewers.viewer_scores import ScoresWindow
    from pupicker.viewers.viewer_training import TrainingWindow, readLabels

    with tempfile.TemporaryDirectory() as folder:
        coord_set = make_sets(Path(folder), args.micrographs, args.picks)
        begin, busy = time.perf_counter(), time.process_time()
        data = readScoredSet(coord_set)
        read = time.perf_counter()
        window = ScoresWindow(None, data, None, None, "")
        window.root.deiconify()
        window.root.update()
        drawn, used = time.perf_counter(), time.process_time()
        window.threshold.set(1.0)
        window.root.update()
        moved = time.perf_counter()
        window.root.destroy()
        matches, labels = write_matches(Path(folder), coord_set)
        mic_set = coord_set.getMicrographs()
        others = {
            "evaluation": opening(lambda: EvaluationWindow(
                None, readMicrographs(mic_set), readMatches(str(matches)), 100, 0.0, 0.5)),
            "training": opening(lambda: TrainingWindow(
                None, readMicrographs(mic_set), readLabels(str(labels)), 100, REPORT)),
        }
    result = {"micrographs": args.micrographs, "picks": len(data.score), "micrograph_side_px": SIDE_PX,
              "read_s": round(read - begin, 3), "open_s": round(drawn - begin, 3),
              "open_processor_s": round(used - busy, 3), "threshold_change_s": round(moved - drawn, 3),
              **others,
              "load_average": os.getloadavg()[0]}
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
