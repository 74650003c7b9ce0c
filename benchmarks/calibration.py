"""Are the probabilities of picks right on real micrographs?

    python -m benchmarks.calibration DATA [--labels 10 100] [--seeds 0] [--threads 1] [--models FOLDER]

Models are trained with the defaults (and kept in `--models`, if it is given), the test micrographs are picked without a
threshold, and the probabilities are compared with the truth: all candidates, and those at or above the suggested
threshold, with the precision and recall that the model expected there.  Results: results/calibration.json and .png.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common.figures import panels, save
from benchmarks.common.real_sets import LOWEST_THRESHOLD, SETS, micrographs, pupicker
from benchmarks.common.runs import hardware, pupicker_code
from pupicker import evaluate, read_coordinates
from pupicker.core.scores.reliability import Reliability, reliability
from pupicker.shared.atomic import write_text


def one_run(
    data: Path, name: str, labels: int, seed: int, work: Path, args: argparse.Namespace
) -> tuple[dict[str, Any], Reliability]:
    """Train or find the model, pick, compare."""
    chosen = SETS[name]
    stem = f"{name}_{labels}_{seed}"
    model = (args.models or work) / f"{stem}.pupicker"
    common = ["--threads", args.threads, "--pixel-size", chosen.pixel_size_ang]
    if not model.exists():
        pupicker("train", *micrographs(data, name, "train"), "--picks",
                 data / "labels" / chosen.folder / f"n{labels:04d}_seed{seed}.tsv", "--diameter", chosen.diameter_ang,
                 "--output", model, "--seed", seed, *common)
    tests = micrographs(data, name, "test")
    picks = work / f"{stem}.tsv"
    pupicker("pick", *tests, "--model", model, "--output", picks, "--threshold", LOWEST_THRESHOLD, *common)
    result = evaluate(read_coordinates(picks), read_coordinates(data / chosen.folder / chosen.truth),
                      chosen.match_radius_px, [t.stem for t in tests])
    card = json.loads(pupicker("info", model, "--json")[0])
    assert result.picks.score is not None and result.picks.probability is not None
    taken = result.picks.score >= card["suggested_threshold"]
    every = reliability(result.picks.probability, result.hit)
    some = reliability(result.picks.probability[taken], result.hit[taken])
    probability = result.picks.probability
    return {
        "set": name, "labels": labels, "seed": seed, "candidates": len(probability), "picks": int(taken.sum()),
        "truth": result.curve.truth_count, "calibration_error": round(every.calibration_error, 4),
        "calibration_error_of_picks": round(some.calibration_error, 4),
        "precision": round(float(result.hit[taken].mean()), 4),
        "mean_probability": round(float(probability[taken].mean()), 4),
        "recall": round(float(result.hit[taken].sum() / result.curve.truth_count), 4),
        "expected_precision": card["expected_precision"], "expected_recall": card["expected_recall"],
        "particles_per_micrograph": {"true": result.curve.truth_count / len(tests),
                                     "said": round(card["particles_per_micrograph"], 1),
                                     "interval": card["particles_interval"]},
        "bins": [b.to_dict() for b in every.bins],
    }, every


def draw(axes: Any, checked: Reliability) -> None:
    """Observed share of hits against the probability, with 95 % intervals; the diagonal is what it should be."""
    bins = checked.bins
    below = [max(0.0, b.observed - b.observed_low) for b in bins]
    above = [max(0.0, b.observed_high - b.observed) for b in bins]
    axes.plot([0, 1], [0, 1], color="#888888", linestyle="--", linewidth=1)
    axes.errorbar([b.probability for b in bins], [b.observed for b in bins], yerr=[below, above], fmt="o-",
                  color="#1f77b4", capsize=3)
    axes.set(xlabel="probability of the picks", ylabel="share of hits", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="take models from here, and keep new ones here")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "calibration.json")
    args = parser.parse_args()
    count = len(SETS) * len(args.labels)
    figure, grid = panels(1, count, (3.4 * count, 3.6))
    axes = iter(grid[0])
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for name in SETS:
            for labels in args.labels:
                one = next(axes)
                for seed in args.seeds:
                    run, checked = one_run(args.data, name, labels, seed, Path(folder), args)
                    runs.append(run)
                    print({key: value for key, value in run.items() if key != "bins"}, flush=True)
                    draw(one, checked)
                one.set_title(f"{SETS[name].title},\n{labels} labels", fontsize=9)
    shown = [a for a in sys.argv[1:] if a != str(args.data) and a not in ("--models", str(args.models))]
    write_text(args.output, json.dumps({
        "command": " ".join(["python -m benchmarks.calibration DATA", *shown]), "machine": hardware(args.threads),
        "versions": {"pupicker": pupicker_code()}, "runs": runs,
    }, indent=1) + "\n")
    save(figure, args.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
