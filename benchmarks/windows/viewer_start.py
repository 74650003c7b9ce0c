"""How long the windows of many micrographs take to open: from the files to a drawn window.

    python -m benchmarks.windows.viewer_start [--micrographs 1000] [--picks 300]

Needs Scipion's packages and an X display (DISPLAY or PUPICKER_DISPLAY).  Coordinates and one micrograph (4096 px
square, shared by all names) are made in a temporary folder, where a model is trained too.  A dialog of a wizard counts
as open when it can be seen and, if it shows a micrograph, when that is drawn; it is timed from the press of the wand.
Each is opened five times: medians, and the longest.  The window that labels has three thousand micrographs, the process
behind it starts with it, and it is open when the first micrograph is drawn; also how long a click takes to be drawn.
Results: results/viewer_start.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tkinter as tk
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

SIDE_PX = 4096
LABELLED = 3000
DIAMETER_ANG = 150.0
POLL_MS = 5
REPEATS = 5
REPORT = {"validation": {"best_updates": 1000}, "curve": [
    {"stage": "selection", "updates": 100 * n, "loss": 1 / n, "particles_per_micrograph": 300.0, "validation": 0.5}
    for n in range(1, 21)]}


def set_up_scipion(folder: Path) -> None:
    """Make this process use a Scipion that keeps all it has in `folder`; pyworkflow must not be imported yet."""
    config = folder / "home" / "config"
    config.mkdir(parents=True)
    (folder / "user").mkdir()
    (config / "scipion.conf").write_text("[PYWORKFLOW]\nSCIPION_NOTIFY = False\n")
    (config / "hosts.conf").write_text("[localhost]\n")
    os.environ.update(
        SCIPION_HOME=str(folder / "home"), SCIPION_USER_DATA=str(folder / "user"), SCIPION_DOMAIN="pwem",
        SCIPION_CONFIG=str(config / "scipion.conf"), SCIPION_LOCAL_CONFIG=str(config / "scipion.conf"),
        SCIPION_HOSTS=str(config / "hosts.conf"), SCIPION_NOTIFY="False")


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


def repeated(measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Median of each number, and the longest opening."""
    found = [measure() for _ in range(REPEATS)]
    return {**{name: round(statistics.median(one[name] for one in found), 3) for name in found[0]},
            "longest_open_s": max(one["open_s"] for one in found)}


def opening(build: Callable[[], Any]) -> dict[str, float]:
    """Wall and processor seconds from nothing to a drawn window, which is closed again."""
    begin, busy = time.perf_counter(), time.process_time()
    window = build()
    window.root.deiconify()
    window.root.update()
    drawn, used = time.perf_counter() - begin, time.process_time() - busy
    window.root.destroy()
    return {"open_s": round(drawn, 3), "open_processor_s": round(used, 3)}


def make_model(folder: Path) -> Any:
    """A model, trained for one update on simulated particles; it is there to be opened, not to pick well."""
    from pupicker.objects import PuPickerModel

    for command in (f"simulate --output {folder}/sim --micrographs 2 --width 512 --height 512 --diameter 150",
                    f"train {folder}/sim --labels {folder}/sim/truth.star --diameter 150 --updates 1 "
                    f"--output {folder}/model.pupicker --report {folder}/train.json"):
        subprocess.run([sys.executable, "-m", "pupicker", *command.split()], check=True, capture_output=True)
    model = PuPickerModel(str(folder / "model.pupicker"))
    model.setInfo(json.loads((folder / "train.json").read_text()))
    return model


def made_up_cells() -> dict[str, Any]:
    """Table of a cross-validation with twelve combinations and four folds."""
    generator = np.random.default_rng(2)
    cells = []
    for number in range(12):
        folds = [{"average_precision": float(x), "recall": float(x)} for x in generator.uniform(0.5, 0.9, 4)]
        mean = float(np.mean([fold["recall"] for fold in folds]))
        cells.append({"cell": f"updates={100 * number + 100}", "average_precision": mean, "recall": mean,
                      "average_precision_error": 0.02, "recall_error": 0.02, "picks_per_micrograph": 300.0,
                      "folds": folds})
    return {"cells": cells, "best": "updates=1000", "as_good": [], "folds": 4}


def wizard_opening(root: Any, wizard: Any, protocol: Any, param: str) -> dict[str, float]:
    """Wall and processor seconds from the press of the wand to a dialog that is drawn, which is cancelled again."""
    from pyworkflow.gui.dialog import Dialog

    seen: dict[str, float] = {}
    begin, busy = time.perf_counter(), time.process_time()

    def look() -> None:
        shown = [child for child in root.winfo_children() if isinstance(child, Dialog) and child.winfo_viewable()]
        if not shown or getattr(shown[-1], "current", shown) is None:  # a micrograph is drawn when there is a current
            root.after(POLL_MS, look)
            return
        shown[-1].update_idletasks()
        seen.update(open_s=round(time.perf_counter() - begin, 3), open_processor_s=round(time.process_time() - busy, 3))
        shown[-1].destroy()

    root.after(POLL_MS, look)
    wizard.show(SimpleNamespace(root=root, protocol=protocol, wizParamName=param, setVar=lambda *args: None))
    return seen


