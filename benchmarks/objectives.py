"""Forms of the objective, the autoencoder term and ring negatives compared, on training micrographs only.

    OMP_NUM_THREADS=1 python benchmarks/objectives.py DATA [--labels 10 100] [--draws 0 1 2] [--variants ge-squared ...]

For every set, number of labels and draw: labels are drawn from all of the training micrographs' particles, a network is
fitted from the general weights with each variant for the same number of updates, with the class prior that follows from
half the annotated number (what training takes of an estimate), and the average precision of finding the **other**
particles of the same micrographs is recorded; candidates on the drawn labels do not count.  No test micrograph is
opened.  Runs that the output file has are not repeated.  Results: results/objectives.json.

Decision rule, fixed beforehand: a variant becomes the default only if its mean gain over the reference, paired by draw,
is more than twice its standard error.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pupicker.core.autoencoder import paper_weight
from pupicker.core.geometry import Geometry, geometry
from pupicker.core.metrics import match_picks
from pupicker.core.networks import DEFAULT_NETWORK, build
from pupicker.core.patches import patch_grid
from pupicker.engine.atomic import atomic_path
from pupicker.engine.coordinates import read_coordinates
from pupicker.engine.dataset import LabelledMicrograph, TrainingSet, load_training_set
from pupicker.engine.fitting import Fitting, FittingOptions
from pupicker.engine.report import Report
from pupicker.engine.sampling import make_sampler
from pupicker.engine.start_weights import GENERAL, load_start
from pupicker.engine.validation import pick_image
from real_sets import SETS, machine, micrographs

CPU = torch.device("cpu")
REFERENCE = "ge-binomial"
UPDATES = {10: 200, 100: 300}
VARIANTS: dict[str, dict[str, Any]] = {
    REFERENCE: {},
    "ge-gaussian": {"objective": "ge-gaussian"},
    "ge-squared": {"objective": "ge-squared"},
    "ring-negatives": {"ring": True},
    "autoencoder": {"autoencoder": True},
}


def load(data: Path, name: str) -> tuple[TrainingSet, Geometry, float]:
    """The training micrographs with all their labels, lengths, and the radius of a hit in working pixels."""
    chosen = SETS[name]
    paths = micrographs(data, name, "train")
    lengths = geometry(chosen.diameter_ang, chosen.pixel_size_ang, build(DEFAULT_NETWORK).particle_px())
    table = read_coordinates(data / "labels" / chosen.folder / "all.tsv", paths)
    loaded = load_training_set(paths, table, chosen.pixel_size_ang, lengths, 1, Report("objectives"))
    radius_ang = chosen.match_radius_px * chosen.pixel_size_ang
    return loaded, lengths, radius_ang / lengths.working_pixel_size_ang


def drawn(everything: list[LabelledMicrograph], count: int, draw: int) -> list[np.ndarray]:
    """For each micrograph, which of its labels are given to the training."""
    sizes = [len(m.labels) for m in everything]
    chosen = np.zeros(sum(sizes), dtype=bool)
    chosen[np.random.default_rng(draw).permutation(sum(sizes))[:count]] = True
    return np.split(chosen, np.cumsum(sizes)[:-1])


def average_precision(
    fitting: Fitting, everything: list[LabelledMicrograph], seen: list[np.ndarray], lengths: Geometry, radius_px: float
) -> float:
    """Of finding the labels that training did not see."""
    scores, hits, wanted = [], [], 0
    for micrograph, given in zip(everything, seen, strict=True):
        labels = micrograph.labels.numpy()
        known = np.concatenate([labels[~given], labels[given]])
        unseen = int((~given).sum())
        xy, logit = pick_image(fitting.average, micrograph.image,
                               lengths.min_distance_ang / lengths.working_pixel_size_ang)
        number = np.asarray(match_picks(xy.numpy(), logit.numpy(), known, radius_px))
        scores.append(logit.numpy()[number < unseen])
        hits.append((number >= 0)[number < unseen])
        wanted += unseen
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit = np.concatenate(hits)[order]
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    return float((precision * hit).sum() / wanted)


def one_run(loaded: tuple[TrainingSet, Geometry, float], labels: int, draw: int, variant: str) -> dict[str, Any]:
    """Fit and judge."""
    data, lengths, radius_px = loaded
    what = VARIANTS[variant]
    seen = drawn(data.micrographs, labels, draw)
    given = [LabelledMicrograph(m.path, m.image, m.labels[torch.from_numpy(s)], cut=m.cut)
             for m, s in zip(data.micrographs, seen, strict=True)]
    start = load_start(GENERAL, DEFAULT_NETWORK, build(DEFAULT_NETWORK))
    options = FittingOptions(
        objective=what.get("objective", REFERENCE), seed=draw, start=start.digest,
        autoencoder=paper_weight(labels) if what.get("autoencoder") else 0.0,
    )
    fitting = Fitting(options, CPU, start.weights)
    none = [torch.zeros(len(m.labels), dtype=torch.bool) for m in given]
    grid = patch_grid(fitting.network.receptive_field_px, fitting.network.total_stride)
    sampler = make_sampler(given, none, lengths.training_radius_px, grid, CPU,
                           lengths.ring_px if what.get("ring") else None)
    prior = sampler.unlabelled_prior(sampler.prior(data.label_count), strict=False)
    begin = time.process_time()
    fitting.update_many(sampler, prior, UPDATES[labels], lambda: False)
    seconds = time.process_time() - begin
    found = average_precision(fitting, data.micrographs, seen, lengths, radius_px)
    return {"average_precision": round(found, 4), "cpu_ms_per_update": round(1000 * seconds / fitting.updates, 1)}


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean of each variant, and its gain over the reference paired by draw."""
    rows = []
    for variant, labels in dict.fromkeys((r["variant"], r["labels"]) for r in runs):
        own = {(r["set"], r["draw"]): r for r in runs if (r["variant"], r["labels"]) == (variant, labels)}
        reference = {(r["set"], r["draw"]): r for r in runs if (r["variant"], r["labels"]) == (REFERENCE, labels)}
        gains = [r["average_precision"] - reference[key]["average_precision"]
                 for key, r in own.items() if key in reference]
        row = {"variant": variant, "labels": labels, "runs": len(own)}
        for name in SETS:
            found = [r["average_precision"] for key, r in own.items() if key[0] == name]
            row[f"ap_{name}"] = round(statistics.mean(found), 4) if found else None
        row["pairs"] = len(gains)
        row["gain"] = round(statistics.mean(gains), 4) if gains else None
        row["gain_standard_error"] = (
            round(statistics.stdev(gains) / len(gains) ** 0.5, 4) if len(gains) > 1 and variant != REFERENCE else None
        )
        row["cpu_ms_per_update"] = round(statistics.median(r["cpu_ms_per_update"] for r in own.values()), 1)
        rows.append(row)
    return rows


