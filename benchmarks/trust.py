"""Is true what pupicker says of its picks?  And does it pick nothing where there is nothing?

    python -m benchmarks.trust run [--sets apoferritin t20s] [--labels 10 50 100] [--draws 0 1 2]
    python -m benchmarks.trust numbers [--sets ...] [--labels ...] [--draws ...]
    python -m benchmarks.trust report

For every set, number of labels and draw a model is trained with the defaults; beside it stands the general model, which
has no labels.  The test micrographs, which nothing was tuned on, are picked at the default threshold; what is claimed
(precision, recall, number of particles with its interval) is compared with the truth.  The same models then pick real
micrographs of six classes, two of them without particles (`quality_classes` of the data), with a pixel size at which a
particle of 150 Å has the size that the model knows.

β-galactosidase: a second person's particles lie on the annotation in 87 of 100 cases, so precision and number of
annotated particles are also given over 0.87: what they would be if the annotation were complete.

`numbers` asks for the number of particles and its interval alone, which are known before anything is learnt, in
seconds; where it was run, the table has its intervals.

Results: results/trust.jsonl, a line a model; trust.md and trust.png.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import BenchmarkSet, data_folder, load_set
from benchmarks.common.figures import panels, save
from benchmarks.common.methods import evaluate
from benchmarks.common.real_sets import LOWEST_THRESHOLD
from benchmarks.common.runs import RESULTS, Failure, Records, hardware, process, pupicker_code, sha256
from pupicker import read_coordinates
from pupicker.shared.atomic import write_text

SETS = ("apoferritin", "bgal", "t20s", "stick", "trimer")
GENERAL = 0
"""Number of labels of the general model."""
NUMBER = "number"
"""Method of the records of the number alone."""

COMPLETENESS = {"bgal": 0.87}
CLASSES = ("empty_no_ice", "empty_vitreous_ice", "contaminated", "crystalline_ice", "decent", "great")
CLASS_PIXEL_SIZE_ANG, CLASS_DIAMETER_ANG = 5.0, 150.0
PUPICKER = (sys.executable, "-m", "pupicker")


def one_model(chosen: BenchmarkSet, labels: int, draw: int) -> dict[str, Any]:
    """Train (or take the general model), pick, compare."""
    common = ["--threads", 1, "--device", "cpu"]
    with tempfile.TemporaryDirectory(prefix="trust-") as name:
        work = Path(name)
        model, log = work / "model.pupicker", work / "log"
        out: dict[str, Any] = {"training": None}
        card: dict[str, Any] = {}
        picker: list[object] = ["baseline", "general", "--diameter", chosen.diameter_ang]
        if labels:
            out["training"] = process(
                [*PUPICKER, "train", *chosen.training, "--picks", chosen.labels(labels, draw), "--diameter",
                 chosen.diameter_ang, "--pixel-size", chosen.pixel_size_ang, "--output", model, "--seed", draw,
                 "--report", work / "train.json", *common], log)
            card = json.loads((work / "train.json").read_text())
            picker = ["pick", "--model", model]
        size = ["--pixel-size", chosen.pixel_size_ang]
        process([*PUPICKER, *picker, *chosen.test, "--output", work / "all.tsv", f"--threshold={LOWEST_THRESHOLD}",
                 *size, *common], log)
        process([*PUPICKER, *picker, *chosen.test, "--output", work / "picks.tsv", *size, *common], log)
        score = evaluate(chosen, work / "all.tsv", work)
        at_default = evaluate(chosen, work / "picks.tsv", work)
        out |= {"average_precision": score["average_precision"], **_claims(chosen, work, at_default, card)}
        out["classes"] = _classes(picker, card, work)
    return out


def one_number(chosen: BenchmarkSet, labels: int, draw: int) -> dict[str, Any]:
    """What a training says of the number of particles at its start: one with a single update."""
    with tempfile.TemporaryDirectory(prefix="trust-") as name:
        work = Path(name)
        process([*PUPICKER, "train", *chosen.training, "--picks", chosen.labels(labels, draw), "--diameter",
                 chosen.diameter_ang, "--pixel-size", chosen.pixel_size_ang, "--output", work / "model.pupicker",
                 "--updates", 1, "--report", work / "train.json", "--threads", 1, "--device", "cpu"], work / "log")
        return _number(chosen, json.loads((work / "train.json").read_text()))


def _number(chosen: BenchmarkSet, card: dict[str, Any]) -> dict[str, Any]:
    """The claimed number and its interval, and the true one of the training micrographs, which both are of."""
    interval = card.get("particles_interval") or {}
    return {"claimed_particles": card["particles_per_micrograph"],
            "interval": [interval.get("low"), interval.get("high")],
            "training_particles": chosen.particles(chosen.training) / len(chosen.training)}


def _claims(
    chosen: BenchmarkSet, work: Path, found: dict[str, Any], card: dict[str, Any]
) -> dict[str, Any]:
    """What is claimed and what is true, of picks at the default threshold."""
    picks, number = int(found["picks"]), len(chosen.test)
    hits = found["recall"] * found["truth"]
    table = read_coordinates(work / "picks.tsv")
    probability = None if table.probability is None or not picks else float(table.probability.mean())
    return {
        "picks": picks, "precision": round(hits / picks, 4) if picks else None, "recall": round(found["recall"], 4),
        "claimed_precision": card.get("expected_precision") or probability,
        "claimed_recall": card.get("expected_recall"),
        "mean_probability": probability, "particles": found["truth"] / number,
        **_number(chosen, {"particles_per_micrograph": picks / number, **card}),
    }


def _classes(picker: list[object], card: dict[str, Any], work: Path) -> dict[str, list[int]]:
    """Picks on each micrograph of the classes."""
    diameter = card.get("diameter_ang", CLASS_DIAMETER_ANG)
    size = CLASS_PIXEL_SIZE_ANG * diameter / CLASS_DIAMETER_ANG
    own = picker if card else ["baseline", "general", "--diameter", CLASS_DIAMETER_ANG]
    paths = {kind: sorted((data_folder() / "quality_classes" / kind).glob("*.mrc")) for kind in CLASSES}
    process([*PUPICKER, *own, *[path for some in paths.values() for path in some], "--output", work / "classes.tsv",
             "--pixel-size", size, "--threads", 1, "--device", "cpu"], work / "log")
    table = read_coordinates(work / "classes.tsv")
    return {kind: [len(table.of(str(path))) for path in some] for kind, some in paths.items()}


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded."""
    records, code = Records(RESULTS / "trust.jsonl"), pupicker_code()
    number = args.action == "numbers"
    common = {"versions": {"pupicker": code}, "machine": hardware()}
    for draw in args.draws:
        for labels in args.labels:
            for name in args.sets:
                if labels == GENERAL and (draw or number):
                    continue
                chosen = load_set(name, data_folder())
                method = NUMBER if number else "pupicker" if labels else "general model"
                unit = {"set": name, "method": method, "labels": labels, "draw": draw,
                        "settings": {"code": code["code"]},
                        "labels_sha256": sha256(chosen.labels(labels, draw)) if labels else ""}
                try:
                    records.run(unit, partial(one_number if number else one_model, chosen, labels, draw), common)
                except Failure as problem:
                    print(problem, flush=True)


