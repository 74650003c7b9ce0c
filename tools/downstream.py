"""``make downstream``: what picks at several thresholds are worth to 2D classes and to the 3D map, in one project.

Simulates micrographs of a known structure with dirt, trains on 100 labels, picks, and takes these sets through RELION
(extraction, 2D classification, 3D refinement from the true map blurred to 40 Å), each refined several times:

- the picks above each threshold (the same set, with another seed of the refinement, which halves the set otherwise);
- as many of the picks above the lowest of them at random, and as many true particles (each time others);
- new picks: those that are not in a half of the true particles, as after a curated set.

Prints and draws what came out beside the truth (figures 3 and 4 of the Topaz paper).  Each set is kept when it is done:
the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import downstream_maps as maps
import downstream_runs as runs
from demo import choose_labels, pupicker, say
from demo_project import DemoProject, set_up
from downstream_picture import draw_results
from downstream_sets import KEPT, Branch, Branches
from pupicker import METHOD_VERSION
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.shared.atomic import write_text
from pupicker.tests.scipion.system_relion import missing_relion, use_system_relion

PROJECT = "PuPickerDownstream"
LABELS, LABELLED_MICROGRAPHS = 100, 6
LOWEST = -6.0  # score of the weakest picks


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("downstream"), help="folder to write (default: downstream)")
    parser.add_argument("--results", type=Path, help="folder for NAME.json and .png (default: that of --output)")
    parser.add_argument("--name", default="downstream", help="of the results (default: downstream)")
    parser.add_argument("--density", default="barrel", help="map, atoms or made-up shape (default: barrel)")
    parser.add_argument("--symmetry", default="D7", help="C1, Cn or Dn of the density (default: D7, the barrel's)")
    parser.add_argument("--pixel-size", type=float, default=6.0, help="Å (default: 6)")
    parser.add_argument("--micrographs", type=int, default=16, help="number of micrographs (default: 16)")
    parser.add_argument("--particles", type=int, default=80, help="particles in each (default: 80)")
    parser.add_argument("--side", type=int, default=896, help="of the micrographs, px (default: 896)")
    parser.add_argument("--snr", type=float, default=0.1, help="signal-to-noise ratio (default: 0.1)")
    parser.add_argument("--thresholds", type=float, nargs="+", default=[], help="least scores of the series (default:"
                        f" those that keep {' '.join(map(str, KEPT))} times as many picks as there are particles)")
    parser.add_argument("--refinements", type=int, default=3, help="of each set (default: 3)")
    parser.add_argument("--updates", type=int, default=0, help="updates of the training (default: automatic)")
    parser.add_argument("--seed", type=int, default=0, help="seed of labels and random subsets (default: 0)")
    parser.add_argument("--quick", action="store_true",
                        help="few particles, picked without labels, one threshold, 2D classes only: minutes")
    args = parser.parse_args()
    if args.quick:  # aggregates consist of particles but count as none: a logit above the default of 1
        args.micrographs, args.particles, args.thresholds, args.refinements = 6, 30, [2.0], 0
        args.pixel_size, args.side = 6.0, 640
    args.thresholds = sorted(args.thresholds)
    args.lowest = args.thresholds[0] if args.thresholds else LOWEST
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


def pick_without_labels(project: DemoProject, micrographs: Any, diameter_ang: float, args: argparse.Namespace) -> Any:
    """Pick all micrographs with the general model at the lowest threshold."""
    from pupicker.constants import BASELINE_GENERAL
    from pupicker.protocols import ProtPuPickerBaseline

    return project.run(
        ProtPuPickerBaseline, "pick", {"inputMicrographs": (micrographs, "outputMicrographs")},
        method=BASELINE_GENERAL, diameter=diameter_ang, minScore=args.lowest, useGpu=False,
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
        useGpu=False, thresholdMode=THRESHOLD_GIVEN, threshold=args.lowest,
    )


@dataclass
class Follower:
    """Takes branches to 2D classes, and to maps if there is a reference."""

    project: DemoProject
    ctf: runs.Output
    reference: runs.Output | None
    truth: CoordinateTable
    truth_map: maps.Map
    radius_px: float
    settings: runs.RelionSettings
    pixel_size_ang: float

    def follow(self, branch: Branch) -> dict[str, Any]:
        """What the branch gave; `averages` are arrays."""
        result: dict[str, Any] = {"name": branch.name, "group": branch.group, "threshold": branch.threshold,
                                  "refinements": []}
        extracted: dict[int, runs.Output] = {}
        for number, output in enumerate(branch.draws):
            name = f"{branch.name}, {number + 1}"
            hit = runs.hits(getattr(*output), self.truth, self.radius_px)
            particles = extracted.get(id(output)) or runs.extract(self.project, output, self.ctf, name, self.settings)
            extracted[id(output)] = particles
            if number == 0:
                result |= self._counted(branch, hit, particles)
            if self.reference is not None:
                volume = runs.refine(self.project, particles, self.reference, name, self.settings,
                                     number + 1).outputVolume
                result["refinements"].append(self._judged(volume))
        return result

    def _counted(self, branch: Branch, hit: dict[runs.Key, bool], particles: runs.Output) -> dict[str, Any]:
        used = [hit[runs.key_of(particle)] for particle in getattr(*particles)]
        found: dict[str, Any] = {"picks": len(hit), "particles": len(used), "true": sum(used),
                                 "false": len(used) - sum(used), "recall": sum(hit.values()) / len(self.truth)}
        if branch.classified:
            classes = runs.classify(self.project, particles, branch.name, self.settings).outputClasses
            counts = runs.class_counts(classes, hit)
            found |= {"classes": counts, "averages": runs.class_averages(classes, counts),
                      "false_classes": sum(2 * count["false"] > count["particles"] for count in counts)}
        return found

    def _judged(self, volume: Any) -> dict[str, Any]:
        paths = [self.project.path(path) for path in (volume.getFileName(), *volume.getHalfMaps().split(","))]
        return judge(paths, self.truth_map, maps.soft_mask(self.truth_map), self.pixel_size_ang)


def judge(paths: list[Path], truth_map: maps.Map, mask: maps.Map, pixel_size_ang: float) -> dict[str, Any]:
    """How a map compares with itself in halves and with the truth; `paths` are those of the map and its halves."""
    whole, *halves = (maps.read_map(path) * mask for path in paths)
    size = len(truth_map)
    between = maps.fourier_shell_correlation(*halves)
    against = maps.fourier_shell_correlation(whole, truth_map * mask)
    return {
        "fsc_halves": between.round(4).tolist(), "fsc_truth": against.round(4).tolist(),
        "resolution_ang": round(maps.resolution_ang(between, size, pixel_size_ang, 0.143), 2),
        "resolution_truth_ang": round(maps.resolution_ang(against, size, pixel_size_ang, 0.5), 2),
        "correlation": round(maps.correlation(whole, truth_map * mask, mask > 0.5), 4),
    }


def spread(result: dict[str, Any], key: str, digits: int) -> str:
    """Mean of the refinements, and the smallest and the largest of several."""
    values = [one[key] for one in result["refinements"]]
    if not values:
        return ""
    text = f"{np.mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def show(results: list[dict[str, Any]]) -> None:
    """Print the table."""
    say(f"\n{'set':<34}{'particles':>10}{'true':>7}{'false':>7}{'recall':>8}{'false classes':>15}"
        f"{'FSC 0.143/Å':>22}{'truth 0.5/Å':>22}{'correlation':>22}")
    for r in results:
        false_classes = f"{r['false_classes']} of {len(r['classes'])}" if "classes" in r else ""
        say(f"{r['name']:<34}{r['particles']:>10}{r['true']:>7}{r['false']:>7}{r['recall']:>8.3f}{false_classes:>15}"
            f"{spread(r, 'resolution_ang', 1):>22}{spread(r, 'resolution_truth_ang', 1):>22}"
            f"{spread(r, 'correlation', 3):>22}")


class Kept:
    """Results of a run that may be stopped, with the averages of the 2D classes, in a folder."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder, self._settings = folder, settings
        folder.mkdir(exist_ok=True)

    def get(self, name: str) -> dict[str, Any] | None:
        """What is kept of a branch with the same settings."""
        path = self._path(name)
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        if kept["settings"] != self._settings:
            return None
        result: dict[str, Any] = kept["result"]
        if "classes" in result:
            result["averages"] = list(np.load(path.with_suffix(".npy")))
        return result

    def put(self, result: dict[str, Any]) -> None:
        """Keep it."""
        path = self._path(result["name"])
        if "averages" in result:
            np.save(path.with_suffix(".npy"), np.stack(result["averages"]))
        bare = {key: value for key, value in result.items() if key != "averages"}
        write_text(path, json.dumps({"settings": self._settings, "result": bare}))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '_')}.json"


