"""A GPU beside the processor of the same machine: times, and whether both find the same.  Under ten minutes.

    python -m benchmarks.gpu [--device cuda] [--topaz .venv-topaz/bin/topaz] [--output FILE]

Wall seconds, because a GPU has no processor time: of a training with 100 labels (apoferritin, β-galactosidase) on the
GPU; of picking 4096 × 4096 pixels, what a micrograph adds to a list; of reading the same files and copying them to the
GPU, which nothing can undercut.  Then the model of apoferritin picks on both, and the picks are compared.  With --topaz
its training (updates a second) and `extract` on the same GPU.  Results: results/gpu.json, written after every part.
`--device cpu` tries the program where there is no GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.datasets import BenchmarkSet, data_folder, load_set
from benchmarks.common.methods import EPOCH_UPDATES, TOPAZ_NETWORKS, Topaz, extraction_radius_px, topaz_scale
from benchmarks.common.runs import RESULTS, hardware, process, pupicker_code
from benchmarks.speed.inputs import LARGE, listed, simulated
from pupicker import evaluate, read_coordinates, read_micrograph
from pupicker.shared.json_files import write_json

LABELS, SETS, LENGTHS = 100, ("apoferritin", "bgal"), (4, 44)
REPEATS = 3
CLOSE = 0.25
"""Of the diameter: picks of two devices nearer than this are the same."""


class Run:
    """Measures into one dictionary that is written after every part."""

    def __init__(self, device: str, data: Path, work: Path, output: Path) -> None:
        self.device, self.work, self.output = device, work, output
        self.sets = {name: load_set(name, data) for name in SETS}
        self.large = simulated("large", LARGE)
        name = torch.cuda.get_device_name() if device != "cpu" else "none"
        self.results: dict[str, Any] = {"machine": {**hardware(), "torch": torch.__version__, "gpu": name},
                                        "versions": pupicker_code(), "command": " ".join(sys.argv)}

    def note(self, part: str, name: str, values: dict[str, Any]) -> None:
        """Keep and tell."""
        self.results.setdefault(part, {})[name] = values
        write_json(self.output, self.results)
        print(part, name, values, flush=True)

    def pupicker(self, *arguments: object, device: str | None = None) -> float:
        """Wall seconds of a command."""
        command = [sys.executable, "-m", "pupicker", *arguments, "--device", device or self.device]
        return process(command, self.work / "log", threads=0)["wall_s"]

    def train(self, chosen: BenchmarkSet, device: str | None = None) -> tuple[Path, float]:
        """A model and what it took."""
        model = self.work / f"{chosen.name}.pupicker"
        seconds = self.pupicker("train", *chosen.training, "--picks", chosen.labels(LABELS, 0), "--diameter",
                                chosen.diameter_ang, "--pixel-size", chosen.pixel_size_ang, "--output", model,
                                device=device)
        return model, seconds

    def pick(self, chosen: BenchmarkSet, files: list[Path], model: Path, output: Path, device: str | None = None
             ) -> float:
        """Wall seconds."""
        return self.pupicker("pick", *files, "--model", model, "--output", output, "--pixel-size",
                             chosen.pixel_size_ang, device=device)


def marginal(seconds: dict[int, float]) -> float:
    """What a micrograph adds."""
    first, last = LENGTHS
    return round((seconds[last] - seconds[first]) / (last - first), 4)


def floor(files: list[Path], device: str) -> float:
    """Wall seconds of reading the files and copying their pixels to the device, one after the other."""
    start = time.perf_counter()
    for path in files:
        torch.from_numpy(read_micrograph(path).pixels).to(device)
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def trainings(run: Run) -> dict[str, Path]:
    """Of both sets, the second time, when the driver is warm."""
    models = {}
    for name, chosen in run.sets.items():
        seconds = [run.train(chosen)[1] for _ in range(2)]
        models[name] = run.work / f"{name}.pupicker"
        run.note("train", name, {"labels": LABELS, "wall_s": min(seconds), "first_wall_s": seconds[0]})
    return models


def large_micrographs(run: Run, model: Path) -> None:
    """Picks a second, beside reading and copying.  The model's lengths are another particle's: for timing only."""
    found, least = [], []
    for _ in range(REPEATS):
        picked, copied = {}, {}
        for count in LENGTHS:
            files = listed(run.large.test, count, run.work / "large")
            picked[count] = run.pick(run.large, files, model, run.work / "large.tsv")
            copied[count] = floor(files, run.device)
        found.append(marginal(picked))
        least.append(marginal(copied))
    run.note("pick", "4096 x 4096", {"wall_s_each": found, "read_and_copy_s_each": least,
                                     "times_read_and_copy": round(float(np.median(found) / np.median(least)), 2)})


def agreement(run: Run, models: dict[str, Path]) -> None:
    """Picks of the device and of the processor with the same model."""
    for name, chosen in run.sets.items():
        tables = []
        for device in (run.device, "cpu"):
            output = run.work / f"{name}-{device.replace(':', '')}.tsv"
            run.pick(chosen, chosen.test, models[name], output, device)
            tables.append(read_coordinates(output, chosen.test))
        radius_px = CLOSE * chosen.diameter_ang / chosen.pixel_size_ang
        same = evaluate(tables[0], tables[1], radius_px)
        run.note("agreement", name, {"picks": [len(table) for table in tables], "same": int(same.hit.sum()),
                                     "share": round(float(same.hit.mean()), 5)})


def topaz_on_it(run: Run, topaz: Topaz) -> None:
    """An epoch of training, and `extract` with the network that Topaz takes by default, on preprocessed micrographs."""
    scale = topaz_scale(run.large)
    folder = topaz.preprocessed(run.large, scale)
    picked = {}
    for count in LENGTHS:
        files = listed([folder / path.name for path in run.large.test], count, run.work / "topaz")
        picked[count] = process([topaz.program, "extract", "-m", "resnet8_u64", "-r",
                                 extraction_radius_px(run.large, scale), "-d", 0, "-o", run.work / "topaz.txt", *files],
                                run.work / "log", threads=0)["wall_s"]
    run.note("topaz pick", "4096 x 4096", {"wall_s_each": marginal(picked)})
    chosen = run.sets["apoferritin"]
    for network in TOPAZ_NETWORKS:
        settings = {"scale": topaz_scale(chosen), "radius_px": 3, "budget_updates": 2 * EPOCH_UPDATES[network],
                    "moments": ()}
        with tempfile.TemporaryDirectory() as work:
            _, training, _ = topaz.train(network, chosen, chosen.labels(LABELS, 0), settings, Path(work))
        run.note("topaz train", network, training)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--topaz", type=Path, metavar="PROGRAM", help="measure Topaz too")
    parser.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=RESULTS / "gpu.json", metavar="FILE")
    args = parser.parse_args()
    if args.device != "cpu" and not torch.cuda.is_available():
        raise SystemExit(f"--device {args.device}: this torch finds no GPU; --device cpu tries the program without one")
    with tempfile.TemporaryDirectory(prefix="gpu-") as work:
        run = Run(args.device, args.data, Path(work), args.output)
        models = trainings(run)
        large_micrographs(run, models["apoferritin"])
        agreement(run, models)
        if args.topaz:
            topaz_on_it(run, Topaz(args.topaz.absolute()))


if __name__ == "__main__":
    main()
