"""What two options of picking are worth, with models that `calibration --models FOLDER` trained.

    python -m benchmarks.picking_options --models FOLDER

The smallest distance of two picks: average precision on the test micrographs with the default of 0.45 diameters and
with half a diameter, at which Topaz picks in `label_efficiency`.  The uncertainty: how often, of a hit and a false
pick at or above the suggested threshold, the false one has the larger standard deviation of its score over the views of
the image (0.5: it tells nothing), over all such pairs and over those of about the same score; and how often it has the
lower score.  Results: results/picking_options.json and .md.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.datasets import data_folder
from benchmarks.common.real_sets import LOWEST_THRESHOLD, SETS, micrographs, pupicker
from benchmarks.common.runs import RESULTS, hardware, pupicker_code, sha256
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json

DISTANCES = {"0.45": None, "0.5": 0.5}  # diameters
SCORE_BINS = 10


def picked(data: Path, name: str, model: Path, distance: float | None, work: Path, uncertainty: bool = True) -> Path:
    """Table of all candidates of the test micrographs, usually with their uncertainty."""
    picks, chosen = work / "picks.tsv", SETS[name]
    more = [] if distance is None else ["--min-distance", distance * chosen.diameter_ang]
    more += ["--score-sd"] if uncertainty else []
    pupicker("pick", *micrographs(data, name, "test"), "--model", model, "--output", picks, "--threshold",
             LOWEST_THRESHOLD, "--pixel-size", chosen.pixel_size_ang, "--threads", 1, *more)
    return picks


def evaluated(data: Path, name: str, picks: Path, work: Path) -> tuple[float, list[dict[str, str]]]:
    """Average precision, and the table of hits, false picks and missed particles."""
    chosen, matches = SETS[name], work / "matches.tsv"
    result, _ = pupicker(
        "evaluate", "--picks", picks, "--truth", data / chosen.folder / chosen.truth, "--radius",
        chosen.match_radius_px, "--micrographs", *[t.stem for t in micrographs(data, name, "test")], "--matches",
        matches, "--json",
    )
    return float(json.loads(result)["average_precision"]), read(matches)


def read(table: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated table."""
    with open(table, newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def larger(of_false: np.ndarray, of_hits: np.ndarray) -> float | None:
    """How often a value of the first is larger than one of the second; ties count half.  None: there are none."""
    if not len(of_false) or not len(of_hits):
        return None
    difference = of_false[:, None] - of_hits[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def told_by_uncertainty(picks: list[dict[str, str]], matches: list[dict[str, str]], threshold: float) -> dict[str, Any]:
    """Of the picks at or above the threshold."""
    outcome = {_place(row): row["outcome"] for row in matches}
    rows = [row for row in picks if float(row["score"]) >= threshold]
    score, spread = (np.array([float(row[column]) for row in rows]) for column in ("score", "score_sd"))
    hit = np.array([outcome[_place(row)] == "hit" for row in rows])
    edges = np.quantile(score, np.linspace(0, 1, SCORE_BINS + 1)[1:-1])
    place = np.searchsorted(edges, score)
    bins = [(larger(spread[~hit & (place == k)], spread[hit & (place == k)]), int((~hit & (place == k)).sum()))
            for k in range(SCORE_BINS)]
    alike = [(value, count) for value, count in bins if value is not None]
    same = sum(value * count for value, count in alike) / sum(count for _, count in alike) if alike else None
    told = {"uncertainty": larger(spread[~hit], spread[hit]), "uncertainty_at_same_score": same,
            "score": larger(-score[~hit], -score[hit])}
    return {"picks": len(rows), "false": int((~hit).sum()),
            **{key: None if value is None else round(value, 3) for key, value in told.items()}}


def _place(row: dict[str, str]) -> tuple[str, str, str]:
    """As `evaluate --matches` writes it, with three decimals."""
    return Path(row["micrograph"]).name.removesuffix(".mrc"), f"{float(row['x']):.3f}", f"{float(row['y']):.3f}"


def measure(data: Path, model: Path) -> dict[str, Any]:
    """All of one model, named SET_LABELS_SEED."""
    name, labels, seed = model.stem.split("_")
    out: dict[str, Any] = {"set": name, "labels": int(labels), "seed": int(seed), "model_sha256": sha256(model)}
    card = json.loads(pupicker("info", model, "--json")[0])
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for title, distance in DISTANCES.items():
            picks = picked(data, name, model, distance, work)
            precision, matches = evaluated(data, name, picks, work)
            out[f"average_precision_{title}"] = round(precision, 5)
            if distance is None:
                out |= told_by_uncertainty(read(picks), matches, card["suggested_threshold"])
    return out


def report(runs: list[dict[str, Any]]) -> str:
    """Table in Markdown."""
    lines = ["| set | labels | seed | AP, 0.45 diameters | AP, 0.5 | picks | false | larger uncertainty is false | at"
             " the same score | lower score is false |", "|" + "---|" * 10]
    for run in runs:
        values = [run[k] for k in ("uncertainty", "uncertainty_at_same_score", "score")]
        lines.append(f"| {run['set']} | {run['labels']} | {run['seed']} | {run['average_precision_0.45']:.4f} |"
                     f" {run['average_precision_0.5']:.4f} | {run['picks']} | {run['false']} | "
                     + " | ".join("–" if v is None else f"{v:.2f}" for v in values) + " |")
    for name in dict.fromkeys(run["set"] for run in runs):
        gains = [r["average_precision_0.45"] - r["average_precision_0.5"] for r in runs if r["set"] == name]
        lines += ["", f"{name}: 0.45 less 0.5 diameters {statistics.mean(gains):+.4f} ({min(gains):+.4f} to"
                      f" {max(gains):+.4f}) on {len(gains)} models."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every model and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER")
    parser.add_argument("--models", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=RESULTS / "picking_options.json")
    args = parser.parse_args()
    runs = [measure(args.data, model) for model in sorted(args.models.glob("*.pupicker"))]
    write_json(args.output, {"machine": hardware(), "versions": {"pupicker": pupicker_code()}, "runs": runs})
    write_text(args.output.with_suffix(".md"), report(runs))


if __name__ == "__main__":
    main()
