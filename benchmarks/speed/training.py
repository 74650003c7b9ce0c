"""Whole trainings, and the average precision of their models on the test micrographs.

pupicker finds the length of a training by itself.  Topaz trains for the processor seconds of label_efficiency, and is
told the true number of particles; what its own schedule of 10,000 updates would take follows from its seconds an update
(`own_schedule_cpu_s`).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import BenchmarkSet
from benchmarks.common.methods import DEFAULT_UPDATES, TOPAZ_RADIUS_PX, Topaz, evaluate
from benchmarks.common.real_sets import LOWEST_THRESHOLD
from benchmarks.common.runs import process, pupicker_code
from benchmarks.speed.inputs import Case, Plan

PART = "train"


def measure(plan: Plan) -> None:
    """Every set and number of labels; another draw of labels with every repetition."""
    for name in plan.trained:
        for labels in plan.labels:
            for repeat in range(plan.repeats):
                train(plan, name, labels, repeat)
                for network in plan.extent.topaz_networks if plan.topaz is not None and repeat == 0 else ():
                    train_topaz(plan, name, labels, network)


def train(plan: Plan, name: str, labels: int, repeat: int) -> None:
    """One training of pupicker."""
    plan.results.run(PART, name, "pupicker", partial(_pupicker, plan, plan.cases[name].chosen, labels, repeat), labels,
                     repeat)


def train_topaz(plan: Plan, name: str, labels: int, network: str) -> None:
    """One training of a network of Topaz."""
    assert plan.topaz is not None
    plan.results.run(PART, name, network, partial(_topaz, plan, plan.topaz, plan.cases[name], labels, network), labels)


def model_of(plan: Plan, chosen: BenchmarkSet) -> Path:
    """A model of pupicker that was trained with most labels; trained if there is none yet."""
    path = plan.model_path(chosen, plan.most_labels, pupicker_code()["commit"])
    if not path.is_file():
        print(f"training a model on {chosen.name}", flush=True)
        _pupicker(plan, chosen, plan.most_labels, 0)
    return path


def topaz_model_of(plan: Plan, topaz: Topaz, case: Case, network: str) -> Path:
    """As :func:`model_of`."""
    path = plan.model_path(case.chosen, plan.most_labels, network, ".sav")
    if not path.is_file():
        print(f"training {network} on {case.chosen.name}", flush=True)
        _topaz(plan, topaz, case, plan.most_labels, network)
    return path


def _pupicker(plan: Plan, chosen: BenchmarkSet, labels: int, draw: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        work = Path(folder)
        model, report = work / "model.pupicker", work / "train.json"
        seconds = process([
            sys.executable, "-m", "pupicker", "train", *chosen.training, "--picks", chosen.labels(labels, draw),
            "--diameter", chosen.diameter_ang, "--pixel-size", chosen.pixel_size_ang, "--output", model, "--seed", draw,
            "--report", report, "--threads", 1, "--device", "cpu", *plan.extent.training], plan.log(PART))
        card = json.loads(report.read_text())
        score = average_precision(chosen, model, work, plan.log("score"))
        if draw == 0:
            shutil.move(model, plan.model_path(chosen, labels, pupicker_code()["commit"]))
    return {**seconds, "updates": card["validation"]["best_updates"], "average_precision": score}


def _topaz(plan: Plan, topaz: Topaz, case: Case, labels: int, network: str) -> dict[str, Any]:
    scale = case.scales[0]
    settings = {"scale": scale, "radius_px": TOPAZ_RADIUS_PX, "budget_cpu_s": plan.extent.budgets_cpu_s[labels],
                "moments": ()}
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        work = Path(folder)
        models, training, _ = topaz.train(network, case.chosen, case.chosen.labels(labels, 0), settings, work)
        model = models[max(models)]
        score = topaz.pick(case.chosen, model, scale, work)["average_precision"]
        shutil.copy(model, plan.model_path(case.chosen, labels, network, ".sav"))
    whole = DEFAULT_UPDATES * training["cpu_s"] / training["updates"]
    return {**training, "scale": scale, "average_precision": score, "own_schedule_cpu_s": round(whole)}


def average_precision(chosen: BenchmarkSet, model: Path | None, work: Path, log: Path) -> float:
    """Of all candidates of a model (None: of the general model) on the test micrographs."""
    picks = work / "all.tsv"
    what = ["baseline", "general", "--diameter", chosen.diameter_ang] if model is None else ["pick", "--model", model]
    process([sys.executable, "-m", "pupicker", *what, *chosen.test, "--output", picks, "--pixel-size",
             chosen.pixel_size_ang, f"--threshold={LOWEST_THRESHOLD}", "--threads", 1, "--device", "cpu"], log)
    return float(evaluate(chosen, picks, work)["average_precision"])
