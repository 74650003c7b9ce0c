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

from pupicker.core.image.histograms import Histogram, stack_histograms
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

MEMORY_BYTES = 512 << 20
"""Of resampled micrographs that wait in memory; the others wait in files."""


class _Waiting:
    """Resampled micrographs until the joint fit is done, from several threads: in memory, or in files in a folder."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder, self._free, self._lock = folder, memory_bytes, threading.Lock()
        self._pixels: dict[Path, Tensor] = {}
        self._files: dict[Path, Path] = {}

    def put(self, path: Path, pixels: Tensor) -> None:
        """Keep float32 ``(h, w)``."""
        size = pixels.numel() * pixels.element_size()
        with self._lock:
            fits = size <= self._free
            self._free -= size * fits
            number = len(self._files)
            if not fits:
                self._files[path] = self._folder / f"{number}.npy"
        if fits:
            self._pixels[path] = pixels
        else:
            with atomic_path(self._files[path]) as temporary:  # which names the file if there is no room for it
                np.save(temporary, pixels.numpy())

    def take(self, path: Path) -> Tensor:
        """What was put there, once."""
        if path in self._pixels:
            return self._pixels.pop(path)
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
    def read(path: Path) -> tuple[Histogram, float, int]:
        micrograph = prepare(path, recipe)
        found = micrograph.histogram()
        waiting.put(path, micrograph.pixels)
        return found, micrograph.pixel_size_ang * (micrograph.step[0] + micrograph.step[1]) / 2, micrograph.n_invalid

    progress = Progress(2 * len(targets), "preprocessing")
    known = dict(usable(list(targets), read, report, progress, threads))
    if not known:
        return {}
    joint = fit(stack_histograms([histogram for histogram, _, _ in known.values()]))
    report.results["normalization"] = asdict(joint.mixture)
    order = {path: index for index, path in enumerate(known)}

    def write(path: Path) -> None:
        index = order[path]
        scale, offset = float(joint.scale[index]), float(joint.offset[index])
        pixels = normalize(waiting.take(path), joint.mixture, scale, offset)
        write_mrc(targets[path], pixels.numpy(), known[path][1])

    written: Written = {}
    for path, _ in usable(list(known), write, report, progress, threads):
        _, size, invalid = known[path]
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