def write(path: Path, runs: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Results so far."""
    shown = [a for a in sys.argv[1:] if a != str(args.data)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps({
            "command": " ".join(["OMP_NUM_THREADS=1 python benchmarks/objectives.py DATA", *shown]),
            "machine": machine(args), "updates": {str(k): v for k, v in UPDATES.items()}, "summary": summarise(runs),
            "runs": runs,
        }, indent=1) + "\n")


def main() -> None:
    """Do what is missing and write the results after every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 100], choices=list(UPDATES))
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "objectives.json")
    args = parser.parse_args()
    args.threads, args.device = 1, "cpu"
    torch.set_num_threads(1)
    runs: list[dict[str, Any]] = json.loads(args.output.read_text())["runs"] if args.output.exists() else []
    done = {(r["set"], r["labels"], r["draw"], r["variant"]) for r in runs}
    sets = {name: load(args.data, name) for name in SETS}
    for labels in args.labels:
        for draw in args.draws:
            for name in SETS:
                for variant in args.variants:
                    if (name, labels, draw, variant) in done:
                        continue
                    row = {"set": name, "labels": labels, "draw": draw, "variant": variant}
                    runs.append({**row, **one_run(sets[name], labels, draw, variant)})
                    print(json.dumps(runs[-1]), flush=True)
                    write(args.output, runs, args)
    for row in summarise(runs):
        print(row)


if __name__ == "__main__":
    main()
