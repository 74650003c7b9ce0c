"""Picking without any label, on real micrographs.

    python benchmarks/zero_labels.py [--seeds 0 1] [--sets bgal]

Nothing is told but the diameter.  On the test micrographs: difference of Gaussians, template matching with a disc, and
the general weights as they are; models trained from the best proposals of each on the training micrographs.  Results:
results/zero_labels.jsonl, a line as soon as it is measured (what is recorded is skipped), and .md; what a few labels
give is in results/label_efficiency.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch

from datasets import data_folder
from label_efficiency_report import of_one_code
from pupicker.core.geometry import geometry
from pupicker.core.metrics import match_picks, precision_recall
from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
from pupicker.engine.atomic import write_text
from pupicker.engine.coordinates import read_coordinates
from pupicker.engine.dataset import load_training_set
from pupicker.engine.proposals import propose
from pupicker.engine.report import Report
from real_sets import LOWEST_THRESHOLD, SETS, micrographs, pupicker
from runs import RESULTS, Records, hardware, pupicker_code

SOURCES = ("dog", "template", "general")


def score(data: Path, name: str, picks: Path) -> float:
    """Average precision of a table on the test micrographs."""
    chosen = SETS[name]
    result, _ = pupicker(
        "evaluate", "--picks", picks, "--truth", data / chosen.folder / chosen.truth, "--radius",
        chosen.match_radius_px, "--micrographs", *[t.stem for t in micrographs(data, name, "test")], "--json",
    )
    return float(json.loads(result)["average_precision"])


def common(name: str) -> list[object]:
    """Options of all commands."""
    return ["--threads", 1, "--pixel-size", SETS[name].pixel_size_ang]


def without_training(data: Path, name: str, source: str) -> dict[str, Any]:
    """A baseline, or the general weights as they are."""
    if source == "general":
        return {"average_precision": general(data, name), "training": None}
    with tempfile.TemporaryDirectory() as folder:
        return {"average_precision": baseline(data, name, source, Path(folder)), "training": None}


def baseline(data: Path, name: str, source: str, work: Path) -> float:
    """Difference of Gaussians or a disc on the test micrographs."""
    picks = work / "picks.tsv"
    pupicker("baseline", source, *micrographs(data, name, "test"), "--diameter", SETS[name].diameter_ang, "--output",
             picks, "--threshold=-50", *common(name))
    return score(data, name, picks)


def general(data: Path, name: str) -> float:
    """The general weights on the test micrographs, whose truth is used for the score alone."""
    chosen, tests = SETS[name], micrographs(data, name, "test")
    lengths = geometry(chosen.diameter_ang, chosen.pixel_size_ang, NETWORKS[DEFAULT_NETWORK].particle_px())
    truth = read_coordinates(data / chosen.folder / chosen.truth, tests)
    images = load_training_set(tests, truth, chosen.pixel_size_ang, lengths, 1, Report("train")).micrographs
    radius = chosen.match_radius_px * chosen.pixel_size_ang / lengths.working_pixel_size_ang
    scores, hits = [], []
    for micrograph, (xy, logit) in zip(
        images, propose(images, "general", lengths, DEFAULT_NETWORK, torch.device("cpu")), strict=True
    ):
        scores.append(logit.numpy())
        hits.append(match_picks(xy.numpy(), logit.numpy(), micrograph.labels.numpy(), radius) >= 0)
    return precision_recall(hits, scores, sum(len(m.labels) for m in images)).average_precision


def from_proposals(data: Path, name: str, source: str, seed: int) -> dict[str, Any]:
    """Train on proposals of the training micrographs, pick the test micrographs."""
    with tempfile.TemporaryDirectory() as folder:
        model, picks = Path(folder) / "model.pupicker", Path(folder) / "picks.tsv"
        _, seconds = pupicker(
            "train", *micrographs(data, name, "train"), "--proposals", source, "--diameter", SETS[name].diameter_ang,
            "--output", model, "--seed", seed, *common(name),
        )
        pupicker("pick", *micrographs(data, name, "test"), "--model", model, "--output", picks, "--threshold",
                 LOWEST_THRESHOLD, *common(name))
        return {"average_precision": score(data, name, picks), "training": seconds}


def report(records: list[dict[str, Any]]) -> str:
    """Table of the records: average precision without a training, and after it (mean over the seeds)."""
    lines = ["| set | proposals of | as they are | trained on them | seeds |", "|---|---|---|---|---|"]
    for name, source in ((name, source) for name in SETS for source in SOURCES):
        own = [r for r in records if (r["set"], r["method"]) == (name, source)]
        plain = [f"{r['average_precision']:.3f}" for r in own if r["draw"] is None]
        trained = [r["average_precision"] for r in own if r["draw"] is not None]
        mean = f"{statistics.mean(trained):.3f}" if trained else "–"
        lines.append(f"| {name} | {source} | {' '.join(plain) or '–'} | {mean} | {len(trained)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is not recorded, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--records", type=Path, default=RESULTS / "zero_labels.jsonl", metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    records = Records(args.records)
    code = pupicker_code()
    what = {"machine": hardware(), "versions": {"pupicker": code}}
    for name, source in ((name, source) for name in args.sets for source in SOURCES):
        unit = {"set": name, "method": source, "labels": 0, "settings": {"code": code["code"]}}
        records.run({**unit, "draw": None}, partial(without_training, args.data, name, source), what)
        for seed in args.seeds:
            records.run({**unit, "draw": seed}, partial(from_proposals, args.data, name, source, seed), what)
    write_text(args.records.with_suffix(".md"), report(of_one_code(records.load())))


if __name__ == "__main__":
    main()
