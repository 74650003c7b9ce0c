"""Options of the training judged on training micrographs that are left out; no test micrograph is opened.

    OMP_NUM_THREADS=1 python -m benchmarks.left_out run [--labels 10 50] [--draws 0 1 2] [--variants default rate-0.003]
        [--weights FILE]
    python -m benchmarks.left_out report

For every set, number of labels and draw: one micrograph of the four (two of the eight of a simulated set) is left out;
labels are drawn from the particles of the others; a network is fitted to them from the general weights with each
variant and the class prior that follows from the true number of particles of those micrographs (half of it with random
weights, as training takes it, section 8 of the method); the average precision of finding all particles of the
micrographs left out is recorded, also half way.  Unlabelled particles of the micrographs that are trained on are part
of the training, so finding them says little.  Contamination is excluded, as it is by default.  Each record says which
defaults its variant differs from: what won a comparison became the default of the next.

--weights judges other general weights than those that pupicker has, a file of tools/pretrain.py: the method's name ends
with `, weights ` and their digest then.  What the weights find before they are trained is recorded too (`untrained`).

Rule, fixed beforehand: a variant becomes the default only if its mean gain over the present one, paired by set and
draw, is more than twice its standard error.  (The whole prior has not passed it; section 7 of the method says why it is
the default all the same.)  Results: results/left_out.jsonl and .md.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.datasets import SETS, data_folder, drawn, load_set
from benchmarks.real_sets import SETS as REAL
from benchmarks.runs import RESULTS, Records, hardware, pupicker_code, sha256
from pupicker.core.detection.candidates import leave_cut_borders, pick_image
from pupicker.core.geometry import Geometry, geometry
from pupicker.core.networks import DEFAULT_NETWORK, Classifier, build
from pupicker.core.networks.autoencoder import paper_weight
from pupicker.core.regions.patches import patch_grid
from pupicker.core.scores.metrics import match_picks, precision_recall
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.models.initial_weights import GENERAL, Start, load_start
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.dataset import LabelledMicrograph, Sources, load_training_set
from pupicker.engine.training.minibatches import make_sampler
from pupicker.engine.training.optimisation import Fitting, FittingOptions
from pupicker.engine.training.options import updates_for
from pupicker.engine.training.particle_count import CAUTIOUS_SHARE

CPU = torch.device("cpu")
LABELS = (10, 50, 100, 250)
DEFAULT = "default"
#: The defaults that variants are compared with.  A new name when a default changed: records of different defaults are
#: not compared, those of earlier ones lie in results/history.
STAGE = "conv47, flattened without contamination"
FIRST_DRAW_SEED = 100

Precisions = dict[tuple[str, int], float]  # set, draw -> average precision

#: What differs from the defaults; `autoencoder` is a factor of the paper's weight, `diameter_px` that of the particle,
#: `prior_share` the part of the true number of particles that the objective is told, `updates_factor` makes the
#: training longer.
VARIANTS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "rate-0.002": {"learning_rate": 2e-3},
    "rate-0.003": {"learning_rate": 3e-3},
    "rate-0.006": {"learning_rate": 6e-3},
    "batch-256": {"batch_size": 256, "positives": 16},
    "ge-kl": {"objective": "ge-kl"},
    "pn": {"objective": "pn"},
    "nnpu": {"objective": "nnpu"},
    "ge-gaussian": {"objective": "ge-gaussian"},
    "ge-squared": {"objective": "ge-squared"},
    "autoencoder": {"autoencoder": 1.0},
    "ring-negatives": {"ring": True},
    "25-px": {"diameter_px": 25.5},
    "prior-half": {"prior_share": 0.5},
    "prior-whole": {"prior_share": 1.0},
    "prior-1.5": {"prior_share": 1.5},
    "longer": {"updates_factor": 2},
    "rate-0.003-longer": {"learning_rate": 3e-3, "updates_factor": 2},
    "conv31": {"network": "conv31"},
    "random": {"random": True},
    "half-as-long": {"updates_factor": 0.5},
    "rate-0.0003": {"learning_rate": 3e-4},
    "rate-0.0005": {"learning_rate": 5e-4},
}


class LeftOut:
    """The training micrographs of a set at one working pixel size, with all particles or the labels of a table."""

    def __init__(self, data: Path, name: str, diameter_px: float, labels: Path | None = None) -> None:
        chosen = load_set(name, data)
        self.lengths: Geometry = geometry(chosen.diameter_ang, chosen.pixel_size_ang, diameter_px)
        every = chosen.label_folder / "all.tsv" if name in REAL else chosen.truth
        table = read_coordinates(labels or every, chosen.training)
        self.micrographs = load_training_set(
            Sources(chosen.training, table, None, chosen.pixel_size_ang, exclusion=Exclusion(contamination=True)),
            self.lengths, 1, Report("left_out")).micrographs
        self.radius_px = chosen.match_radius_px * chosen.pixel_size_ang / self.lengths.working_pixel_size_ang

    def split(self, labels: int, draw: int) -> tuple[list[LabelledMicrograph], list[LabelledMicrograph], int]:
        """Micrographs to train on with the labels that are drawn, those left out, and particles on the former."""
        count = len(self.micrographs)
        out = {draw % count} if count <= 4 else {2 * draw % count, (2 * draw + 1) % count}
        kept = [m for i, m in enumerate(self.micrographs) if i not in out]
        given = [
            LabelledMicrograph(m.path, m.image, m.labels[torch.from_numpy(some)], cut=m.cut, excluded=m.excluded)
            for m, some in zip(kept, drawn([len(m.labels) for m in kept], labels, FIRST_DRAW_SEED + draw), strict=True)
        ]
        return given, [self.micrographs[i] for i in sorted(out)], sum(len(m.labels) for m in kept)

    def average_precision(self, network: Classifier, micrographs: list[LabelledMicrograph]) -> float:
        """Of finding all particles of some micrographs."""
        hits, scores, wanted = [], [], 0
        distance_px = self.lengths.min_distance_ang / self.lengths.working_pixel_size_ang
        for m in micrographs:
            xy, logit = pick_image(network, m.image, distance_px, excluded=m.excluded)
            xy, logit = leave_cut_borders(xy, logit, m.image, m.cut, self.lengths)
            hits.append(match_picks(xy.numpy(), logit.numpy(), m.labels.numpy(), self.radius_px) >= 0)
            scores.append(logit.numpy())
            wanted += len(m.labels)
        return precision_recall(hits, scores, wanted).average_precision


def measure(data: LeftOut, labels: int, draw: int, changed: dict[str, Any], weights: Path | None) -> dict[str, Any]:
    """Fit, from the weights of a file if there is one, and judge."""
    given, left_out, particles = data.split(labels, draw)
    name = changed.get("network", DEFAULT_NETWORK)
    if weights is not None:
        start = Start(GENERAL, changed["weights"], load_file(str(weights)))
    else:
        start = load_start("random" if changed.get("random") else GENERAL, name, build(name))
    options = FittingOptions(
        network=name,
        objective=changed.get("objective", FittingOptions.objective), seed=draw, start_digest=start.digest,
        learning_rate=changed.get("learning_rate", FittingOptions.learning_rate),
        autoencoder=changed.get("autoencoder", 0.0) * paper_weight(labels),
        batch_size=changed.get("batch_size", FittingOptions.batch_size),
        positives=changed.get("positives", FittingOptions.positives),
    )
    fitting = Fitting(options, CPU, start.weights)
    none = [torch.zeros(len(m.labels), dtype=torch.bool) for m in given]
    grid = patch_grid(fitting.network.receptive_field_px, fitting.network.total_stride)
    sampler = make_sampler(given, none, data.lengths.training_radius_px, grid, CPU,
                           data.lengths.ring_px if changed.get("ring") else None)
    told = changed.get("prior_share", 1.0 if start.weights else CAUTIOUS_SHARE) * particles
    prior = sampler.unlabelled_prior(sampler.prior(told), strict=False)
    found, seconds = {}, 0.0
    untrained = data.average_precision(fitting.average, left_out)
    last = round(updates_for(labels, start) * changed.get("updates_factor", 1))
    for updates in (last // 2, last):
        begin = time.process_time()
        fitting.update_many(sampler, prior, updates - fitting.updates, lambda: False)
        seconds += time.process_time() - begin
        network = copy.deepcopy(fitting.average).eval()
        found[str(updates)] = round(data.average_precision(network, left_out), 4)
    return {"average_precision": found[str(last)], "by_updates": found, "untrained": round(untrained, 4),
            "training": {"cpu_s": round(seconds, 1), "updates": last}}


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded."""
    torch.set_num_threads(1)
    records = Records(args.records)
    loaded: dict[tuple[str, float], LeftOut] = {}
    common = {"machine": hardware(), "versions": {"pupicker": pupicker_code()}}
    other = {"weights": sha256(args.weights)} if args.weights else {}
    for draw, labels, name, variant in product(args.draws, args.labels, args.sets, args.variants):
        changed = {**VARIANTS[variant], **other}
        unit = {"set": name, "method": ", weights ".join([variant, *other.values()]), "labels": labels, "draw": draw,
                "settings": {"stage": STAGE, **changed}}
        if not records.missing(unit):
            continue
        network = build(changed.get("network", DEFAULT_NETWORK))
        key = (name, changed.get("diameter_px", network.particle_px()))
        loaded[key] = loaded.get(key) or LeftOut(args.data, *key)
        records.run(unit, partial(measure, loaded[key], labels, draw, changed, args.weights), common)


