"""Data sets of the benchmarks: two real ones, and simulated ones made on the fly with fixed seeds.

Real micrographs, labels and truth come from a folder (see README.md), simulated ones are made by `pupicker simulate`
from the atomic models in it and kept in a cache folder, by default `~/.cache/pupicker-benchmarks`; it can be deleted.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.real_sets import SETS as REAL
from benchmarks.common.real_sets import micrographs
from benchmarks.common.runs import process

LABELS, DRAWS = (10, 50, 100, 250), (0, 1, 2, 3, 4)
MICROGRAPHS = 8  # for training, and as many for testing

#: name -> title, density (in the folder of models, or made up), its options.  All: 1024 x 1024 pixels of 4 A.
SIMULATED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "t20s": ("T20S proteasome, gold and carbon (simulated)", "3j9i.pdb",
             {"--particles": 60, "--snr": 0.02, "--gold": 2, "--carbon": None, "--seed": 11}),
    "stick": ("stick, 200 Å (simulated)", "stick",
              {"--diameter": 200, "--particles": 60, "--snr": 0.02, "--ice": 1, "--seed": 22}),
    "trimer": ("HA trimer (simulated)", "1rvx_HA_trimer.pdb",
               {"--particles": 90, "--snr": 0.03, "--aggregates": 1, "--seed": 33}),
    "80s": ("80S ribosome (simulated)", "4v7r.5A.mrc",
            {"--particles": 40, "--snr": 0.02, "--carbon": None, "--seed": 44}),
}
SETS = (*REAL, *SIMULATED)
PIXEL_SIZE_ANG = 4.0


@dataclass(frozen=True)
class BenchmarkSet:
    """Files of a set and what is told about it: training and test micrographs, truth, sizes.

    Attributes
    ----------
    training, test
        Micrographs.
    truth
        Table of all particles, in pixels of the micrographs.
    label_folder
        With ``nNNNN_seedS.tsv`` of real sets; the labels of simulated ones are drawn into it.
    """

    name: str
    title: str
    training: list[Path]
    test: list[Path]
    truth: Path
    label_folder: Path
    pixel_size_ang: float
    diameter_ang: float
    match_radius_px: float

    def labels(self, count: int, draw: int) -> Path:
        """Table of `count` labelled particles; within a draw larger ones hold the smaller ones.

        Raises
        ------
        ValueError
            There are not as many particles on the training micrographs, or no such table in a real set.
        """
        path = self.label_folder / f"n{count:04d}_seed{draw}.tsv"
        if path.is_file():
            return path
        rows = [row for row in read_table(self.truth) if row[0] in {p.stem for p in self.training}]
        if count > len(rows):
            raise ValueError(f"{self.name}: {count} labels asked for, {len(rows)} particles there")
        order = np.random.default_rng(1000 + draw).permutation(len(rows))[:count]
        text = "micrograph\tx\ty\n" + "".join(f"{m}\t{x:.2f}\t{y:.2f}\n" for m, x, y in (rows[i] for i in order))
        own = path if self.name in SIMULATED else cache_folder() / "labels" / self.name / path.name
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(text)
        return own

    def with_spread_labels(self, count: int, draw: int) -> BenchmarkSet:
        """The set with another table of `count` labels, drawn evenly: as many of each training micrograph, or one more.

        A user labels so; the usual draws are from all particles alike, and of ten labels a micrograph may get none.
        """
        rng, rows, queues = np.random.default_rng(2000 + draw), read_table(self.truth), []
        for i in rng.permutation(len(self.training)):
            own = [row for row in rows if row[0] == self.training[i].stem]
            queues.append([own[k] for k in rng.permutation(len(own))])
        taken = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
        path = cache_folder() / "spread_labels" / self.name / f"n{count:04d}_seed{draw}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("micrograph\tx\ty\n" + "".join(f"{m}\t{x:.2f}\t{y:.2f}\n" for m, x, y in taken[:count]))
        return replace(self, label_folder=path.parent)

    def particles(self, paths: list[Path]) -> int:
        """True particles on some of the micrographs."""
        counts = Counter(row[0] for row in read_table(self.truth))
        return sum(counts[path.stem] for path in paths)


def cache_folder() -> Path:
    """Where simulated sets and preprocessed micrographs are kept: PUPICKER_BENCHMARK_CACHE or in the user's cache."""
    given = os.environ.get("PUPICKER_BENCHMARK_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "pupicker-benchmarks"


def data_folder() -> Path:
    """The folder of real data: data/ in PUPICKER_SHARED, or beside the repository."""
    return Path(os.environ.get("PUPICKER_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data"


def read_table(path: Path) -> list[tuple[str, float, float]]:
    """Rows (micrograph without extension, x, y) of a tab-separated table."""
    with open(path, newline="") as stream:
        return [
            (Path(row.get("image_name") or row["micrograph"]).name.removesuffix(".mrc"),
             float(row.get("x_coord") or row["x"]), float(row.get("y_coord") or row["y"]))
            for row in csv.DictReader(stream, delimiter="\t")
        ]


def load_set(name: str, data: Path, training: int = MICROGRAPHS) -> BenchmarkSet:
    """One of :data:`SETS`; a simulated one is made if the cache does not hold it, with so many training micrographs."""
    if name not in REAL:
        return _simulated(name, data, training)
    chosen = REAL[name]
    return BenchmarkSet(
        name, chosen.title, micrographs(data, name, "train"), micrographs(data, name, "test"),
        data / chosen.folder / chosen.truth, data / "labels" / chosen.folder, chosen.pixel_size_ang,
        chosen.diameter_ang, chosen.match_radius_px,
    )


def _simulated(name: str, data: Path, training: int) -> BenchmarkSet:
    title, density, options = SIMULATED[name]
    file = data / "models_maps" / density
    recipe = json.dumps([density, options, PIXEL_SIZE_ANG, training], sort_keys=True)
    folder = cache_folder() / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
    given = {**options, "--density": str(file) if file.suffix else density, "--pixel-size": PIXEL_SIZE_ANG}
    return simulated_set(name, title, folder, given, (training, MICROGRAPHS))


def simulated_set(
    name: str, title: str, folder: Path, options: dict[str, Any], counts: tuple[int, int]
) -> BenchmarkSet:
    """A set that `pupicker simulate` makes in `folder` with these options; it is made only once.

    `counts` are the numbers of training and test micrographs, whose seeds differ.
    """
    truth = folder / "truth.tsv"
    if not truth.is_file():
        for role, seed, count in (("train", options["--seed"], counts[0]),
                                  ("test", options["--seed"] + 100000, counts[1])):
            given = {**options, "--seed": seed, "--prefix": f"{role}_", "--output": folder / role,
                     "--micrographs": count, "--threads": 1}
            words = [word for option, value in given.items() for word in (option, value) if word is not None]
            (folder / role).mkdir(parents=True, exist_ok=True)
            process([sys.executable, "-m", "pupicker", "simulate", *words], folder / f"{role}.log")
        tables = [(folder / role / "truth.tsv").read_text().splitlines(keepends=True) for role in ("train", "test")]
        truth.write_text("".join([*tables[0], *tables[1][1:]]))
    record = json.loads((folder / "train" / "simulation.json").read_text())
    diameter = round(float(record["density"]["diameter_ang"]))
    training, test = (sorted((folder / role).glob("*.mrc")) for role in ("train", "test"))
    pixel_size = float(options["--pixel-size"])
    return BenchmarkSet(name, title, training, test, truth, folder / "labels", pixel_size, diameter,
                        0.5 * diameter / pixel_size)


def drawn(sizes: list[int], count: int, seed: int) -> list[np.ndarray]:
    """Draw `count` of all labels: for each micrograph, with so many of them, which are drawn."""
    chosen = np.zeros(sum(sizes), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(sum(sizes))[:count]] = True
    return np.split(chosen, np.cumsum(sizes)[:-1])
