"""How well the number of particles is estimated from a few labels, on training micrographs.

    OMP_NUM_THREADS=1 python -m benchmarks.particle_numbers [--models FOLDER] [--sets bgal] [--draws 40]

The general model as it is on all sets, and on the real ones the models in FOLDER that `calibration --models FOLDER`
trained.  Each finds candidates in the training micrographs; labels are drawn from the annotated particles that its
training has not seen, and the number of those is estimated from them: by the bound, by the mixture (which is what a
training ends with), and by the interval (section 8 of the method).  Told are the geometric mean of estimate/annotated,
the standard deviation and the root mean square of its logarithm, and how often the interval holds the annotated number.
`candidates`: how many candidates score as high as the best 5, 50 and 90 % of the annotated particles, for each of
these; above one are particles that are not annotated, or none.

Results: results/particle_numbers.json and .md.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import torch
from torch import Tensor

from benchmarks.common.datasets import BenchmarkSet, data_folder, load_set, read_table
from benchmarks.common.real_sets import LOWEST_THRESHOLD, pupicker
from benchmarks.common.real_sets import SETS as REAL
from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from pupicker import read_coordinates
from pupicker.core.scores.class_prior import estimate_particles, particle_interval
from pupicker.core.scores.metrics import match_picks
from pupicker.core.scores.score_mixture import mixture_particles
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json
from pupicker.shared.lengths import packed_discs
from pupicker.shared.names import micrograph_key

SETS = (*REAL, "t20s", "stick", "trimer")
HELD_OUT = (3, 10, 25, 60)
PARTS = (0.05, 0.5, 0.9)
SAME_PX = 0.1  # a label lies where its particle is annotated, but for rounding


@dataclass(frozen=True)
class LabelledCandidates:
    """What a model finds: scores of all candidates, those of hits, annotated particles, and how many would fit."""

    scores: Tensor
    hits: Tensor
    labels: int
    max_particles: float


def models(name: str, folder: Path | None) -> Iterator[tuple[str, Path | None, tuple[int, int] | None]]:
    """Name, file (None: the general model), and number and draw of the labels that it was trained on."""
    yield "general model", None, None
    for file in sorted(folder.glob(f"{name}_*.pupicker")) if folder else ():
        _, labels, seed = file.stem.split("_")
        yield file.stem, file, (int(labels), int(seed))


def positions(table: Path) -> dict[str, np.ndarray]:
    """x, y ``(n, 2)`` by the micrograph's name."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, x, y in read_table(table):
        found.setdefault(name, []).append((x, y))
    return {name: np.array(own) for name, own in found.items()}


def candidates(chosen: BenchmarkSet, model: Path | None, seen: dict[str, np.ndarray]) -> LabelledCandidates:
    """Pick the training micrographs without a threshold; particles that the training saw do not count."""
    with tempfile.TemporaryDirectory() as folder:
        picks, report = Path(folder) / "picks.tsv", Path(folder) / "report.json"
        general = ["baseline", "general", "--diameter", chosen.diameter_ang]
        what = general if model is None else ["pick", "--model", model]
        pupicker(*what, *chosen.training, "--output", picks, f"--threshold={LOWEST_THRESHOLD}", "--pixel-size",
                 chosen.pixel_size_ang, "--threads", 1, "--report", report)
        table, said = read_coordinates(picks), json.loads(report.read_text())
    names, truth = np.array([micrograph_key(m) for m in table.micrograph]), positions(chosen.truth)
    assert table.score is not None
    scores, hits, labels, area_px = [], [], 0, 0.0
    for path in chosen.training:
        known, own = truth.get(path.stem, np.zeros((0, 2))), names == path.stem
        label = seen.get(path.stem, np.zeros((0, 2)))
        trained = (np.hypot(*(known[:, None] - label[None]).transpose(2, 0, 1)) < SAME_PX).any(1)
        both, wanted = np.concatenate([known[~trained], known[trained]]), int((~trained).sum())
        number = match_picks(np.stack([table.x[own], table.y[own]], 1), table.score[own], both, chosen.match_radius_px)
        scores.append(table.score[own][number < wanted])
        hits.append(table.score[own][(number >= 0) & (number < wanted)])
        labels += wanted
        with mrcfile.open(path, header_only=True) as file:
            pixels = int(file.header.nx) * int(file.header.ny)
        area_px += pixels * (1 - said.get("excluded_share", {}).get(str(path), 0))
    most = packed_discs(area_px * chosen.pixel_size_ang**2, said["min_distance_ang"])
    return LabelledCandidates(torch.from_numpy(np.concatenate(scores)), torch.from_numpy(np.concatenate(hits)), labels,
                              most)