def row(labels: int, variant: str, own: Precisions, default: Precisions) -> list[str]:
    """Line of the table: gain over the default on the pairs that both have; none without a pair."""
    gains = {key: own[key] - default[key] for key in own.keys() & default.keys()}
    if not gains:
        return []
    error = f"{statistics.stdev(gains.values()) / len(gains) ** 0.5:.4f}" if len(gains) > 1 else "–"
    each = ", ".join(f"{s} {d}: {gain:+.3f}" for (s, d), gain in sorted(gains.items()))
    cells = (labels, variant, len(gains), f"{statistics.mean(gains.values()):+.4f}", error, each)
    return [f"| {' | '.join(map(str, cells))} |"]


def report(args: argparse.Namespace) -> None:
    """Mean gain of each variant over the default, and every pair."""
    found: dict[tuple[int, str], Precisions] = {}
    for r in Records(args.records).load():
        if r["settings"].get("stage") != STAGE:
            continue
        found.setdefault((r["labels"], r["method"]), {})[r["set"], r["draw"]] = r["average_precision"]
        if r["method"] == "longer":  # half way it is the default
            half = found.setdefault((r["labels"], DEFAULT), {})
            half.setdefault((r["set"], r["draw"]), min(r["by_updates"].items(), key=lambda row: int(row[0]))[1])
    titles = ("labels", "variant", "pairs", "mean gain", "standard error", "each pair")
    lines = ["# Options on micrographs that are left out", "",
             "Made by `python -m benchmarks.left_out report`: gain of average precision over the defaults of `pupicker"
             f" train` ({STAGE}), paired by set and draw.", "",
             f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for labels, variant in sorted(found, key=lambda key: key[0]):
        if variant != DEFAULT:
            lines += row(labels, variant, found[labels, variant], found.get((labels, DEFAULT), {}))
    text = "\n".join(lines) + "\n"
    args.records.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--sets", nargs="+", default=["bgal", "t20s", "trimer", "stick", "apoferritin"], choices=SETS)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 50], choices=LABELS)
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=[DEFAULT, "rate-0.003"], choices=list(VARIANTS))
    parser.add_argument("--weights", type=Path, metavar="FILE", help="general weights to start from")
    parser.add_argument("--records", type=Path, default=RESULTS / "left_out.jsonl")
    args = parser.parse_args()
    {"run": run, "report": report}[args.command](args)


if __name__ == "__main__":
    main()
