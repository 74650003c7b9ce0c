"""Downsampled, jointly normalised micrographs as files, for looking at or for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pupicker.core.image.histograms import Histogram, stack_histograms
from pupicker.core.image.normalization import fit, normalize
from pupicker.engine.files.micrographs import write_mrc
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.preparation.recipe import Recipe, prepare
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.quarantine import usable
from pupicker.engine.runtime.run_report import Report

Written = dict[Path, tuple[Path, float]]


def preprocess_files(paths: Sequence[Path], output: Path, recipe: Recipe, threads: int, report: Report) -> Written:
    """Write ``<output>/<name>.mrc`` for every micrograph that can be read.

    Two passes over the files: the joint fit needs the histograms of all, and all resampled micrographs of a session do
    not fit into memory.

    Parameters
    ----------
    recipe
        With borders: positions in the new file must be those of the old one times the ratio of pixel sizes.

    Returns
    -------
    dict
        For each input: the new file and its pixel size (the mean of both axes, as they differ by rounding).
    """
    output.mkdir(parents=True, exist_ok=True)
    targets = _targets(paths, output)

    def histogram_of(path: Path) -> Histogram:
        return prepare(path, recipe).histogram()

    progress = Progress(2 * len(paths), "preprocessing")
    histograms = dict(usable(paths, histogram_of, report, progress, threads))
    if not histograms:
        return {}
    joint = fit(stack_histograms(list(histograms.values())))
    report.results["normalization"] = asdict(joint.mixture)
    order = {path: index for index, path in enumerate(histograms)}

    def write(path: Path) -> tuple[float, int]:
        micrograph = prepare(path, recipe)
        index = order[path]
        pixels = normalize(micrograph.pixels, joint.mixture, float(joint.scale[index]), float(joint.offset[index]))
        size = micrograph.pixel_size_ang * (micrograph.step[0] + micrograph.step[1]) / 2
        write_mrc(targets[path], pixels.numpy(), size)
        return size, micrograph.n_invalid

    written: Written = {}
    for path, (size, invalid) in usable(list(histograms), write, report, progress, threads):
        written[path] = (targets[path], size)
        report.used(path, invalid)
    return written


def _targets(paths: Sequence[Path], output: Path) -> dict[Path, Path]:
    targets = {Path(name): output / f"{stem}.mrc" for name, stem in distinct_stems(map(str, paths)).items()}
    clash = [p for p, target in targets.items() if target.exists() and p.exists() and target.samefile(p)]
    if clash:
        raise UsageError(f"{output}: {clash[0].name} would overwrite itself; give another folder", "output")
    return targets
