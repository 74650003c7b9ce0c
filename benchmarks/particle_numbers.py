"""How well the number of particles is estimated from a few labels, on training micrographs.

    OMP_NUM_THREADS=1 python -m benchmarks.particle_numbers [--models FOLDER] [--sets bgal] [--draws 40]

Networks: the general weights as they are on all sets, and on the real ones the models in FOLDER that
`calibration --models FOLDER` trained.  Each finds candidates in the training micrographs; labels are drawn from the
annotated particles that its training has not seen, and the number of those is estimated from them: by the bound, by the
mixture (which is what a training ends with), and by the interval (section 8 of the method).  Told are the geometric
mean of estimate/annotated, the standard deviation and the root mean square of its logarithm, and how often the interval
holds the annotated number.  `candidates`: how many candidates score as high as the best 5, 50 and 90 % of the annotated
particles, for each of these; above one are particles that are not annotated, or none.

Results: results/particle_numbers.json and .md.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.datasets import data_folder, load_set
from benchmarks.left_out import LeftOut
from benchmarks.real_sets import SETS as REAL
from benchmarks.runs import RESULTS, hardware, pupicker_code
from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS, Classifier
from pupicker.core.scores.class_prior import estimate_particles, particle_interval
from pupicker.core.scores.score_mixture import mixture_particles
from pupicker.engine.models.model_file import load_model
from pupicker.engine.picking.general_picker import general_network
from pupicker.engine.training.dataset import LabelledMicrograph
from pupicker.engine.training.validation import LabelledCandidates, find_candidates
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json

SETS = (*REAL, "t20s", "stick", "trimer")
PARTICLE_PX = NETWORKS[DEFAULT_NETWORK].particle_px()
HELD_OUT = (3, 10, 25, 60)
PARTS = (0.05, 0.5, 0.9)


def networks(name: str, folder: Path | None) -> Iterator[tuple[str, Classifier, int, tuple[int, int] | None]]:
    """Name, network, views, and number and draw of the labels that it was trained on."""
    yield "general weights", general_network(DEFAULT_NETWORK).eval(), 1, None
    for file in sorted(folder.glob(f"{name}_*.pupicker")) if folder else ():
        _, labels, seed = file.stem.split("_")
        model = load_model(file)
        yield file.stem, model.network.eval(), model.orientations, (int(labels), int(seed))


def are_labels(every: LabelledMicrograph, seen: LabelledMicrograph) -> Tensor:
    """Which annotated particles of a micrograph are labels: bool ``(n,)``."""
    return (torch.cdist(every.labels, seen.labels) < 0.01).any(1)


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
    """Judge every network and write the results."""
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
        every = LeftOut(args.data, name, PARTICLE_PX)
        for title, network, views, drawn in networks(name, args.models):
            seen = [torch.zeros(len(m.labels), dtype=torch.bool) for m in every.micrographs]
            if drawn is not None:
                given = LeftOut(args.data, name, PARTICLE_PX, load_set(name, args.data).labels(*drawn))
                seen = [are_labels(m, own) for m, own in zip(every.micrographs, given.micrographs, strict=True)]
            pairs = list(zip(every.micrographs, seen, strict=True))
            found = find_candidates(network, every.micrographs, [m.labels[~s] for m, s in pairs],
                                    [m.labels[s] for m, s in pairs], every.lengths, views)
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
