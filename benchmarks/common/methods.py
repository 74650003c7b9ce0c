"""One run of a method: training on labels, picking the test micrographs, average precision of the picks.

Topaz 0.3.20 is run as its documentation says, and so that its known faults do not count against it: the prior makes
up for its count of a disc's pixels, which is 2r+1 times too large (`--pi` = pi + 2 r p, p the labelled fraction), pi
itself comes from the true number of particles of the training micrographs, and data are loaded in one process, because
its workers share one random state.  It trains until its process has used a given processor time and finished that
epoch; the learning rate is constant, so any moment is as good as the end of a schedule.  On a GPU, where that time says
nothing, and elsewhere on request, it makes as many updates as the processor time gives on the fastest core seen.  Its
own schedule is 10,000 updates.  Trainings whose updates are counted, not their time, are run by topaz_minibatches.py,
which makes the same minibatches faster.  Both programs' picks are scored alike.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.datasets import BenchmarkSet, cache_folder, read_table
from benchmarks.common.real_sets import LOWEST_THRESHOLD
from benchmarks.common.runs import DEVICE, Failure, Records, hardware, process, pupicker_code, sha256

TOPAZ_NETWORKS = {"topaz-conv31": ["-m", "conv31", "--no-pretrained"], "topaz-resnet8": ["-m", "resnet8"]}
TOPAZ_RADIUS_PX = 3
PARTICLE_PX = 22  # extent of a particle at the working pixel size, of both programs
EPOCH_UPDATES = {"topaz-conv31": 100, "topaz-resnet8": 25}  # how often there is a model, and the budget is looked at
UPDATES_PER_S = {"topaz-conv31": 8.3, "topaz-resnet8": 1.5}  # of one core, the most that the records have
TOPAZ_DEVICE = -1 if DEVICE == "cpu" else 0
DEFAULT_UPDATES = 10000  # of Topaz's own schedule
MINIBATCHES = ("-m", "benchmarks.topaz_minibatches")  # from the root of the repository, as all of these


def pupicker_run(chosen: BenchmarkSet, table: Path, draw: int, options: list[str], curve: bool = False
                 ) -> dict[str, Any]:
    """Train, pick and evaluate with pupicker; `options` go to `pupicker train`; with the precision-recall `curve`."""
    with tempfile.TemporaryDirectory(prefix="pupicker-") as name:
        work = Path(name)
        model, picks, log = work / "model.pupicker", work / "picks.tsv", work / "log"
        common = ["--device", DEVICE, "--threads", 1, "--pixel-size", chosen.pixel_size_ang]
        start = [sys.executable, "-m", "pupicker"]
        training = process([*start, "train", *chosen.training, "--picks", table, "--diameter", chosen.diameter_ang,
                            "--output", model, "--seed", draw, "--report", work / "train.json", *common, *options], log)
        picking = process([*start, "pick", *chosen.test, "--model", model, "--output", picks,
                           f"--threshold={LOWEST_THRESHOLD}", *common], log)
        card = json.loads((work / "train.json").read_text())
        score = evaluate(chosen, picks, work, model)
        if curve:
            score["curve"] = precision_recall(chosen, picks, work)
            score["suggested_threshold"] = card["suggested_threshold"]
    return {
        **score, "training": {**training, "updates": card["validation"]["best_updates"]}, "picking": picking,
        "validation_ap": card["validation"]["average_precision"],
        "particles_per_micrograph": card["particles_per_micrograph"],
    }


def record_unit(
    records: Records, chosen: BenchmarkSet, method: str, labels: int, draw: int, settings: dict[str, Any],
    options: list[str],
) -> None:
    """Train with these options of `pupicker train` and score, unless this code's record is there."""
    table, code = chosen.labels(labels, draw), pupicker_code()
    unit = {"set": chosen.name, "method": method, "labels": labels, "draw": draw, "labels_sha256": sha256(table),
            "settings": {**settings, "code": code["code"]}}
    records.run(unit, lambda: pupicker_run(chosen, table, draw, options, settings.get("curve", False)),
                {"machine": hardware(), "versions": {"pupicker": code}})


def paper_options(chosen: BenchmarkSet, labels: int, settings: dict[str, Any]) -> list[str]:
    """Options of `pupicker train` for a training the paper's way."""
    expected = settings["prior_factor"] * chosen.particles(chosen.training) / len(chosen.training)
    out = ["--network", "conv31", "--start", "random", "--validation-fraction", "0", "--updates",
           str(settings["updates"]), "--objective", settings["objective"],
           "--particles-per-micrograph", f"{expected:.3f}"]
    if "autoencoder" in settings:
        weight = settings["autoencoder"]
        out += ["--autoencoder", f"{10 / labels:g}" if weight == "10/N" else f"{weight:g}"]
    return out


