"""What the parts are measured on: sets with lists of micrographs of two lengths, and models trained on them.

Two lengths, because the difference is what a micrograph costs, and the rest what a process costs.  What takes
hundredths of a second for a micrograph gets longer lists, or the start of the process would drown it.  The real sets
have fewer micrographs than the lists are long: the same files come again under other names.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from benchmarks.common.datasets import BenchmarkSet, cache_folder, load_set, simulated_set
from benchmarks.common.methods import Topaz, topaz_scale
from benchmarks.speed.measured import Measured

#: Options of `pupicker simulate`, and the numbers of training and test micrographs.
LARGE: tuple[dict[str, Any], tuple[int, int]] = (
    {"--density": "barrel", "--diameter": 180, "--pixel-size": 1.0, "--width": 4096, "--height": 4096,
     "--particles": 150, "--snr": 0.05, "--seed": 55}, (2, 4))
SMALL: tuple[dict[str, Any], tuple[int, int]] = (
    {"--density": "barrel", "--diameter": 160, "--pixel-size": 4.0, "--width": 256, "--height": 256,
     "--particles": 8, "--snr": 0.05, "--seed": 66}, (20, 1000))
QUICK: tuple[dict[str, Any], tuple[int, int]] = (
    {"--density": "barrel", "--diameter": 160, "--pixel-size": 4.0, "--width": 320, "--height": 320,
     "--particles": 12, "--snr": 0.2, "--seed": 77}, (2, 2))
TITLES = {"large": "4096 × 4096 pixels of 1 Å (simulated)", "small": "256 × 256 pixels of 4 Å (simulated)",
          "quick": "320 × 320 pixels of 4 Å (simulated)"}
SETS = ("apoferritin", "bgal", "large")


@dataclass(frozen=True)
class Case:
    """A set and how it is measured.

    Attributes
    ----------
    chosen
        The set.
    lengths
        Of the two lists of micrographs that Topaz gets.
    scales
        Whole factors by which Topaz downsamples; the first is that of the other benchmarks, which its models learn at.
    """

    chosen: BenchmarkSet
    lengths: tuple[int, int]
    scales: tuple[int, ...]


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes
    ----------
    repeats
        Equal runs of everything, programs in turn.
    budgets_cpu_s
        By number of labels of the trainings: processor seconds that Topaz trains.
    topaz_networks
        Of the trainings.
    training
        More options of `pupicker train`.
    memory_side_px, memory_readers
        Of the part on memory.
    longer
        So many times longer than those of Topaz are the lists of all else.
    """

    repeats: int
    budgets_cpu_s: dict[int, float]
    topaz_networks: tuple[str, ...] = ("topaz-conv31", "topaz-resnet8")
    training: list[str] = field(default_factory=list)
    memory_side_px: int = 8192
    memory_readers: int = 4
    longer: int = 10


@dataclass(frozen=True)
class Plan:
    """What a run of the program measures.

    Attributes
    ----------
    results
        Where runs are recorded.
    names
        Sets of start, preprocessing, picking, training and first picks.
    make, make_small
        Make one of them, and that of many small micrographs, when it is needed.
    topaz
        None: pupicker alone.
    extent
        How much of it.
    """

    results: Measured
    names: Sequence[str]
    make: Callable[[str], Case]
    make_small: Callable[[], BenchmarkSet]
    topaz: Topaz | None
    extent: Extent

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The sets by their names."""
        return {name: self.make(name) for name in self.names}

    @property
    def trained(self) -> list[str]:
        """Those of the part on training; the others are trained for a model only."""
        return [name for name in self.names if name != "large"]

    @property
    def repeats(self) -> int:
        """Equal runs of everything."""
        return self.extent.repeats

    @property
    def labels(self) -> list[int]:
        """Numbers of labels of the trainings."""
        return sorted(self.extent.budgets_cpu_s)

    @property
    def folder(self) -> Path:
        """For lists, models and other files that are kept."""
        return cache_folder() / "speed"

    @property
    def most_labels(self) -> int:
        """With which the models are trained that pick."""
        return max(self.labels)

    def model_path(self, chosen: BenchmarkSet, labels: int, version: str, suffix: str = ".pupicker") -> Path:
        """Where a model of a program is kept."""
        own = hashlib.sha256(json.dumps(self.extent.training).encode()).hexdigest()[:4]
        path = self.folder / "models" / f"{chosen.name}_{labels}_{own}_{version}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def length(self, program: str, count: int) -> int:
        """Of the list of a program: `count` micrographs for Topaz."""
        return count if program.startswith("topaz") else count * self.extent.longer

    def log(self, name: str) -> Path:
        """A file for what a process prints."""
        path = self.folder / "logs" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def simulated(name: str, recipe: tuple[dict[str, Any], tuple[int, int]]) -> BenchmarkSet:
    """A set of this program, made once."""
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:8]
    return simulated_set(f"speed-{name}-{digest}", TITLES[name], cache_folder() / "speed" / f"{name}-{digest}", *recipe)


def case_of(name: str, data: Path) -> Case:
    """One of :data:`SETS`, with lists of twelve micrographs (four large ones) for Topaz."""
    if name == "large":
        chosen = simulated(name, LARGE)
        return Case(chosen, (1, 4), (topaz_scale(chosen),))
    chosen = load_set(name, data)
    scale = topaz_scale(chosen)
    # Topaz works on beta-galactosidase at full size in the other benchmarks; half the size is four times cheaper.
    return Case(chosen, (2, 12), (scale, 2) if scale == 1 else (scale,))


def quick_case() -> Case:
    """Two small micrographs: whether everything runs."""
    chosen = simulated("quick", QUICK)
    return Case(chosen, (1, 2), (topaz_scale(chosen),))


def first_of(chosen: BenchmarkSet, training: int, test: int) -> BenchmarkSet:
    """With fewer micrographs."""
    return replace(chosen, training=chosen.training[:training], test=chosen.test[:test])


def listed(files: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """`count` links to the files in turn, in a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    links = [folder / f"{number:04d}_{files[number % len(files)].name}" for number in range(count)]
    for number, link in enumerate(links):
        os.symlink(files[number % len(files)].resolve(), link)
    return links


def tiled(file: Path, side_px: int, path: Path) -> Path:
    """A micrograph of `side_px` pixels a side made of copies of a smaller one; kept.

    In a process of its own: what this one takes would count as the memory of those that it starts.
    """
    if not path.is_file():
        with ProcessPoolExecutor(1) as pool:
            pool.submit(_tile, file, side_px, path).result()
    return path


def _tile(file: Path, side_px: int, path: Path) -> None:
    with mrcfile.open(file) as source:
        data, pixel_size = np.asarray(source.data, dtype=np.float32), source.voxel_size.copy()
    times = [-(-side_px // side) for side in data.shape]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with mrcfile.new(part, overwrite=True) as target:
        target.set_data(np.tile(data, times)[:side_px, :side_px])
        target.voxel_size = pixel_size
    part.rename(path)
