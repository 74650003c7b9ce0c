"""Picking without any label.

    python -m benchmarks.zero_labels run [--seeds 0 1] [--sets bgal] [--topaz venv-topaz/bin/topaz]
    python -m benchmarks.zero_labels report

Only the diameter is told.  On the test micrographs: the general model as it is, difference of Gaussians, and
template matching with a disc; models trained from the best proposals of each on the training micrographs; and with
`--topaz` the two sizes of network that Topaz ships with weights, resnet16 being what `topaz extract` takes by default.
Results: results/zero_labels.jsonl, a line as soon as it is measured (what is recorded is skipped), and .md; what a few
labels give is in results/label_efficiency.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import BenchmarkSet, data_folder, load_set
from benchmarks.common.methods import Topaz
from benchmarks.common.real_sets import LOWEST_THRESHOLD, pupicker
from benchmarks.common.runs import RESULTS, Records, hardware, pupicker_code
from benchmarks.label_efficiency_report import of_one_code
from pupicker.shared.atomic import write_text

SETS = ("apoferritin", "bgal", "t20s", "stick", "trimer")
SOURCES = ("general", "dog", "template")
TOPAZ_MODELS = ("resnet16", "resnet8")


def score(chosen: BenchmarkSet, picks: Path) -> float:
    """Average precision of a table on the test micrographs."""
    result, _ = pupicker(
        "evaluate", "--picks", picks, "--truth", chosen.truth, "--radius", chosen.match_radius_px, "--micrographs",
        *[path.stem for path in chosen.test], "--json",
    )
    return float(json.loads(result)["average_precision"])


def without_training(chosen: BenchmarkSet, source: str) -> dict[str, Any]:
    """A baseline as it is."""
    with tempfile.TemporaryDirectory() as folder:
        picks = Path(folder) / "picks.tsv"
        pupicker("baseline", source, *chosen.test, "--diameter", chosen.diameter_ang, "--output", picks,
                 f"--threshold={LOWEST_THRESHOLD}", "--threads", 1, "--pixel-size", chosen.pixel_size_ang)
        return {"average_precision": score(chosen, picks), "training": None}


def from_proposals(chosen: BenchmarkSet, source: str, seed: int) -> dict[str, Any]:
    """Train on proposals of the training micrographs, pick the test micrographs."""
    common = ("--threads", 1, "--pixel-size", chosen.pixel_size_ang)
    with tempfile.TemporaryDirectory() as folder:
        model, picks = Path(folder) / "model.pupicker", Path(folder) / "picks.tsv"
        _, seconds = pupicker("train", *chosen.training, "--proposals", source, "--diameter", chosen.diameter_ang,
                              "--output", model, "--seed", seed, *common)
        pupicker("pick", *chosen.test, "--model", model, "--output", picks, "--threshold", LOWEST_THRESHOLD, *common)
        return {"average_precision": score(chosen, picks), "training": seconds}


def shipped(topaz: Topaz, chosen: BenchmarkSet, model: str) -> dict[str, Any]:
    """Topaz with a model that comes with it."""
    return {**topaz.shipped(model, chosen), "training": None}


def report(records: list[dict[str, Any]]) -> str:
    """Table of the records: average precision without a training, and after it (mean over the seeds)."""
    lines = ["# Without labels", "",
             "Made by `python -m benchmarks.zero_labels report`: average precision on the test micrographs of what each"
             " proposes as it is, and of a model that was trained on its proposals (mean, number of seeds). Topaz: the"
             " models that come with it.", "",
             "| set | proposals of | as they are | trained on them | seeds |", "|---|---|---|---|---|"]
    for name, source in ((name, source) for name in SETS for source in (*SOURCES, *map(_of_topaz, TOPAZ_MODELS))):
        own = [r for r in records if (r["set"], r["method"]) == (name, source)]
        plain = [f"{r['average_precision']:.3f}" for r in own if r["draw"] is None]
        trained = [r["average_precision"] for r in own if r["draw"] is not None]
        mean = f"{statistics.mean(trained):.3f}" if trained else "–"
        lines.append(f"| {name} | {source} | {' '.join(plain) or '–'} | {mean} | {len(trained)} |")
    return "\n".join(lines) + "\n"


def _of_topaz(model: str) -> str:
    return f"topaz-{model}"


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded."""
    records = Records(args.records)
    code = pupicker_code()
    what = {"machine": hardware(), "versions": {"pupicker": code}}
    chosen = {name: load_set(name, args.data) for name in args.sets}
    for name, source in ((name, source) for name in args.sets for source in SOURCES):
        unit = {"set": name, "method": source, "labels": 0, "settings": {"code": code["code"]}}
        records.run({**unit, "draw": None}, partial(without_training, chosen[name], source), what)
        for seed in args.seeds:
            records.run({**unit, "draw": seed}, partial(from_proposals, chosen[name], source, seed), what)
    if args.topaz:
        topaz = Topaz(args.topaz)
        versions = {"machine": hardware(), "versions": {"topaz": topaz.version()}}
        for name, model in ((name, model) for name in args.sets for model in TOPAZ_MODELS):
            unit = {"set": name, "method": _of_topaz(model), "labels": 0, "settings": {}, "draw": None}
            records.run(unit, partial(shipped, topaz, chosen[name], model), versions)


def main() -> None:
    """Measure or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1])
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--topaz", type=Path, metavar="PROGRAM", help="measure Topaz too")
    parser.add_argument("--records", type=Path, default=RESULTS / "zero_labels.jsonl", metavar="FILE")
    args = parser.parse_args()
    if args.command == "run":
        run(args)
        return
    text = report(of_one_code(Records(args.records).load()))
    write_text(args.records.with_suffix(".md"), text)
    print(text)


if __name__ == "__main__":
    main()