def evaluate(chosen: BenchmarkSet, picks: Path, work: Path, model: Path | None = None) -> dict[str, Any]:
    """Average precision, best F1 and so on of picks on the test micrographs, with `model` also over regions."""
    command = [sys.executable, "-m", "pupicker", "evaluate", "--picks", picks, "--truth", chosen.truth, "--radius",
               chosen.match_radius_px, "--micrographs", *(chosen.test if model else [p.stem for p in chosen.test]),
               "--threads", 1, "--json"]
    if model is not None:
        command += ["--model", model, "--pixel-size", chosen.pixel_size_ang, "--device", DEVICE]
    process(command, work / "score.json")
    text = (work / "score.json").read_text()
    score = json.loads(text[text.index("{"):])
    names = ("average_precision", "best_f1", "recall", "picks", "truth", "region_average_precision")
    return {name: score[name] for name in names if score.get(name) is not None}


def precision_recall(chosen: BenchmarkSet, picks: Path, work: Path) -> dict[str, list[float]]:
    """Precision, recall and F1 at two hundred thresholds, highest first."""
    matches = work / "matches.tsv"
    process([sys.executable, "-m", "pupicker", "evaluate", "--picks", picks, "--truth", chosen.truth, "--radius",
             chosen.match_radius_px, "--micrographs", *[p.stem for p in chosen.test], "--matches", matches],
            work / "log")
    rows = [line.split("\t")[3:] for line in matches.read_text().splitlines()[1:]]
    scores = [float(score) for score, outcome in rows if outcome != "missed"]
    found = np.cumsum([outcome == "hit" for _, outcome in rows if outcome != "missed"])
    at = np.unique(np.linspace(0, len(scores) - 1, 200).astype(int))
    precision, recall = found[at] / (at + 1), found[at] / chosen.particles(chosen.test)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    values = {"threshold": np.array(scores)[at], "precision": precision, "recall": recall, "f1": f1}
    return {name: [round(float(v), 4) for v in column] for name, column in values.items()}