def compare(branches: Branches, follower: Follower, kept: Kept) -> Iterator[list[dict[str, Any]]]:
    """The results of the branches so far, after each of them."""
    results = []
    for branch in branches:
        result = kept.get(branch.name)
        if result is None:
            began = time.monotonic()
            result = follower.follow(branch)
            result["seconds"] = round(time.monotonic() - began, 1)
            kept.put(result)
        results.append(result)
        show(results[-1:])
        yield results


def choose_picks(project: DemoProject, micrographs: Any, truth: CoordinateTable, diameter_ang: float, box_px: int,
                 args: argparse.Namespace) -> Any:
    """The run that picks: with the general model, or with one that learns from labels on the first micrographs."""
    if args.quick:
        return pick_without_labels(project, micrographs, diameter_ang, args)
    labelled = truth.select(np.isin(truth.micrograph, sorted(set(truth.micrograph))[:LABELLED_MICROGRAPHS]))
    labels = project.import_coordinates(choose_labels(labelled, LABELS, args.seed), micrographs, "import labels",
                                        box_px, args.output.resolve() / "labels.sqlite")
    return pick(project, micrographs, labels, diameter_ang, args)


def write(args: argparse.Namespace, said: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Write the table and the picture."""
    folder = (args.results or args.output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    averages = {result["name"]: result["averages"] for result in results if "averages" in result}
    bare = [{key: value for key, value in result.items() if key != "averages"} for result in results]
    report = {**said, "branches": bare}
    write_text(folder / f"{args.name}.json", json.dumps(report, indent=1) + "\n")
    draw_results(folder / f"{args.name}.png", report, averages)


def main() -> int:
    """Run the comparison."""
    args = parse_arguments()
    if missing_relion():
        raise SystemExit("downstream needs " + " and ".join(missing_relion()))
    start = time.monotonic()
    folder = args.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = args.density if not os.path.exists(args.density) else os.path.abspath(args.density)
    density = folder / "density.mrc"
    diameter_ang = maps.prepare_density(source, args.symmetry, args.pixel_size, density)
    truth, defocus_um = simulate(folder / "micrographs", density, args)
    box_px = 2 * round(0.78 * diameter_ang / args.pixel_size)
    settings = runs.RelionSettings(
        box_px=box_px, mask_ang=round(1.15 * diameter_ang), symmetry=args.symmetry, classes=6 if args.quick else 10,
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
    picked = choose_picks(project, micrographs, truth, diameter_ang, box_px, args)
    radius_px = diameter_ang / args.pixel_size / 2
    said = {
        "density": os.path.basename(args.density), "pixel_size_ang": args.pixel_size,
        "diameter_ang": round(diameter_ang, 1), "micrographs": args.micrographs,
        "particles_per_micrograph": args.particles, "snr": args.snr, "labels": 0 if args.quick else LABELS,
        "true_particles": len(truth), "seed": args.seed, "refinements": args.refinements, "relion": asdict(settings),
        "method_version": METHOD_VERSION,
    }
    branches = Branches(project, folder, micrographs, picked, truth, radius_px, box_px, args)
    follower = Follower(project, ctf, reference, truth, truth_map, radius_px, settings, args.pixel_size)
    results: list[dict[str, Any]] = []
    for results in compare(branches, follower, Kept(folder / "kept", said)):
        write(args, said, results)  # what is there so far
    show(results)
    say(f"{time.monotonic() - start:.0f} s; written: {args.name}.json and .png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
