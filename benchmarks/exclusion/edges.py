"""How do picks fare beside the edges of a micrograph, and what does a margin there (`--margin`) cost and bring?

    python -m benchmarks.exclusion.edges run [--sets apoferritin t20s] [--labels 0 100]
    python -m benchmarks.exclusion.edges report

For every set the general model (0 labels), on the training micrographs, which it has not seen either: the default was
chosen on these; and a model trained with the defaults on 100 labels, draw 0, on the test micrographs.

By the distance of a pick or particle from the nearest edge of the file, in diameters D of the particle: annotated
particles in an area of D², precision of the picks and recall at the default threshold.  Then micrographs are picked
with margins of 0, 0.25 and 0.5 D: precision and recall at the default threshold and the average precision of all
candidates, of all annotated particles and, "in a full box", of those that a box of 1.5 D around them does not lead
beyond the edge (a pick that takes another particle, or lies nearer to the edge, counts neither as hit nor as false).
Training itself has no margin.

Results: results/edges.jsonl, a line a model, and edges.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.datasets import BenchmarkSet, data_folder, load_set, read_table
from benchmarks.common.real_sets import LOWEST_THRESHOLD
from benchmarks.common.runs import RESULTS, Records, hardware, process, pupicker_code, sha256
from pupicker import read_coordinates, read_micrograph
from pupicker.core.scores.metrics import match_picks, precision_recall
from pupicker.shared.atomic import write_text

SETS = ("apoferritin", "bgal", "t20s", "stick", "trimer")
BANDS = (0.0, 0.25, 0.5, 1.0, float("inf"))
MARGINS = (0.0, 0.25, 0.5)
HALF_BOX = 0.75
"""Of the box that pupicker suggests, 1.5 D."""

GENERAL_THRESHOLD = 0.0
PUPICKER = (sys.executable, "-m", "pupicker")
COMMON = ("--threads", 1, "--device", "cpu")


class OfMicrograph:
    """Picks and particles of one micrograph, their distances from its edge in D, who took whom."""

    def __init__(self, chosen: BenchmarkSet, path: Path, picks: np.ndarray, score: np.ndarray) -> None:
        self.diameter = chosen.diameter_ang / chosen.pixel_size_ang
        self.shape = read_micrograph(path).pixels.shape
        truth = np.array([(x, y) for name, x, y in read_table(chosen.truth) if name == path.stem])
        self.score = score
        self.taken = match_picks(picks, score, truth, chosen.match_radius_px)
        self.of_picks, self.of_truth = self._distance(picks), self._distance(truth)

    def _distance(self, xy: np.ndarray) -> np.ndarray:
        """From the outer side of the outermost pixels."""
        far = np.array(self.shape[::-1]) - 0.5
        return np.minimum(xy + 0.5, far - xy).min(axis=1) / self.diameter

    def area(self, low: float, high: float) -> float:
        """In D², of what lies so far from the edge."""
        inner = [np.prod([max(0.0, side / self.diameter - 2 * d) for side in self.shape]) for d in (low, high)]
        return float(inner[0] - (inner[1] if np.isfinite(high) else 0.0))


def by_band(micrographs: list[OfMicrograph], threshold: float) -> list[dict[str, Any]]:
    """Counts for each band of distances, at a threshold."""
    out = []
    for low, high in pairwise(BANDS):
        counts = {"particles": 0, "found": 0, "picks": 0, "hits": 0}
        for m in micrographs:
            chosen = m.score >= threshold
            picked = chosen & (m.of_picks >= low) & (m.of_picks < high)
            there = (m.of_truth >= low) & (m.of_truth < high)
            found = np.isin(np.arange(len(there)), m.taken[chosen])
            for name, some in zip(counts, (there, there & found, picked, picked & (m.taken >= 0)), strict=True):
                counts[name] += int(some.sum())
        out.append({"from": low, **counts, "area": round(sum(m.area(low, high) for m in micrographs), 2)})
    return out


def summary(micrographs: list[OfMicrograph], threshold: float, at_least: float) -> dict[str, Any]:
    """Precision and recall at the threshold, average precision: of particles `at_least` so far from the edge."""
    hits, scores, truth = [], [], 0
    for m in micrographs:
        hit = m.taken >= 0
        usable = m.of_truth >= at_least
        counted = np.where(hit, usable[m.taken] if len(usable) else False, m.of_picks >= at_least)
        hits.append(hit[counted])
        scores.append(m.score[counted])
        truth += int(usable.sum())
    found = np.concatenate(hits)[np.concatenate(scores) >= threshold]
    return {"picks": len(found), "precision": round(float(found.mean()), 4), "recall": round(found.sum() / truth, 4),
            "average_precision": round(precision_recall(hits, scores, truth).average_precision, 4)}


def measure(chosen: BenchmarkSet, labels: int) -> dict[str, Any]:
    """Train, or take the general model; pick with each margin; count."""
    size = ("--pixel-size", chosen.pixel_size_ang)
    paths, threshold = (chosen.test if labels else chosen.training), GENERAL_THRESHOLD
    with tempfile.TemporaryDirectory(prefix="edges-") as name:
        work = Path(name)
        picker: list[object] = ["baseline", "general", "--diameter", chosen.diameter_ang]
        if labels:
            model, card = work / "model.pupicker", work / "train.json"
            process([*PUPICKER, "train", *chosen.training, "--picks", chosen.labels(labels, 0), "--diameter",
                     chosen.diameter_ang, "--output", model, "--report", card, *size, *COMMON], work / "log")
            picker, threshold = ["pick", "--model", model], json.loads(card.read_text())["suggested_threshold"]
        out: dict[str, Any] = {"role": "test" if labels else "training", "threshold": round(threshold, 3)}
        for margin in MARGINS:
            table = work / "picks.tsv"
            process([*PUPICKER, *picker, *paths, "--output", table, f"--threshold={LOWEST_THRESHOLD}", "--margin",
                     margin * chosen.diameter_ang, *size, *COMMON], work / "log")
            picks = read_coordinates(table)
            own = [(path, picks.of(str(path))) for path in paths]
            found = [OfMicrograph(chosen, path, np.stack([p.x, p.y], axis=1), np.asarray(p.score)) for path, p in own]
            if not margin:
                out["bands"] = by_band(found, threshold)
            out[f"margin {margin:g}"] = {"all": summary(found, threshold, 0.0),
                                         "in a full box": summary(found, threshold, HALF_BOX)}
    return out


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded."""
    records, code = Records(args.records), pupicker_code()
    common = {"versions": {"pupicker": code}, "machine": hardware()}
    for labels in args.labels:
        for name in args.sets:
            chosen = load_set(name, data_folder())
            unit = {"set": name, "method": "pupicker" if labels else "general model", "labels": labels, "draw": 0,
                    "settings": {"code": code["code"]},
                    "labels_sha256": sha256(chosen.labels(labels, 0)) if labels else ""}
            records.run(unit, partial(measured, chosen, labels), common)