class Topaz:
    """The `topaz` program of an environment made by topaz_environment.sh."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def version(self) -> str:
        """As the program says it."""
        with tempfile.TemporaryDirectory() as name:
            log = Path(name) / "log"
            process([self.program, "--version"], log)
            return log.read_text().strip().splitlines()[-1]

    def run(self, method: str, chosen: BenchmarkSet, table: Path, settings: dict[str, Any],
            limit_min: float | None = None) -> dict[str, Any]:
        """Train with a budget of processor seconds or of updates; score the last model.

        `settings` has `scale`, `radius_px`, `budget_cpu_s` or `budget_updates`, and `moments`: fractions of the budget
        at which the model is scored too, because with few labels a longer training may be a worse one.  After
        `limit_min` minutes the training ends with fewer updates; the result says how many.
        """
        scale = settings["scale"]
        with tempfile.TemporaryDirectory(prefix="topaz-") as name:
            work = Path(name)
            models, training, prior = self.train(method, chosen, table, settings, work, limit_min)
            scores = {updates: self.pick(chosen, model, scale, work) for updates, model in models.items()}
        by_updates = {str(updates): scores[updates]["average_precision"] for updates in sorted(scores)}
        return {**scores[max(scores)], "training": training, "pi": round(prior["pi"], 6),
                "average_precision_by_updates": by_updates}

    def train(
        self, method: str, chosen: BenchmarkSet, table: Path, settings: dict[str, Any], work: Path,
        limit_min: float | None = None,
    ) -> tuple[dict[int, Path], dict[str, Any], dict[str, float]]:
        """As :meth:`run` says; updates -> model to score in `work`, what the training took, and the prior."""
        scale, radius = settings["scale"], settings["radius_px"]
        prior = _write_training(chosen, table, self.preprocessed(chosen, scale), scale, radius, work)
        return *self._train(method, work, prior, radius, settings, limit_min), prior

    def shipped(self, model: str, chosen: BenchmarkSet) -> dict[str, Any]:
        """Score one of the models that come with Topaz as it is."""
        scale = topaz_scale(chosen)
        with tempfile.TemporaryDirectory(prefix="topaz-") as name:
            return self.pick(chosen, model, scale, Path(name))

    def preprocessing(self, scale: int, output: Path) -> list[object]:
        """The command that downsamples and normalises, without its micrographs."""
        return [self.program, "preprocess", "-s", scale, "--sample", 1, "-d", -1, "-j", 1, "-o", output]

    def preprocessed(self, chosen: BenchmarkSet, scale: int) -> Path:
        """Downsampled and normalised micrographs, made once."""
        folder = cache_folder() / "topaz" / f"{chosen.name}-{chosen.truth.parent.name}-{scale}"
        if not (folder / "done").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            process([*self.preprocessing(scale, folder), *chosen.training, *chosen.test], folder / "log")
            (folder / "done").touch()
        return folder

    def _train(self, method: str, work: Path, prior: dict[str, float], radius: int, settings: dict[str, Any],
               limit_min: float | None) -> tuple[dict[int, Path], dict[str, Any]]:
        """Updates -> model to score, and what the training took."""
        budget_s, updates = settings.get("budget_cpu_s"), EPOCH_UPDATES[method]
        epochs = 100000 if budget_s else -(-settings["budget_updates"] // updates)
        seen: dict[int, float] = {}  # epoch -> processor seconds when its model was there
        start, complete = time.monotonic(), [0.0]

        def look(used: float) -> None:
            for file in work.glob("model_epoch*.sav"):
                seen.setdefault(int(file.stem.rsplit("epoch", 1)[1]), used)

        def enough(used: float) -> bool:
            if not complete[0]:
                look(used)
                late = limit_min is not None and bool(seen) and time.monotonic() - start > 60 * limit_min
                if late or (budget_s is not None and any(spent >= budget_s for spent in seen.values())):
                    complete[0] = time.monotonic()
            return bool(complete[0]) and time.monotonic() - complete[0] > 2  # the file may still be being written

        log = work / "train.log"
        program = [self.program] if budget_s else [self.program.with_name("python"), *MINIBATCHES]
        seconds = process([
            *program, "train", "--train-images", work / "images.txt", "--train-targets", work / "targets.txt",
            "--pi", f"{prior['argument']:.6f}", "-r", radius, *TOPAZ_NETWORKS[method], "--num-workers", 0, "-j", 1,
            "-d", TOPAZ_DEVICE, "--epoch-size", updates, "--num-epochs", epochs, "--save-prefix", work / "model",
            "-o", work / "curve.txt"], log, enough)
        if not complete[0]:
            look(seconds["cpu_s"])
        if "setting method to PN" in log.read_text():
            raise Failure("topaz train changed the objective to PN; the prior is wrong")
        last = next((e for e in sorted(seen) if budget_s and seen[e] >= budget_s), max(seen))
        done = {e: seen[e] / budget_s if budget_s else e / epochs for e in seen if e <= last}
        moments = {min(e for e in done if done[e] >= moment) for moment in settings["moments"] if done[last] >= moment}
        models = {epoch * updates: _model(work, epoch) for epoch in sorted(moments | {last})}
        return models, {**seconds, "cpu_s": round(seen[last], 1), "updates": last * updates}

    def extraction(self, chosen: BenchmarkSet, model: Path | str, scale: int, output: Path) -> list[object]:
        """The command that picks, without its threshold and micrographs."""
        return [self.program, "extract", "-m", model, "-r", extraction_radius_px(chosen, scale), "-d", TOPAZ_DEVICE,
                "-j", 1, "--num-workers", 0, "-o", output]

    def pick(self, chosen: BenchmarkSet, model: Path | str, scale: int, work: Path) -> dict[str, Any]:
        """Pick the test micrographs and score the picks."""
        picks = work / "picks.tsv"
        picking = self.extract(chosen, model, scale, work, picks)
        return {**evaluate(chosen, picks, work), "picking": picking}

    def extract(self, chosen: BenchmarkSet, model: Path | str, scale: int, work: Path, picks: Path
                ) -> dict[str, float]:
        """Pick the test micrographs into a table in their own pixels; what it took."""
        found, folder = work / "found.txt", self.preprocessed(chosen, scale)
        micrographs = [folder / path.name for path in chosen.test]
        picking = process([*self.extraction(chosen, model, scale, found), "-t", LOWEST_THRESHOLD, *micrographs],
                          work / "pick.log")
        rows = [line.split("\t") for line in found.read_text().splitlines()[1:]]
        picks.write_text("micrograph\tx\ty\tscore\n" + "".join(
            f"{m}\t{float(x) * scale}\t{float(y) * scale}\t{s}\n" for m, x, y, s in rows))
        return picking


def topaz_scale(chosen: BenchmarkSet) -> int:
    """Whole factor of downsampling with which a particle is nearest to 22 pixels; Topaz takes whole factors only."""
    return max(1, round(chosen.diameter_ang / chosen.pixel_size_ang / PARTICLE_PX))


def extraction_radius_px(chosen: BenchmarkSet, scale: int) -> int:
    """Half a particle in downsampled pixels, as Topaz's users suppress picks."""
    return round(0.5 * chosen.diameter_ang / chosen.pixel_size_ang / scale)


def _model(work: Path, epoch: int) -> Path:
    return next(p for p in work.glob("model_epoch*.sav") if int(re.sub(r"\D", "", p.stem)) == epoch)


def _write_training(chosen: BenchmarkSet, table: Path, folder: Path, scale: int, radius: int, work: Path
                    ) -> dict[str, float]:
    """Lists of micrographs and labels for Topaz; the prior, and the argument that makes Topaz use it."""
    import mrcfile

    (work / "images.txt").write_text("image_name\tpath\n" + "".join(
        f"{p.stem}\t{folder / p.name}\n" for p in chosen.training))
    labels = read_table(table)
    (work / "targets.txt").write_text("image_name\tx_coord\ty_coord\n" + "".join(
        f"{m}\t{x / scale:.3f}\t{y / scale:.3f}\n" for m, x, y in labels))
    pixels = 0
    for path in chosen.training:
        with mrcfile.open(folder / path.name, header_only=True) as file:
            pixels += int(file.header.nx) * int(file.header.ny)
    disc = sum(i * i + j * j <= radius * radius for i in range(-radius, radius + 1) for j in range(-radius, radius + 1))
    prior = chosen.particles(chosen.training) * disc / pixels
    return {"pi": prior, "argument": prior + 2 * radius * len(labels) * disc / pixels}
