"""Is the loop over 2D classes worth it: pick without labels, classify, learn from the good classes, pick again?

    python -m benchmarks.class_loop run [--seeds 0 1 2] [--sets barrel] [--methods general classes] [--updates N]
    python -m benchmarks.class_loop report

Each seed is a session of simulated micrographs with carbon, gold, ice, clumps of particles and vesicles.  The first
six are picked with the general model at its default threshold, from where on a pick is a particle as likely as not, so
that most are; RELION extracts and classifies these picks without correcting the CTF.  The particles of the good
classes are the only labels of a training, and its model picks.  Compared with the truth are the picks of the general
model and of that model, on the first micrographs and on two later ones, which no class has seen.

Good is a class with more than an equal share of the particles: with K classes, more than 1/K of all.  This is what one
gets who sorts the classes by size, and looks at nothing; it was chosen on a session of seed 101, which is not measured
here.  How many of the particles are right is recorded, and used for nothing.

Methods: ``general`` (before), ``classes`` (after), ``negatives`` (after, with the particles of all other classes as
places that are no particles), ``all`` (after, with all picks as labels: what the choice of classes brings).
Needs RELION.  Results: results/class_loop.jsonl, a line a session and method, and .md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.common.datasets import BenchmarkSet, cache_folder, simulated_set
from benchmarks.common.real_sets import LOWEST_THRESHOLD
from benchmarks.common.runs import RESULTS, Failure, Records, hardware, process, pupicker_code
from pupicker import CoordinateTable, evaluate, read_coordinates, write_coordinates
from pupicker.engine.files.star import read_star, write_star
from pupicker.shared.atomic import write_text
from pupicker.shared.lengths import BOX_SIZE, even_box_size_px

SETS = ("barrel", "trimer", "ring", "globular", "stick")
"""Shapes of `pupicker simulate`."""

METHODS = ("general", "classes", "negatives", "all")
FIRST, LATER = 6, 2
SESSION = {"--pixel-size": 6, "--width": 704, "--height": 704, "--particles": 50, "--snr": 0.1, "--carbon": None,
           "--gold": 4, "--ice": 6, "--aggregates": 3, "--membranes": 4}
DEFAULT_THRESHOLD = 0.0  # of `pupicker baseline general`
CLASSES, ITERATIONS, FINEST_ANG = 10, 10, 20
PUPICKER = (sys.executable, "-m", "pupicker")
COMMON = ("--threads", 1, "--device", "cpu", "--pixel-size", SESSION["--pixel-size"])
OPTICS = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
_rlnVoltage #4
_rlnSphericalAberration #5
_rlnAmplitudeContrast #6
opticsGroup1 1 {pixel_size} 300.0 2.7 0.1
"""


def session(shape: str, seed: int) -> BenchmarkSet:
    """The micrographs of one session: the first are those to learn from, the later ones the test micrographs."""
    folder = cache_folder() / "class_loop" / f"{shape}-{seed}"
    return simulated_set(shape, shape, folder, {**SESSION, "--density": shape, "--seed": 1000 * seed}, (FIRST, LATER))


# ------------------------- before -------------------------
def general_picks(chosen: BenchmarkSet) -> CoordinateTable:
    """All candidates of the general model, on all micrographs; made once."""
    path = chosen.truth.parent / "general.tsv"
    if not path.is_file():
        process([*PUPICKER, "baseline", "general", *chosen.training, *chosen.test, "--diameter", chosen.diameter_ang,
                 "--output", path, f"--threshold={LOWEST_THRESHOLD}", *COMMON], path.with_suffix(".log"))
    return read_coordinates(path)


def on(table: CoordinateTable, files: list[Path]) -> CoordinateTable:
    """What lies on some of the micrographs, these named without folder."""
    names = np.array([Path(name).name for name in table.micrograph], dtype=object)
    kept = table.select(np.isin(names, [path.name for path in files]))
    return kept.renamed({name: Path(name).name for name in kept.names()})


def at_least(table: CoordinateTable, threshold: float) -> CoordinateTable:
    """Picks with at least this score."""
    assert table.score is not None
    return table.select(table.score >= threshold)


