"""Accuracy and time on real micrographs: EMPIAR-10146 (apoferritin) and EMPIAR-10017 (beta-galactosidase).

    python benchmarks/real_data.py DATA [--labels 100 10] [--seeds 0 1 2] [--threads 2] [--device cpu]

For every set, number of labels and seed: train on the training micrographs with the given labels (only the diameter is
told), pick the test micrographs, compare with the truth.  Results: results/real_data.json and .png; the models go to
`--models` if it is given.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOWEST_THRESHOLD = "-50"  # the whole list of candidates: an average precision needs the low scores too


@dataclass(frozen=True)
class DataSet:
    """Where a set lies and what is told about it."""

    title: str
    folder: str
    micrographs: str
    truth: str
    pixel_size_ang: float
    diameter_ang: float
    match_radius_px: float


SETS = {
    "apoferritin": DataSet("apoferritin (EMPIAR-10146)", "empiar10146_apoferritin", "mrc", "truth/particles_1.5A.txt",
                           1.5, 120, 30),
    "bgal": DataSet("β-galactosidase (EMPIAR-10017)", "empiar10017_bgal", "mrc_bin4", "truth/particles_bin4_7.08A.txt",
                    7.08, 191, 13.5),
}


def pupicker(*arguments: object) -> tuple[str, dict[str, float]]:
    """Run a command; its standard output, and its wall and processor seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "pupicker", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, {"wall_s": round(wall, 1), "cpu_s": round(cpu, 1)}


def micrographs(data: Path, name: str, role: str) -> list[Path]:
    """Files of the split's role."""
    chosen = SETS[name]
    with open(data / "splits.csv", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["data_set"] == chosen.folder and r["role"] == role]
    return [data / chosen.folder / chosen.micrographs / f"{r['micrograph']}.mrc" for r in rows]


def one_run(data: Path, name: str, labels: int, seed: int, work: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train, pick, evaluate."""
    chosen = SETS[name]
    model, picks = work / f"{name}_{labels}_{seed}.pupicker", work / f"{name}_{labels}_{seed}.tsv"
    common = ["--device", args.device, "--threads", args.threads, "--pixel-size", chosen.pixel_size_ang]
    table = data / "labels" / chosen.folder / f"n{labels:04d}_seed{seed}.tsv"
    report, training = pupicker(
        "train", *micrographs(data, name, "train"), "--picks", table, "--diameter", chosen.diameter_ang, "--output",
        model, "--seed", seed, "--json", *common,
    )
    tests = micrographs(data, name, "test")
    _, picking = pupicker("pick", *tests, "--model", model, "--output", picks, "--threshold", LOWEST_THRESHOLD, *common)
    result, _ = pupicker(
        "evaluate", "--picks", picks, "--truth", data / chosen.folder / chosen.truth, "--radius",
        chosen.match_radius_px, "--micrographs", *[t.stem for t in tests], "--json",
    )
    card, score = json.loads(report), json.loads(result)
    picking["wall_s_per_micrograph"] = round(picking["wall_s"] / len(tests), 2)
    return {
        "set": name, "labels": labels, "seed": seed, "training": training, "picking": picking,
        "updates": card["validation"]["best_updates"], "validation_ap": card["validation"]["average_precision"],
        "particles_per_micrograph": card["particles_per_micrograph"],
        **{key: score[key] for key in ("average_precision", "best_f1", "recall", "picks", "truth")},
    }


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and spread over the seeds."""
    rows = []
    for name, labels in dict.fromkeys((r["set"], r["labels"]) for r in runs):
        own = [r for r in runs if (r["set"], r["labels"]) == (name, labels)]
        ap = [r["average_precision"] for r in own]
        rows.append({
            "set": name, "labels": labels, "seeds": len(own), "ap_mean": round(statistics.mean(ap), 4),
            "ap_min": round(min(ap), 4), "ap_max": round(max(ap), 4),
            "training_wall_s_mean": round(statistics.mean(r["training"]["wall_s"] for r in own), 1),
            "training_cpu_s_mean": round(statistics.mean(r["training"]["cpu_s"] for r in own), 1),
            "picking_wall_s_per_micrograph_mean":
                round(statistics.mean(r["picking"]["wall_s_per_micrograph"] for r in own), 2),
        })
    return rows


def draw(rows: list[dict[str, Any]], runs: list[dict[str, Any]], path: Path) -> None:
    """Average precision against the number of labels, one dot a seed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, color in zip(SETS, ("#1f77b4", "#d62728"), strict=True):
        mean = sorted((r["labels"], r["ap_mean"]) for r in rows if r["set"] == name)
        axes.plot(*zip(*mean, strict=True), "-", color=color, label=SETS[name].title)
        dots = [(r["labels"], r["average_precision"]) for r in runs if r["set"] == name]
        axes.plot(*zip(*dots, strict=True), "o", color=color, alpha=0.5, markersize=5)
    counts = sorted({r["labels"] for r in rows})
    axes.set(xscale="log", xlabel="labelled particles", ylabel="average precision, test micrographs", ylim=(0.5, 1.005))
    axes.set_xticks(counts, [str(c) for c in counts])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=130)


def machine(args: argparse.Namespace) -> dict[str, Any]:
    """What it ran on."""
    import torch

    import pupicker as package

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    gpu = torch.cuda.get_device_name(0) if args.device.startswith("cuda") else None
    return {"processor": processor, "cores": os.cpu_count(), "threads": args.threads, "device": args.device, "gpu": gpu,
            "python": platform.python_version(), "torch": torch.__version__, "pupicker": package.__version__}


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 10])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="keep models and picks")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "real_data.json")
    args = parser.parse_args()
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = args.models or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        for labels in args.labels:
            for seed in args.seeds:
                for name in args.sets:
                    runs.append(one_run(args.data, name, labels, seed, work, args))
                    print(json.dumps(runs[-1]), flush=True)
    rows = summarise(runs)
    shown = [a for a in sys.argv[1:] if a != str(args.data)]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps({
        "command": " ".join(["python benchmarks/real_data.py DATA", *shown]), "machine": machine(args), "summary": rows,
        "runs": runs,
    }, indent=1) + "\n")
    draw(rows, runs, args.output.with_suffix(".png"))
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
