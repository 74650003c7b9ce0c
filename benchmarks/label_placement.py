"""How often labels in the wrong place are noticed before a training, and right ones are left in peace.

    OMP_NUM_THREADS=1 python -m benchmarks.label_placement [--sets apoferritin trimer] [--draws 200] [--wrong-draws 10]

Labels are drawn from all particles of the training micrographs, as they are and wrong in one way, and the label files
of the real sets are taken as they are.  Told are the shares that are refused, that are warned of (or refused), and that
are said to look like places at random, with blobs alone and with the general model as the second witness.  `unrelated`
are places at random: what right labels are to a model that does not see the particles, so that what is refused of them
is the error of the test.  `bright` are right labels on inverted images.  Only training micrographs are looked at.

Results: results/label_placement.json and .md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.datasets import SETS, BenchmarkSet, data_folder, load_set, read_table
from benchmarks.common.real_sets import SETS as REAL
from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from pupicker.core.geometry import Geometry, geometry
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.preparation.general_witness import GeneralWitness
from pupicker.engine.preparation.label_placement import BlobWitness, Finding, with_testimony
from pupicker.engine.preparation.working_micrograph import Resampled, resample
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json

COUNTS = (5, 10, 25, 100)
PARTICLE_PX = 22
CORNER_DIAMETERS = 0.75  # half of a box of 1.5 diameters

Wrong = Callable[[CoordinateTable, "Scene"], CoordinateTable]


class Scene:
    """The training micrographs of a set, their particles, and what the witnesses know of them."""

    def __init__(self, chosen: BenchmarkSet) -> None:
        self.set = chosen
        self.geometry: Geometry = geometry(chosen.diameter_ang, chosen.pixel_size_ang, PARTICLE_PX)
        self.micrographs: list[Resampled] = [
            resample(path, chosen.pixel_size_ang, self.geometry.working_pixel_size_ang) for path in chosen.training]
        self.particles = self.table(chosen.truth)
        self.rows, self.columns = self.micrographs[0].shape
        self.random = np.random.default_rng(0)
        inverted = [replace(m, pixels=-m.pixels) for m in self.micrographs]
        self._witnesses = {sign: (BlobWitness(seen, self.geometry), GeneralWitness(seen, self.geometry))
                           for sign, seen in ((1, self.micrographs), (-1, inverted))}

    def table(self, path: Path) -> CoordinateTable:
        """Positions in a file, of training micrographs."""
        names = {m.path.stem: str(m.path) for m in self.micrographs}
        rows = [(names[name], x, y) for name, x, y in read_table(path) if name in names]
        return CoordinateTable(*(np.array(column) for column in zip(*rows, strict=True)))

    def draw(self, count: int) -> CoordinateTable:
        """So many particles, of all."""
        return self.particles.select(self.random.permutation(len(self.particles))[:count])

    def found(self, labels: CoordinateTable, sign: int = 1) -> tuple[Finding, Finding]:
        """With blobs alone, and with the general model where they do not tell."""
        blobs, general = self._witnesses[sign]
        alone = blobs.finding(labels)
        return alone, alone if alone.decided else with_testimony(alone, general, self.micrographs, labels)


def _scaled(factor: float) -> Wrong:
    return lambda labels, _: replace(labels, x=labels.x * factor, y=labels.y * factor)


def _corner(labels: CoordinateTable, scene: Scene) -> CoordinateTable:
    away = CORNER_DIAMETERS * scene.set.diameter_ang / scene.set.pixel_size_ang
    return replace(labels, x=labels.x - away, y=labels.y - away)


def _unrelated(labels: CoordinateTable, scene: Scene) -> CoordinateTable:
    x, y = (scene.random.uniform(0, side, len(labels)) for side in (scene.columns, scene.rows))
    return replace(labels, x=x, y=y)


WRONG: dict[str, Wrong] = {
    "mirrored in y": lambda labels, scene: replace(labels, y=scene.rows - 1 - labels.y),
    "mirrored in x": lambda labels, scene: replace(labels, x=scene.columns - 1 - labels.x),
    "swapped": lambda labels, _: replace(labels, x=labels.y, y=labels.x),
    "of micrographs binned by 2": _scaled(0.5), "of micrographs binned by 4": _scaled(0.25),
    "of micrographs twice as large": _scaled(2.0), "corners of boxes": _corner,
}


def judged(findings: Sequence[tuple[Finding, Finding]]) -> dict[str, Any]:
    """Shares of what is said, with blobs alone and with both witnesses."""
    told: dict[str, Any] = {"draws": len(findings)}
    for who, own in (("blobs", [one for one, _ in findings]), ("both", [both for _, both in findings])):
        told[who] = {"refused": round(float(np.mean([f.elsewhere and f.certain for f in own])), 4),
                     "noticed": round(float(np.mean([f.elsewhere for f in own])), 4),
                     "random": round(float(np.mean([f.random and not f.elsewhere for f in own])), 4)}
    return told


def measure(scene: Scene, draws: int, wrong_draws: int) -> list[dict[str, Any]]:
    """One row a kind and number of labels."""
    rows = []
    for count in COUNTS:
        right = [scene.found(scene.draw(count)) for _ in range(draws)]
        kinds = {"right": right, "bright": [scene.found(scene.draw(count), -1) for _ in range(wrong_draws)],
                 "unrelated": [scene.found(_unrelated(scene.draw(count), scene)) for _ in range(draws // 2)]}
        kinds |= {kind: [scene.found(wrong(scene.draw(count), scene)) for _ in range(wrong_draws)]
                  for kind, wrong in WRONG.items()}
        rows += [{"set": scene.set.name, "labels": count, "kind": kind, **judged(found)}
                 for kind, found in kinds.items()]
        print(f"{scene.set.name}: {count} labels", flush=True)
    return rows


def files(scene: Scene, data: Path) -> list[dict[str, Any]]:
    """What is said of each label file of a real set, as it is; and the seconds of the check from nothing."""
    from pupicker.engine.preparation.label_placement import find_place

    rows = []
    for path in sorted((data / "labels" / REAL[scene.set.name].folder).glob("*.tsv")):
        begin = time.process_time()
        finding = find_place(scene.micrographs, scene.table(path), scene.geometry)
        assert finding is not None
        rows.append({"set": scene.set.name, "file": path.name, "cpu_s": round(time.process_time() - begin, 2),
                     "asked_general_model": not finding.decided, "noticed": finding.elsewhere,
                     "random": finding.random})
    return rows


def together(rows: list[dict[str, Any]], kind: str, count: int) -> tuple[dict[str, dict[str, float]], int]:
    """Shares over all sets, and of how many draws."""
    own = [row for row in rows if row["kind"] == kind and row["labels"] == count]
    total = sum(row["draws"] for row in own)
    return {who: {what: sum(row[who][what] * row["draws"] for row in own) / total for what in ("refused", "noticed",
                  "random")} for who in ("blobs", "both")}, total


def report(rows: list[dict[str, Any]], of_files: list[dict[str, Any]]) -> str:
    """Table in Markdown."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    lines = [f"Sets: {', '.join(dict.fromkeys(row['set'] for row in rows))}. In each cell: share that is refused / that"
             " is noticed (refused or warned of), with both witnesses; in parentheses noticed with blobs alone.", "",
             "| labels | " + " | ".join(f"{count}" for count in COUNTS) + " |", "|" + "---|" * (len(COUNTS) + 1)]
    for kind in kinds:
        cells = []
        for count in COUNTS:
            share, _ = together(rows, kind, count)
            both, alone = share["both"], share["blobs"]
            cells.append(f"{both['refused']:.3f} / {both['noticed']:.3f} ({alone['noticed']:.3f})")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    for kind in ("right", "unrelated"):
        totals = [together(rows, kind, count) for count in COUNTS]
        number = sum(total for _, total in totals)
        refused = sum(share["both"]["refused"] * total for share, total in totals)
        lines += ["", f"{kind}: {refused:.0f} of {number} refused; said to look like places at random: " + ", ".join(
            f"{share['both']['random']:.3f} at {count} labels (blobs alone {share['blobs']['random']:.3f})"
            for count, (share, _) in zip(COUNTS, totals, strict=True)) + "."]
    if of_files:
        slow = max(row["cpu_s"] for row in of_files)
        asked = sum(row["asked_general_model"] for row in of_files)
        lines += ["", f"Label files of the real sets as they are: {len(of_files)}, of which"
                      f" {sum(row['noticed'] for row in of_files)} are noticed and"
                      f" {sum(row['random'] for row in of_files)} said to be at random; the general model was asked for"
                      f" {asked} of them; the check took at most {slow:.1f} processor seconds."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--wrong-draws", type=int, default=10)
    parser.add_argument("--output", type=Path, default=RESULTS / "label_placement.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows, of_files = [], []
    for name in args.sets:
        scene = Scene(load_set(name, args.data))
        of_files += files(scene, args.data) if name in REAL else []
        rows += measure(scene, args.draws, args.wrong_draws)
    write_json(args.output, {"machine": hardware(), "versions": {"pupicker": pupicker_code()}, "rows": rows,
                             "files": of_files})
    write_text(args.output.with_suffix(".md"), report(rows, of_files))


if __name__ == "__main__":
    main()