def wizard_openings(coord_set: Any, model: Any) -> dict[str, Any]:
    """The dialogs of the wizards, on all micrographs."""
    from pupicker.protocols import ProtPuPickerPick, ProtPuPickerPreprocess, ProtPuPickerTrain
    from pupicker.wizards import PuPickerDetectionWizard, PuPickerDiameterWizard, PuPickerPriorWizard

    train, plain, pick = ProtPuPickerTrain(), ProtPuPickerPreprocess(), ProtPuPickerPick()
    train.inputCoordinates.set(coord_set)
    train.diameter.set(DIAMETER_ANG)
    plain.inputMicrographs.set(coord_set.getMicrographs())
    pick.inputMicrographs.set(coord_set.getMicrographs())
    pick.inputModel.set(model)
    root = tk.Tk()
    root.update()
    found = {title: repeated(partial(wizard_opening, root, wizard(), protocol, param))
             for title, wizard, protocol, param in (
        ("wizard, diameter, labels", PuPickerDiameterWizard, train, "diameter"),
        ("wizard, diameter, no labels", PuPickerDiameterWizard, plain, "diameter"),
        ("wizard, class prior", PuPickerPriorWizard, train, "priorMode"),
        ("wizard, detection preview", PuPickerDetectionWizard, pick, "threshold"))}
    root.destroy()
    return found


def viewer_openings(folder: Path, coord_set: Any, model: Any) -> dict[str, Any]:
    """The windows of the viewers but for the scores, on all micrographs."""
    from pupicker.viewers.model_header import readHeader
    from pupicker.viewers.scored_set import readMicrographs
    from pupicker.viewers.viewer_cross_validation import CrossValidationWindow
    from pupicker.viewers.viewer_evaluation import Evaluation, EvaluationWindow, readMatches
    from pupicker.viewers.viewer_model import ModelWindow
    from pupicker.viewers.viewer_training import TrainingWindow, readLabels

    matches, labels = write_matches(folder, coord_set)
    mic_set = coord_set.getMicrographs()
    builders: dict[str, Callable[[], Any]] = {
        "evaluation": lambda: EvaluationWindow(
            None, readMicrographs(mic_set), Evaluation(readMatches(str(matches)), 100, 0.0, 0.5)),
        "training": lambda: TrainingWindow(None, readMicrographs(mic_set), readLabels(str(labels)), 100, REPORT),
        "cross-validation": lambda: CrossValidationWindow(None, made_up_cells()),
        "model": lambda: ModelWindow(None, model, readHeader(model.getPath())),
    }
    return {title: repeated(partial(opening, build)) for title, build in builders.items()}


def scores_opening(coord_set: Any, folder: Path) -> dict[str, float]:
    """The window of the scores; also how long a move of the threshold takes."""
    from pupicker.protocols import ProtPuPickerPick
    from pupicker.viewers.scored_set import readScoredSet
    from pupicker.viewers.viewer_scores import ScoresWindow

    run = ProtPuPickerPick()
    run.workingDir.set(str(folder))
    begin, busy = time.perf_counter(), time.process_time()
    data = readScoredSet(coord_set)
    read = time.perf_counter()
    window = ScoresWindow(None, data, None, run, "outputCoordinates")
    window.root.deiconify()
    window.root.update()
    drawn, used = time.perf_counter(), time.process_time()
    window.threshold.set(1.0)
    window.root.update()
    moved = time.perf_counter()
    window.root.destroy()
    return {"read_s": round(read - begin, 3), "open_s": round(drawn - begin, 3),
            "open_processor_s": round(used - busy, 3), "threshold_change_s": round(moved - drawn, 3)}


def label_opening(folder: Path) -> dict[str, float]:
    """The window that labels, with the process behind it."""
    from pupicker.gui.micrograph_reader import readMicrograph
    from pupicker.shared.worker import Worker
    from pupicker.window.label_record import LabelRecord
    from pupicker.window.label_window import LabelWindow
    from pupicker.window.suggester import LabelMicrograph, Suggester

    file = str(folder / "mic.mrc")
    entries = [LabelMicrograph(f"m{n}", f"mic_{n:05d}_aligned_doseweighted.mrc", file, 1.0) for n in range(LABELLED)]
    with tempfile.TemporaryDirectory() as name, open(os.devnull, "w", encoding="utf-8") as log, \
            Worker([sys.executable, "-m", "pupicker", "serve"], log=log) as worker:
        begin, busy = time.perf_counter(), time.process_time()
        root, record = tk.Tk(), LabelRecord(str(Path(name) / "labels.json"))
        window = LabelWindow(root, entries, record, lambda one: readMicrograph(one.path, 1),
                             Suggester(worker, record, entries, name, {}))
        root.update()
        drawn, used = time.perf_counter(), time.process_time()
        window.click(SIDE_PX / 2, SIDE_PX / 2)
        root.update()
        clicked = time.perf_counter()
        window.close()
    return {"open_s": round(drawn - begin, 3), "open_processor_s": round(used - busy, 3),
            "click_s": round(clicked - drawn, 3)}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--micrographs", type=int, default=1000)
    parser.add_argument("--picks", type=int, default=300, help="on each of them")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "results" / "viewer_start.json")
    args = parser.parse_args()
    if "DISPLAY" not in os.environ and not os.environ.get("PUPICKER_DISPLAY"):
        sys.exit("needs a display: run it with PUPICKER_DISPLAY set to one, e.g. of Xvfb")
    os.environ["DISPLAY"] = os.environ.get("PUPICKER_DISPLAY") or os.environ["DISPLAY"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        set_up_scipion(folder / "scipion")
        coord_set, model = make_sets(folder, args.micrographs, args.picks), make_model(folder)
        dialogs = wizard_openings(coord_set, model)  # first: Scipion's icons belong to the first window of a program
        result = {"micrographs": args.micrographs, "picks": args.micrographs * args.picks,
                  "micrograph_side_px": SIDE_PX, "repeats": REPEATS,
                  "scores": repeated(partial(scores_opening, coord_set, folder)),
                  **viewer_openings(folder, coord_set, model), **dialogs,
                  f"label, {LABELLED} micrographs": repeated(partial(label_opening, folder)),
                  "load_average": os.getloadavg()[0]}
    args.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
