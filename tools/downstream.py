"""``make downstream``: what picks at several thresholds are worth to 2D classes and to the 3D map, in one project.

Simulates micrographs of a known structure with dirt, trains on 100 labels, picks, and takes the picks at several
thresholds, the true positions, and random picks of equal number through RELION: extraction, 2D classification, 3D
refinement.  Prints and draws what came out beside the truth (figures 3 and 4 of the Topaz paper).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import downstream_maps as maps
import downstream_runs as runs
from demo import choose_labels, pupicker, say
from demo_project import DemoProject, set_up
from downstream_picture import draw_results
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.tests.scipion.system_relion import missing_relion, use_system_relion

PROJECT = "PuPickerDownstream"
LABELS, LABELLED_MICROGRAPHS = 100, 6


@dataclass
class Branch:
    """One way to choose particles: its name, the threshold if it has one, and its coordinates."""

    name: str
    threshold: float | None
    coordinates: runs.Output


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("downstream"), help="folder to write (default: downstream)")
    parser.add_argument("--results", type=Path, help="folder for downstream.json and .png (default: that of --output)")
    parser.add_argument("--density", default="barrel", help="map, atoms or made-up shape (default: barrel)")
    parser.add_argument("--symmetry", default="D7", help="C1, Cn or Dn of the density (default: D7, the barrel's)")
    parser.add_argument("--pixel-size", type=float, default=6.0, help="Å (default: 6)")
    parser.add_argument("--micrographs", type=int, default=16, help="number of micrographs (default: 16)")
    parser.add_argument("--particles", type=int, default=80, help="particles in each (default: 80)")
    parser.add_argument("--side", type=int, default=896, help="of the micrographs, px (default: 896)")
    parser.add_argument("--snr", type=float, default=0.1, help="signal-to-noise ratio (default: 0.1)")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[-2.0, 1.0, 4.0],
                        help="least scores of the series (default: -2 1 4)")
    parser.add_argument("--updates", type=int, default=0, help="updates of the training (default: automatic)")
    parser.add_argument("--seed", type=int, default=0, help="seed of labels and random subsets (default: 0)")
    parser.add_argument("--quick", action="store_true",
                        help="few particles, picked without labels, one threshold, 2D classes only: minutes")
    args = parser.parse_args()
    if args.quick:  # aggregates consist of particles but count as none: a logit above the default of 1
        args.micrographs, args.particles, args.thresholds = 6, 30, [2.0]
        args.pixel_size, args.side = 6.0, 640
    args.thresholds = sorted(args.thresholds)
    return args


def simulate(folder: Path, density: Path, args: argparse.Namespace) -> tuple[CoordinateTable, dict[str, float]]:
    """Simulate the micrographs; return the truth and the defocus in µm by micrograph name."""
    pupicker(
        "simulate", "--output", folder, "--density", density, "--pixel-size", args.pixel_size, "--micrographs",
        args.micrographs, "--particles", args.particles, "--snr", args.snr, "--astigmatism", 0, "--gold", 1,
        "--ice", 4, "--aggregates", 3, "--width", args.side, "--height", args.side, "--seed", args.seed + 1,
    )
    record = json.loads((folder / "simulation.json").read_text())
    return read_coordinates(folder / "truth.star"), {mic["name"]: mic["defocus_um"] for mic in record["micrographs"]}


def positions(table: CoordinateTable) -> dict[str, list[tuple[float, float]]]:
    """Centres by micrograph name."""
    return choose_labels(table, len(table), 0)


def pick_without_labels(project: DemoProject, micrographs: Any, diameter_ang: float, args: argparse.Namespace) -> Any:
    """Pick all micrographs with the general model at the lowest threshold."""
    from pupicker.constants import BASELINE_GENERAL
    from pupicker.protocols import ProtPuPickerBaseline

    return project.run(
        ProtPuPickerBaseline, "pick", {"inputMicrographs": (micrographs, "outputMicrographs")},
        method=BASELINE_GENERAL, diameter=diameter_ang, minScore=args.thresholds[0], useGpu=False,
    )


def pick(project: DemoProject, micrographs: Any, labels: Any, diameter_ang: float, args: argparse.Namespace) -> Any:
    """Train on the labels and pick all micrographs at the lowest threshold."""
    from pupicker.constants import THRESHOLD_GIVEN
    from pupicker.protocols import ProtPuPickerPick, ProtPuPickerTrain

    train = project.run(ProtPuPickerTrain, "train", {"inputCoordinates": (labels, "outputCoordinates")},
                        diameter=diameter_ang, updates=args.updates, useGpu=False)
    return project.run(
        ProtPuPickerPick, "pick",
        {"inputMicrographs": (micrographs, "outputMicrographs"), "inputModel": (train, "outputModel")},
        useGpu=False, thresholdMode=THRESHOLD_GIVEN, threshold=args.thresholds[0],
    )


def random_picks(coordinates: Any, count: int, seed: int) -> dict[str, list[tuple[float, float]]]:
    """`count` picks whatever their score, by micrograph name."""
    found = [(item.getMicName(), item.getX(), item.getY()) for item in coordinates]
    chosen: dict[str, list[tuple[float, float]]] = {}
    for index in sorted(np.random.default_rng(seed).choice(len(found), count, replace=False)):
        name, x, y = found[index]
        chosen.setdefault(name, []).append((x, y))
    return chosen


def make_branches(project: DemoProject, folder: Path, micrographs: Any, picked: Any, truth: CoordinateTable,
                  box_px: int, args: argparse.Namespace) -> list[Branch]:
    """Threshold series, as many random ones of all picks as each stricter threshold keeps, and the truth."""

    def imported(points: dict[str, list[tuple[float, float]]], name: str) -> runs.Output:
        table = folder / f"{name.replace(' ', '_')}.sqlite"
        return project.import_coordinates(points, micrographs, name, box_px, table), "outputCoordinates"

    series = runs.threshold_series(project, (picked, "outputCoordinates"), args.thresholds)
    branches = [Branch(f"score {score:g}", score, output) for score, output in series.items()]
    for output in list(series.values())[1:]:  # the lowest threshold keeps all that there is to draw from
        kept = getattr(*output).getSize()
        drawn = imported(random_picks(picked.outputCoordinates, kept, args.seed), f"random {kept}")
        branches.append(Branch(f"random {kept}", None, drawn))
    branches.append(Branch("truth", None, imported(positions(truth), "truth")))
    return branches


def follow(project: DemoProject, branch: Branch, ctf: runs.Output, reference: runs.Output | None,
           truth: CoordinateTable, radius_px: float, settings: runs.RelionSettings) -> dict[str, Any]:
    """Take one branch to 2D classes, and to a map if there is a reference; return what it gave."""
    hit = runs.hits(getattr(*branch.coordinates), truth, radius_px)
    particles = runs.extract(project, branch.coordinates, ctf, branch.name, settings)
    used = [hit[runs.key_of(particle)] for particle in getattr(*particles)]
    classes = runs.classify(project, particles, branch.name, settings).outputClasses
    counts = runs.class_counts(classes, hit)
    result: dict[str, Any] = {
        "name": branch.name, "threshold": branch.threshold, "picks": len(hit), "particles": len(used),
        "true": sum(used), "false": len(used) - sum(used), "recall": sum(hit.values()) / len(truth),
        "classes": counts, "averages": runs.class_averages(classes, counts),
        "false_classes": sum(2 * count["false"] > count["particles"] for count in counts),
    }
    if reference is not None:
        volume = runs.refine(project, particles, reference, branch.name, settings).outputVolume
        result["maps"] = [str(project.path(path)) for path in (volume.getFileName(), *volume.getHalfMaps().split(","))]
    return result


def judge(result: dict[str, Any], truth_map: maps.Map, mask: maps.Map, pixel_size_ang: float) -> None:
    """Add to a result how its map compares with itself in halves and with the truth."""
    whole, *halves = (maps.read_map(Path(path)) * mask for path in result.pop("maps"))
    size = len(truth_map)
    between = maps.fourier_shell_correlation(*halves)
    against = maps.fourier_shell_correlation(whole, truth_map * mask)
    result["fsc_halves"], result["fsc_truth"] = between.round(4).tolist(), against.round(4).tolist()
    result["resolution_ang"] = round(maps.resolution_ang(between, size, pixel_size_ang, 0.143), 2)
    result["resolution_truth_ang"] = round(maps.resolution_ang(against, size, pixel_size_ang, 0.5), 2)
    result["correlation"] = round(maps.correlation(whole, truth_map * mask, mask > 0.5), 4)


def show(results: list[dict[str, Any]]) -> None:
    """Print the table."""
    say(f"\n{'branch':<14}{'particles':>10}{'true':>7}{'false':>7}{'recall':>8}{'false classes':>15}"
        f"{'FSC 0.143/Å':>13}{'truth 0.5/Å':>13}{'correlation':>13}")
    for r in results:
        line = (f"{r['name']:<14}{r['particles']:>10}{r['true']:>7}{r['false']:>7}{r['recall']:>8.3f}"
                f"{r['false_classes']:>9} of {len(r['classes']):<2}")
        if "correlation" in r:
            line += f"{r['resolution_ang']:>13.2f}{r['resolution_truth_ang']:>13.2f}{r['correlation']:>13.3f}"
        say(line)


def main() -> int:
    """Run the comparison."""
    args = parse_arguments()
    if missing_relion():
        raise SystemExit("downstream needs " + " and ".join(missing_relion()))
    start = time.monotonic()
    folder = args.output.resolve()
    results_folder = (args.results or args.output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = args.density if not os.path.exists(args.density) else os.path.abspath(args.density)
    density = folder / "density.mrc"
    diameter_ang = maps.prepare_density(source, args.symmetry, args.pixel_size, density)
    truth, defocus_um = simulate(folder / "micrographs", density, args)
    box_px = 2 * round(0.78 * diameter_ang / args.pixel_size)
    settings = runs.RelionSettings(
        box_px=box_px, mask_ang=round(1.15 * diameter_ang), symmetry=args.symmetry, classes=6,
        iterations=4 if args.quick else 8, class_resolution_ang=max(15.0, 2.5 * args.pixel_size), lowpass_ang=40.0,
    )
    truth_map = maps.fit_box(maps.load_density(density, args.pixel_size).values, box_px)
    maps.write_map(folder / "truth.mrc", truth_map, args.pixel_size)

    set_up(folder / "scipion")
    use_system_relion()
    project = DemoProject(PROJECT)
    micrographs = project.import_micrographs(folder / "micrographs", "import micrographs", args.pixel_size)
    ctf = runs.import_ctf(project, micrographs, defocus_um, folder / "ctf.sqlite")
    reference = None if args.quick else runs.import_reference(project, folder / "truth.mrc", args.pixel_size)
    if args.quick:
        picked = pick_without_labels(project, micrographs, diameter_ang, args)
    else:
        labelled = truth.select(np.isin(truth.micrograph, sorted(set(truth.micrograph))[:LABELLED_MICROGRAPHS]))
        labels = project.import_coordinates(choose_labels(labelled, LABELS, args.seed), micrographs, "import labels",
                                            box_px, folder / "labels.sqlite")
        picked = pick(project, micrographs, labels, diameter_ang, args)
    radius_px = diameter_ang / args.pixel_size / 2
    results, averages = [], {}
    for branch in make_branches(project, folder, micrographs, picked, truth, box_px, args):
        results.append(follow(project, branch, ctf, reference, truth, radius_px, settings))
        averages[branch.name] = results[-1].pop("averages")
        if reference is not None:
            judge(results[-1], truth_map, maps.soft_mask(truth_map), args.pixel_size)
        show(results[-1:])
    show(results)
    report = {
        "density": os.path.basename(args.density), "symmetry": args.symmetry, "pixel_size_ang": args.pixel_size,
        "box_px": box_px, "diameter_ang": round(diameter_ang, 1), "micrographs": args.micrographs,
        "particles_per_micrograph": args.particles, "snr": args.snr,
        "labels": 0 if args.quick else LABELS, "true_particles": len(truth),
        "branches": results, "seconds": {name: round(value, 1) for name, value in project.seconds.items()},
        "total_seconds": round(time.monotonic() - start, 1),
    }
    results_folder.mkdir(parents=True, exist_ok=True)
    (results_folder / "downstream.json").write_text(json.dumps(report, indent=1) + "\n")
    draw_results(results_folder / "downstream.png", report, averages)
    say(f"{report['total_seconds']:.0f} s; written: {results_folder}/downstream.json and .png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
