"""Downsampled, jointly normalised micrographs as files, for looking at or for other programs."""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from pupicker.core.image.histograms import BINS, Histogram
from pupicker.core.image.normalization import fit, normalize
from pupicker.engine.files.micrographs import write_mrc
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.preparation.recipe import Recipe, prepare
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.quarantine import usable
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.runtime.sole_writer import sole_writer_of_tables
from pupicker.shared.atomic import atomic_path

Written = dict[Path, tuple[Path, float]]

MEMORY_BYTES = 256 << 20
"""Of resampled micrographs that wait in memory; the others wait in files."""


class _Waiting:
    """Resampled micrographs until the joint fit is done, from several threads: in memory, or in files in a folder.

    Memory is one block, taken as it fills.  Small arrays that are kept between the large ones of the work would keep
    it from using its freed memory again: four times as much.
    """

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._memory = torch.empty(memory_bytes // torch.float32.itemsize)
        self._used = 0
        self._places: dict[Path, tuple[int, torch.Size]] = {}
        self._files: dict[Path, Path] = {}

    def put(self, path: Path, pixels: Tensor) -> None:
        """Keep float32 ``(h, w)``."""
        with self._lock:
            first = self._used
            fits = first + pixels.numel() <= len(self._memory)
            if fits:
                self._used += pixels.numel()
                self._places[path] = first, pixels.shape
            else:
                self._files[path] = self._folder / f"{len(self._files)}.npy"
        if fits:
            self._memory[first : first + pixels.numel()] = pixels.reshape(-1)
        else:
            with atomic_path(self._files[path]) as temporary:  # which names the file if there is no room for it
                np.save(temporary, pixels.numpy())

    def take(self, path: Path) -> Tensor:
        """What was put there, once."""
        if path in self._places:
            first, shape = self._places.pop(path)
            return self._memory[first : first + shape.numel()].view(shape)
        pixels = torch.from_numpy(np.load(self._files[path]))
        self._files[path].unlink()
        return pixels


def preprocess_files(paths: Sequence[Path], output: Path, recipe: Recipe, threads: int, report: Report) -> Written:
    """Write ``<output>/<name>.mrc`` for every micrograph that can be read.

    Each file is read once.  The joint fit needs the histograms of all, so the resampled micrographs wait: in memory up
    to :data:`MEMORY_BYTES`, the others in a hidden folder in `output`, which is gone at the end however that is.

    Parameters
    ----------
    recipe
        With borders: positions in the new file must be those of the old one times the ratio of pixel sizes.

    Returns
    -------
    dict
        For each input: the new file and its pixel size (the mean of both axes, as they differ by rounding).
    """
    targets = _targets(paths, output)
    with sole_writer_of_tables(output, targets.values()), waiting_folder(output) as folder:
        return _preprocess(targets, recipe, threads, report, _Waiting(folder, MEMORY_BYTES))


@contextmanager
def waiting_folder(output: Path) -> Iterator[Path]:
    """A hidden folder in `output`, gone at the end; those of runs that were killed go first.

    A run holds a lock in its own, so that one whose lock is free belongs to nobody.  Where the file system knows no
    locks, none is removed.
    """
    for left in output.glob(".waiting-*/lock"):
        with suppress(OSError), left.open("rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent)
    with TemporaryDirectory(prefix=".waiting-", dir=output) as name, (Path(name) / "free").open("wb") as lock:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
            Path(lock.name).rename(Path(name) / "lock")  # which others see only once it is held
        yield Path(name)


def _preprocess(
    targets: dict[Path, Path], recipe: Recipe, threads: int, report: Report, waiting: _Waiting
) -> Written:
    row_of = {path: row for row, path in enumerate(targets)}
    values, counts = torch.empty((2, len(targets), BINS), dtype=torch.float64)  # one block, as what waits

    def read(path: Path) -> tuple[float, int]:
        micrograph = prepare(path, recipe)
        found, row = micrograph.histogram(), row_of[path]
        values[row], counts[row] = found.value[0], found.count[0]
        waiting.put(path, micrograph.pixels)
        return micrograph.pixel_size_ang * (micrograph.step[0] + micrograph.step[1]) / 2, micrograph.n_invalid

    progress = Progress(2 * len(targets), "preprocessing")
    known = dict(usable(list(targets), read, report, progress, threads))
    if not known:
        return {}
    rows = [row_of[path] for path in known]
    joint = fit(Histogram(values[rows], counts[rows]))
    report.results["normalization"] = asdict(joint.mixture)
    order = {path: index for index, path in enumerate(known)}

    def write(path: Path) -> None:
        index = order[path]
        scale, offset = float(joint.scale[index]), float(joint.offset[index])
        pixels = normalize(waiting.take(path), joint.mixture, scale, offset)
        write_mrc(targets[path], pixels.numpy(), known[path][0])

    written: Written = {}
    for path, _ in usable(list(known), write, report, progress, threads):
        size, invalid = known[path]
        written[path] = (targets[path], size)
        report.used(path, invalid)
    return written


def _targets(paths: Sequence[Path], output: Path) -> dict[Path, Path]:
    """The new file of each micrograph, in their order."""
    stems = distinct_stems(map(str, paths))
    targets = {path: output / f"{stems[str(path)]}.mrc" for path in paths}
    clash = [p for p, target in targets.items() if target.exists() and p.exists() and target.samefile(p)]
    if clash:
        raise UsageError(f"{output}: {clash[0].name} would overwrite itself; give another folder", "output")
    return targets