# ------------------------- RELION -------------------------
def classified(chosen: BenchmarkSet) -> tuple[CoordinateTable, np.ndarray]:
    """The first picks that RELION could cut out, and the class (from 1) of each; made once."""
    folder = chosen.truth.parent / "relion"
    last = folder / f"run_it{ITERATIONS:03d}_data.star"
    if not last.is_file():
        folder.mkdir(exist_ok=True)
        extract(chosen, at_least(on(general_picks(chosen), chosen.training), DEFAULT_THRESHOLD), folder)
        classify(chosen, folder)
    star = read_star(last, ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnClassNumber"])
    if star is None:
        raise Failure(f"{last}: no particles")
    names, x, y, number = star.columns.values()
    table = CoordinateTable(np.array([Path(name).name for name in names], dtype=object), np.array(x, dtype=float),
                            np.array(y, dtype=float))
    return table, np.array(number, dtype=int)


def extract(chosen: BenchmarkSet, picks: CoordinateTable, folder: Path) -> None:
    """Cut the particles out, bright, normalised; those that the border cuts are left out."""
    link = folder / "mics"
    link.unlink(missing_ok=True)
    link.symlink_to(chosen.training[0].parent)
    (folder / "picks" / "mics").mkdir(parents=True, exist_ok=True)
    for path in chosen.training:
        own = picks.of(path.name)
        write_star(folder / "picks" / "mics" / f"{path.stem}.star",
                   {"rlnCoordinateX": [f"{x:.3f}" for x in own.x], "rlnCoordinateY": [f"{y:.3f}" for y in own.y]})
    rows = "".join(f"mics/{path.name} 1\n" for path in chosen.training)
    write_text(folder / "micrographs.star", OPTICS.format(pixel_size=chosen.pixel_size_ang)
               + "\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n" + rows)
    box_px = even_box_size_px(BOX_SIZE * chosen.diameter_ang, chosen.pixel_size_ang)
    relion(folder, "relion_preprocess", "--i", "micrographs.star", "--coord_dir", "picks/", "--coord_suffix", ".star",
           "--part_star", "particles.star", "--part_dir", "particles/", "--extract", "--extract_size", box_px, "--norm",
           "--bg_radius", round(0.375 * box_px), "--invert_contrast")


def classify(chosen: BenchmarkSet, folder: Path) -> None:
    """2D classes as RELION's form makes them, with coarser steps and no detail that needs the CTF."""
    relion(folder, "relion_refine", "--i", "particles.star", "--o", "./run", "--K", CLASSES, "--iter", ITERATIONS,
           "--particle_diameter", round(1.15 * chosen.diameter_ang), "--tau2_fudge", 2, "--zero_mask",
           "--flatten_solvent", "--oversampling", 1, "--psi_step", 12, "--offset_range", 3,
           "--offset_step", 2, "--norm", "--scale", "--pool", 30, "--preread_images", "--dont_combine_weights_via_disc",
           "--strict_highres_exp", FINEST_ANG, "--maxsig", 100, "--random_seed", 1)


def relion(folder: Path, program: str, *arguments: object) -> None:
    """Run a program of RELION in a folder."""
    process(["env", "-C", folder, program, *arguments], folder / f"{program}.log")


def good_classes(number: np.ndarray) -> list[int]:
    """Classes with more than an equal share of the particles."""
    found, sizes = np.unique(number, return_counts=True)
    return [int(one) for one, size in zip(found, sizes, strict=True) if size * CLASSES > len(number)]


# ------------------------- after -------------------------
def learnt_picks(chosen: BenchmarkSet, method: str, seed: int, options: list[object], work: Path
                 ) -> tuple[CoordinateTable, dict[str, Any]]:
    """Train on particles of the first micrographs; all candidates of the model, and what is to be recorded."""
    table, number = classified(chosen)
    good = np.isin(number, good_classes(number)) if method != "all" else np.ones(len(table), dtype=bool)
    write_coordinates(work / "labels.tsv", table.select(good))
    if method == "negatives":
        write_coordinates(work / "negatives.tsv", table.select(~good))
        options = [*options, "--negatives", work / "negatives.tsv"]
    model, picks = work / "model.pupicker", work / "picks.tsv"
    seconds = process([*PUPICKER, "train", *chosen.training, "--picks", work / "labels.tsv", "--diameter",
                       chosen.diameter_ang, "--output", model, "--report", work / "train.json", "--seed", seed,
                       *COMMON, *options], work / "log")
    process([*PUPICKER, "pick", *chosen.training, *chosen.test, "--model", model, "--output", picks,
             f"--threshold={LOWEST_THRESHOLD}", *COMMON], work / "log")
    right = hits(table, chosen)
    return read_coordinates(picks), {
        "training": seconds, "threshold": json.loads((work / "train.json").read_text())["suggested_threshold"],
        "classified": len(table), "classified_right": int(right.sum()), "labelled": int(good.sum()),
        "labelled_right": int(right[good].sum()),
        "class_counts": [[int((number == one).sum()), int(right[number == one].sum())] for one in np.unique(number)]}


def hits(table: CoordinateTable, chosen: BenchmarkSet) -> np.ndarray:
    """Which particles are right."""
    truth = on(read_coordinates(chosen.truth), chosen.training)
    found = evaluate(table, truth, chosen.match_radius_px)
    right = {(Path(name).stem, x, y) for name, x, y, hit in zip(
        found.picks.micrograph, found.picks.x, found.picks.y, found.hit, strict=True) if hit}
    return np.array([(Path(name).stem, x, y) in right
                     for name, x, y in zip(table.micrograph, table.x, table.y, strict=True)])


def judged(picks: CoordinateTable, threshold: float, chosen: BenchmarkSet) -> dict[str, Any]:
    """Against the truth: average precision of all candidates, precision and recall at the threshold."""
    out: dict[str, Any] = {}
    for role, files in (("first", chosen.training), ("later", chosen.test)):
        truth, own = on(read_coordinates(chosen.truth), files), on(picks, files)
        kept = evaluate(at_least(own, threshold), truth, chosen.match_radius_px)
        number = len(kept.picks)
        out[role] = {
            "average_precision": round(evaluate(own, truth, chosen.match_radius_px).curve.average_precision, 4),
            "precision": round(float(kept.hit.sum()) / max(1, number), 4),
            "recall": round(float(kept.hit.sum()) / len(truth), 4), "picks": number, "truth": len(truth)}
    return out


def measure(make: Callable[[], BenchmarkSet], method: str, seed: int, options: list[object]) -> dict[str, Any]:
    """One session, which is made only if it is needed, with one method."""
    chosen = make()
    told: dict[str, Any] = {"training": None, "threshold": DEFAULT_THRESHOLD}
    if method == "general":
        picks = general_picks(chosen)
    else:
        with tempfile.TemporaryDirectory(prefix="class-loop-") as work:
            picks, told = learnt_picks(chosen, method, seed, options, Path(work))
    scores = judged(picks, told["threshold"], chosen)
    return {**told, **scores, "average_precision": scores["later"]["average_precision"]}


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded."""
    records, code = Records(args.records), pupicker_code()
    options: list[object] = ["--updates", args.updates] if args.updates else []
    for seed in args.seeds:
        for shape in args.sets:
            for method in args.methods:
                settings = {"code": code["code"], "updates": args.updates if method != "general" else 0}
                unit = {"set": shape, "method": method, "labels": 0, "draw": seed, "settings": settings}
                records.run(unit, partial(measure, partial(session, shape, seed), method, seed, options),
                            {"machine": hardware(), "versions": {"pupicker": code}})


def report(records: list[dict[str, Any]]) -> str:
    """Tables of the records: a line a session and method, then the means."""
    head = ["set", "seed", "method", "labels, right", *(f"{role}: {what}" for role in ("first", "later")
                                                        for what in ("AP", "precision", "recall"))]
    lines = ["# The loop over 2D classes", "",
             f"Made by `python -m benchmarks.class_loop report`. Sessions of {FIRST} first and {LATER} later simulated "
             "micrographs with carbon, gold, ice, clumps and vesicles. *general*: picks without labels. *classes*: "
             "the model that learnt from the particles of RELION's 2D classes with more than an equal share of all; "
             "*negatives*: with those of the other classes as negatives; *all*: from all picks, whatever their class. "
             "Average precision (AP) of all candidates, precision and recall at the default threshold, against the "
             "truth. *Labels, right*: how many of the particles that were learnt from are true.", "",
             "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    order = sorted(records, key=lambda r: (SETS.index(r["set"]), r["draw"], METHODS.index(r["method"])))
    for r in order:
        labels = f"{r['labelled']}, {r['labelled_right'] / r['labelled']:.2f}" if "labelled" in r else "–"
        lines.append(_row([r["set"], r["draw"], r["method"], labels], [r]))
    lines += ["", "Means over the seeds that both of a pair have:", "", "| " + " | ".join(head) + " |",
              "|---" * len(head) + "|"]
    for shape in SETS:
        for method in METHODS[1:]:
            lines += _means(shape, method, order)
    lines += ["", "Updates of each training: "
              + ", ".join(sorted({str(r["settings"]["updates"] or "the default") for r in order if r["training"]}))
              + ". Commits: " + ", ".join(sorted({r["versions"]["pupicker"]["commit"] for r in order})) + "."]
    return "\n".join(lines) + "\n"


def _means(shape: str, method: str, records: list[dict[str, Any]]) -> list[str]:
    """Rows of the general model and of a method over the same sessions."""
    after = [r for r in records if (r["set"], r["method"]) == (shape, method)]
    before = [r for r in records if (r["set"], r["method"]) == (shape, "general")
              and r["draw"] in {one["draw"] for one in after}]
    if not after or len(before) != len(after):
        return []
    return [_row([shape, len(own), name, ""], own) for name, own in (("general", before), (method, after))]


def _row(words: list[Any], records: list[dict[str, Any]]) -> str:
    values = [f"{mean(r[role][what] for r in records):.3f}" for role in ("first", "later")
              for what in ("average_precision", "precision", "recall")]
    return "| " + " | ".join(map(str, [*words, *values])) + " |"


def main() -> None:
    """Measure or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=["barrel"], choices=SETS)
    parser.add_argument("--methods", nargs="+", default=["general", "classes"], choices=METHODS)
    parser.add_argument("--updates", type=int, default=0, help="of each training (default: 0, what pupicker takes)")
    parser.add_argument("--records", type=Path, default=RESULTS / "class_loop.jsonl", metavar="FILE")
    args = parser.parse_args()
    if args.command == "run":
        run(args)
        return
    text = report(Records(args.records).load())
    write_text(args.records.with_suffix(".md"), text)
    print(text)


if __name__ == "__main__":
    main()
