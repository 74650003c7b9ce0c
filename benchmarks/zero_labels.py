"""Picking without any label, on real micrographs.

    python benchmarks/zero_labels.py DATA [--seeds 0 1] [--threads 1]

Nothing is told but the diameter.  On the test micrographs: difference of Gaussians, template matching with a disc, and
the general weights as they are; models trained from the best proposals of each on the training micrographs.  Results:
results/zero_labels.json; what a few labels give is in results/label_efficiency.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from pupicker.core.geometry import geometry
from pupicker.core.metrics import match_picks, precision_recall
from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
from pupicker.engine.coordinates import read_coordinates
from pupicker.engine.dataset import load_training_set
from pupicker.engine.proposals import propose
from pupicker.engine.report import Report
from real_sets import LOWEST_THRESHOLD, SETS, machine, micrographs, pupicker

SOURCES = ("dog", "template", "general")


def score(data: Path, name: str, picks: Path) -> float:
    """Average precision of a table on the test micrographs."""
    chosen = SETS[name]
    result, _ = pupicker(
        "evaluate", "--picks", picks, "--truth", data / chosen.folder / chosen.truth, "--radius",
        chosen.match_radius_px, "--micrographs", *[t.stem for t in micrographs(data, name, "test")], "--json",
    )
    return float(json.loads(result)["average_precision"])


def common(name: str, args: argparse.Namespace) -> list[object]:
    """Options of all commands."""
    return ["--threads", args.threads, "--pixel-size", SETS[name].pixel_size_ang]


def without_training(data: Path, name: str, source: str, work: Path, args: argparse.Namespace) -> float:
    """A baseline, or the general weights as they are."""
    if source == "general":
        return general(data, name)
    picks = work / f"{name}_{source}.tsv"
    pupicker("baseline", source, *micrographs(data, name, "test"), "--diameter", SETS[name].diameter_ang, "--output",
             picks, "--threshold=-50", *common(name, args))
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


def from_proposals(data: Path, name: str, source: str, seed: int, work: Path, args: argparse.Namespace) -> float:
    """Train on proposals of the training micrographs, pick the test micrographs."""
    model, picks = work / f"{name}_{source}_{seed}.pupicker", work / f"{name}_{source}_{seed}.tsv"
    pupicker("train", *micrographs(data, name, "train"), "--proposals", source, "--diameter", SETS[name].diameter_ang,
             "--output", model, "--seed", seed, *common(name, args))
    pupicker("pick", *micrographs(data, name, "test"), "--model", model, "--output", picks, "--threshold",
             LOWEST_THRESHOLD, *common(name, args))
    return score(data, name, picks)


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "zero_labels.json")
    args = parser.parse_args()
    args.device = "cpu"
    torch.set_num_threads(args.threads)
    runs: list[dict[str, Any]] = []

    def note(name: str, how: str, seed: int | None, ap: float) -> None:
        runs.append({"set": name, "how": how, "seed": seed, "average_precision": round(ap, 4)})
        print(json.dumps(runs[-1]), flush=True)

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in args.sets:
            for source in SOURCES:
                note(name, source, None, without_training(args.data, name, source, work, args))
            for seed in args.seeds:
                for source in SOURCES:
                    ap = from_proposals(args.data, name, source, seed, work, args)
                    note(name, f"trained on proposals of {source}", seed, ap)
    rows = []
    for name, how in dict.fromkeys((r["set"], r["how"]) for r in runs):
        values = [r["average_precision"] for r in runs if (r["set"], r["how"]) == (name, how)]
        rows.append({"set": name, "how": how, "ap_mean": round(statistics.mean(values), 4), "ap_min": min(values),
                     "ap_max": max(values)})
        print(rows[-1])
    shown = [a for a in sys.argv[1:] if a != str(args.data)]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps({
        "command": " ".join(["python benchmarks/zero_labels.py DATA", *shown]), "machine": machine(args),
        "summary": rows, "runs": runs,
    }, indent=1) + "\n")


if __name__ == "__main__":
    main()