def judged(found: LabelledCandidates, held_out: int, draws: int) -> dict[str, Any]:
    """Estimates from `held_out` labels, drawn so many times, against the annotated number."""
    missed = torch.full((found.labels - len(found.hits),), -math.inf, dtype=torch.float64)
    every = torch.cat([found.hits.double(), missed])
    generator = torch.Generator().manual_seed(held_out)
    error: dict[str, list[float]] = {"bound": [], "mixture": []}
    held = 0
    for _ in range(draws):
        hits = every[torch.randperm(len(every), generator=generator)[:held_out]]
        sample = (found.scores, hits[torch.isfinite(hits)], held_out, found.max_particles)
        error["bound"].append(math.log(estimate_particles(*sample) / found.labels))
        error["mixture"].append(math.log(mixture_particles(*sample) / found.labels))
        low, high = particle_interval(*sample)
        held += low <= found.labels <= high
    told = {how: {"mean_ratio": round(math.exp(statistics.mean(e)), 3), "deviation": round(statistics.stdev(e), 3),
                  "rms": round(math.sqrt(statistics.mean(x * x for x in e)), 3)} for how, e in error.items()}
    return {"held_out": held_out, **told, "interval_holds": round(held / draws, 3)}


def candidates_for_each(found: LabelledCandidates) -> list[float | None]:
    """Candidates for each annotated particle above the scores that parts of these reach; None if they do not."""
    hits = found.hits.sort(descending=True).values
    count = [max(1, int(part * found.labels)) for part in PARTS]
    return [round(int((found.scores >= hits[c - 1]).sum()) / c, 3) if c <= len(hits) else None for c in count]


def report(runs: list[dict[str, Any]]) -> str:
    """Table in Markdown."""
    lines = ["| set | network | candidates each | held out | bound | mixture | interval holds |",
             "|---|---|---|---|---|---|---|"]
    for run in runs:
        each = ", ".join("–" if c is None else f"{c:.2f}" for c in run["candidates"])
        for one in run["estimates"]:
            both = [f"{one[how]['mean_ratio']:.2f} (rms {one[how]['rms']:.2f})" for how in ("bound", "mixture")]
            cells = (run["set"], run["network"], each, one["held_out"], *both, f"{one['interval_holds']:.0%}")
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Judge every model and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER")
    parser.add_argument("--models", type=Path, metavar="FOLDER")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--output", type=Path, default=RESULTS / "particle_numbers.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    for name in args.sets:
        chosen = load_set(name, args.data)
        for title, model, drawn in models(name, args.models):
            found = candidates(chosen, model, {} if drawn is None else positions(chosen.labels(*drawn)))
            runs.append({"set": name, "network": title, "annotated": found.labels,
                         "candidates": candidates_for_each(found),
                         "estimates": [judged(found, count, args.draws) for count in HELD_OUT]})
            print(json.dumps(runs[-1]), flush=True)
    options = f" --sets {' '.join(args.sets)} --draws {args.draws}" + (" --models FOLDER" if args.models else "")
    write_json(args.output, {"command": "OMP_NUM_THREADS=1 python -m benchmarks.particle_numbers" + options,
                             "machine": hardware(), "versions": {"pupicker": pupicker_code()}, "runs": runs})
    write_text(args.output.with_suffix(".md"), report(runs))


if __name__ == "__main__":
    main()
