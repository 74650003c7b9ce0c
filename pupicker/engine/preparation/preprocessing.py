"""Downsampled, jointly normalised micrographs as files, for looking at or for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pupicker.core.image.histograms import Histogram, stack_histograms
from pupicker.core.image.normalization import fit, normalize
from pupicker.engine.files.micrographs import read_header, resolve_pixel_size, write_mrc
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.preparation.working_micrograph import Resampled, in_background, resample
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.run_report import Report

Written = dict[Path, tuple[Path, float]]


def preprocess_files(
    paths: Sequence[Path], output: Path, pixel_size_ang: float | None, target_ang: float, threads: int, report: Report,
    keep_finer: bool,
) -> Written:
    """Write ``<output>/<name>.mrc`` for every micrograph that can be read.

    Two passes over the files: the joint fit needs the histograms of all, and all resampled micrographs of a session do
    not fit into memory.

    Parameters
    ----------
    keep_finer
        Whether a target finer than the micrographs is an error; otherwise they keep their pixel size.

    Returns
    -------
    dict
        For each input: the new file and its pixel size (the mean of both axes, as they differ by rounding).
    """
    output.mkdir(parents=True, exist_ok=True)
    targets = _targets(paths, output)

    def histogram_of(path: Path) -> Histogram:
        return _whole(path, pixel_size_ang, target_ang, keep_finer).histogram()

    histograms: dict[Path, Histogram] = {}
    progress = Progress(2 * len(paths), "preprocessing")
    for path, future in in_background(histogram_of, paths, threads):
        try:
            histograms[path] = future.result()
        except InputError as error:
            report.quarantine(path, str(error))
        progress.advance()
    if not histograms:
        return {}
    joint = fit(stack_histograms(list(histograms.values())))
    report.results["normalization"] = asdict(joint.mixture)
    order = {path: index for index, path in enumerate(histograms)}

    def write(path: Path) -> tuple[float, int]:
        micrograph = _whole(path, pixel_size_ang, target_ang, keep_finer)
        index = order[path]
        pixels = normalize(micrograph.pixels, joint.mixture, float(joint.scale[index]), float(joint.offset[index]))
        size = micrograph.pixel_size_ang * (micrograph.step[0] + micrograph.step[1]) / 2
        write_mrc(targets[path], pixels.numpy(), size)
        return size, micrograph.n_invalid

    written: Written = {}
    for path, done in in_background(write, list(histograms), threads):
        try:
            size, invalid = done.result()
        except InputError as error:  # it was readable a minute ago
            report.quarantine(path, str(error))
        else:
            written[path] = (targets[path], size)
            report.used(path, invalid)
        progress.advance()
    return written


def _whole(path: Path, pixel_size_ang: float | None, target_ang: float, keep_finer: bool) -> Resampled:
    """With its borders: positions in the new file must be those of the old one times the ratio of pixel sizes."""
    return resample(path, pixel_size_ang, _target(path, pixel_size_ang, target_ang, keep_finer), keep_borders=True)


def _targets(paths: Sequence[Path], output: Path) -> dict[Path, Path]:
    targets = {Path(name): output / f"{stem}.mrc" for name, stem in distinct_stems(map(str, paths)).items()}
    clash = [p for p, target in targets.items() if target.exists() and p.exists() and target.samefile(p)]
    if clash:
        raise UsageError(f"--output {output}: {clash[0].name} would overwrite itself; give another folder")
    return targets


def _target(path: Path, pixel_size_ang: float | None, target_ang: float, keep_finer: bool) -> float:
    own = resolve_pixel_size(read_header(path), pixel_size_ang)
    if own <= target_ang * (1 + 1e-6):
        return target_ang
    if keep_finer:
        raise InputError(f"{path}: has pixels of {own:.4g} A, already coarser than the {target_ang:.4g} A asked for")
    return own