def measured(chosen: BenchmarkSet, labels: int) -> dict[str, Any]:
    """As a record has it."""
    out = measure(chosen, labels)
    return {"average_precision": out["margin 0"]["all"]["average_precision"], "training": None, **out}


def ratio(part: float, whole: float) -> str:
    """Two decimals; a dash of nothing."""
    return f"{part / whole:.2f}" if whole else "–"


def report(args: argparse.Namespace) -> None:
    """Tables of the latest version of the method that is recorded."""
    records = Records(args.records).load()
    if not records:
        raise SystemExit(f"{args.records}: holds no records; measure first")
    code = max(records, key=lambda r: str(r["finished"]))["settings"]["code"]
    own = sorted((r for r in records if r["settings"]["code"] == code),
                 key=lambda r: (r["labels"], SETS.index(r["set"])))
    titles = [f"{low:g} to {high:g} D" if np.isfinite(high) else f"over {low:g} D" for low, high in pairwise(BANDS)]
    lines = ["# Picks beside the edges", "", f"Made by `python -m benchmarks.exclusion.edges report` ({code}).",
             "", "Annotated particles in an area of D² / precision / recall of so many picks at the default threshold,"
             " by the distance from the edge.", "", f"| set | labels | micrographs | {' | '.join(titles)} |",
             "|---|---|---|" + "---|" * len(titles)]
    for r in own:
        cells = [f"{ratio(b['particles'], b['area'])} / {ratio(b['hits'], b['picks'])} /"
                 f" {ratio(b['found'], b['particles'])} ({b['picks']})" for b in r["bands"]]
        lines.append(f"| {r['set']} | {r['labels'] or 'none'} | {r['role']} | {' | '.join(cells)} |")
    lines += ["", "Average precision / precision / recall with margins.", ""]
    names = [(what, margin) for what in ("all", "in a full box") for margin in MARGINS]
    lines += ["| set | labels | " + " | ".join(f"{what}: {margin:g} D" for what, margin in names) + " |",
              "|---|---|" + "---|" * len(names)]
    for r in own:
        some = [r[f"margin {margin:g}"][what] for what, margin in names]
        cells = [f"{s['average_precision']:.3f} / {s['precision']:.3f} / {s['recall']:.3f}" for s in some]
        lines.append(f"| {r['set']} | {r['labels'] or 'none'} | {' | '.join(cells)} |")
    write_text(args.records.with_suffix(".md"), "\n".join(lines) + "\n")


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--labels", nargs="+", type=int, default=[0, 100])
    parser.add_argument("--records", type=Path, default=RESULTS / "edges.jsonl")
    args = parser.parse_args()
    {"run": run, "report": report}[args.command](args)


if __name__ == "__main__":
    main()