def true_precision(record: dict[str, Any]) -> float:
    """Precision; where the annotation is known to be incomplete, as if it were complete."""
    return min(1.0, (record["precision"] or 0.0) / COMPLETENESS.get(record["set"], 1.0))


def true_number(record: dict[str, Any], role: str = "training_particles") -> float:
    """Particles a micrograph, with the same correction."""
    return float(record[role]) / COMPLETENESS.get(record["set"], 1.0)


def _of(records: list[dict[str, Any]], name: str, labels: int, numbers: bool = False) -> list[dict[str, Any]]:
    return [r for r in records if r["set"] == name and r["labels"] == labels and (r["method"] == NUMBER) == numbers]


def _held(records: list[dict[str, Any]]) -> str:
    """How many intervals hold the true number, of those there are."""
    held = [r["interval"][0] <= true_number(r) <= r["interval"][1] for r in records if r["interval"][0] is not None]
    return f"{sum(held)} of {len(held)}" if held else "–"


def _mean(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.mean(known):.2f}" if known else "–"


def table(records: list[dict[str, Any]]) -> str:
    """Claimed against true, and picks on micrographs of each class."""
    lines = ["# Is true what is said of the picks?", "",
             "Made by `python -m benchmarks.trust report`. Means over the draws; β-galactosidase also as if its"
             " annotation were complete (0.87 of a second person's particles lie on it).", "",
             "| set | labels | draws | precision claimed / true | recall claimed / true | particles claimed / true |"
             " interval holds it | AP |", "|---|---|---|---|---|---|---|---|"]
    for name in SETS:
        for labels in sorted({r["labels"] for r in records}):
            own = _of(records, name, labels)
            if not own:
                continue
            true = _mean(r["precision"] for r in own)
            if name in COMPLETENESS:
                true += f" ({_mean(map(true_precision, own))})"
            ratios = [r["claimed_particles"] / true_number(r, "training_particles" if labels else "particles")
                      for r in own]
            held = _held(_of(records, name, labels, numbers=True) or own)
            lines.append(
                f"| {name} | {labels or 'none'} | {len(own)} | {_mean(r['claimed_precision'] for r in own)} / {true} |"
                f" {_mean(r['claimed_recall'] for r in own)} / {_mean(r['recall'] for r in own)} |"
                f" {_mean(ratios)} ({min(ratios):.2f} to {max(ratios):.2f}) |"
                f" {held} | {_mean(r['average_precision'] for r in own)} |")
    lines += ["", "## Micrographs of six classes", "",
              "Picks on each of three micrographs at the default threshold, medians over the draws.", "",
              "| model of | labels | " + " | ".join(kind.replace("_", " ") for kind in CLASSES) + " |",
              "|---|---|" + "---|" * len(CLASSES)]
    for name in SETS:
        for labels in sorted({r["labels"] for r in records}):
            own = _of(records, name, labels)
            if not own or (labels == GENERAL and name != SETS[0]):
                continue
            cells = [", ".join(f"{statistics.median(r['classes'][kind][i] for r in own):.0f}" for i in range(3))
                     for kind in CLASSES]
            lines.append(f"| {name if labels else 'the general model'} | {labels or 'none'} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figure(records: list[dict[str, Any]], path: Path) -> None:
    """Claimed against true precision and number; picks on micrographs without particles."""
    drawn, grid = panels(1, 3, (11, 3.8))
    precision, number, empty = grid[0]
    models = [r for r in records if r["method"] != NUMBER]
    for name, colour in zip(SETS, ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"), strict=True):
        own = [r for r in models if r["set"] == name and r["claimed_precision"] is not None]
        precision.plot([r["claimed_precision"] for r in own], [true_precision(r) for r in own], "o", color=colour,
                       label=name, markersize=4)
        trained = [r for r in own if r["labels"]]
        number.semilogx([r["labels"] * 1.0 for r in trained],
                        [r["claimed_particles"] / true_number(r) for r in trained], "o", color=colour, markersize=4)
    precision.plot([0.5, 1], [0.5, 1], "--", color="#888888")
    precision.set(xlabel="precision claimed", ylabel="precision true", xlim=(0.5, 1.01), ylim=(0.5, 1.01))
    precision.legend(fontsize=7)
    for ratio in (0.8, 1.25):
        number.axhline(ratio, linestyle="--", color="#888888")
    number.set(xlabel="labels", ylabel="particles claimed / true", ylim=(0.5, 1.6))
    counts = sorted({r["labels"] for r in models if r["labels"]})
    number.set_xticks(counts, [str(count) for count in counts])
    number.minorticks_off()
    kinds = [[count for r in models for count in r["classes"][kind]] for kind in CLASSES]
    empty.boxplot(kinds, showfliers=False)
    empty.set_xticks(range(1, len(kinds) + 1), [kind.replace("_", "\n") for kind in CLASSES], fontsize=6)
    empty.set(ylabel="picks on a micrograph, all models")
    save(drawn, path)


def report() -> None:
    """Write table and figure of what is recorded of the present version of the method."""
    code = pupicker_code()["code"]
    records = [r for r in Records(RESULTS / "trust.jsonl").load() if r["settings"]["code"] == code]
    write_text(RESULTS / "trust.md", table(records))
    figure(records, RESULTS / "trust.png")


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("run", "numbers", "report"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--labels", nargs="+", type=int, default=[GENERAL, 10, 50, 100])
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    if args.action != "report":
        run(args)
    report()


if __name__ == "__main__":
    main()
