"""The training set in memory: normalised micrographs, labels in working pixels, what is held out.

Whole labelled micrographs are held out for validation, because neighbouring particles look alike for reasons that do
not carry over to the next micrograph (ice, defocus).  With a single labelled micrograph some of its labels are held
out; their discs belong neither to the positive nor to the unlabelled regions.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.core.histograms import stack_histograms
from pupicker.core.normalization import Mixture, fit
from pupicker.engine.coordinates import CoordinateTable
from pupicker.engine.errors import InputError
from pupicker.engine.exclusion import Exclusion, left_out_of, outside_labels, with_limit, without_excluded
from pupicker.engine.preparation import Resampled, in_background, network_input, resample
from pupicker.engine.progress import Progress
from pupicker.engine.report import Report

MOST_OUTSIDE = 0.1
"""More labels outside of the micrographs than this fraction mean that the coordinates are on another scale."""


@dataclass(frozen=True)
class LabelledMicrograph:
    """A micrograph of the training set.

    Attributes
    ----------
    path
        Its file.
    image
        ``(h, w)`` float32, normalised, working pixels.
    labels
        ``(n, 2)`` float64 x, y in working pixels.
    negatives
        ``(m, 2)`` float64 x, y of places that are labelled as no particle.
    cut
        Whether a border without an image was cut off at the top, bottom, left, right.
    excluded
        Bool ``(h, w)``: where nothing is looked for (:mod:`pupicker.engine.exclusion`); None: nowhere.
    """

    path: Path
    image: Tensor
    labels: Tensor
    negatives: Tensor = field(default_factory=lambda: torch.zeros((0, 2), dtype=torch.float64))
    cut: tuple[bool, bool, bool, bool] = (False, False, False, False)
    excluded: Tensor | None = None

    @property
    def pixels(self) -> int:
        """Number of working pixels, without excluded ones."""
        return self.image.numel() - (0 if self.excluded is None else int(self.excluded.sum()))


@dataclass(frozen=True)
class TrainingSet:
    """All micrographs of a training, with the mixture that normalised them, a digest, and what is left out of them."""

    micrographs: list[LabelledMicrograph]
    mixture: Mixture
    digest: str
    exclusion: Exclusion = field(default_factory=Exclusion)

    @property
    def label_count(self) -> int:
        """Number of labelled particles."""
        return sum(len(m.labels) for m in self.micrographs)

    @property
    def negative_count(self) -> int:
        """Number of places that are labelled as no particle."""
        return sum(len(m.negatives) for m in self.micrographs)


@dataclass(frozen=True)
class Split:
    """Who trains and who validates.

    Attributes
    ----------
    training, validation
        Indices of micrographs; one index is in both when labels of a single micrograph are held out.
    held_out
        For each micrograph ``(n,)`` bool: labels that training must not see.
    """

    training: list[int]
    validation: list[int]
    held_out: list[Tensor]


def load_training_set(
    paths: Sequence[Path], picks: CoordinateTable, pixel_size_ang: float | None, lengths: Geometry,
    threads: int, report: Report, keep_borders: bool = False, negatives: CoordinateTable | None = None,
    exclusion: Exclusion | None = None, labelled: bool = True,
) -> TrainingSet:
    """Read, resample, jointly normalise and flatten the micrographs; those that cannot be read are quarantined.

    `negatives` are places that are no particles; without `labelled`, no label is needed.

    Raises
    ------
    InputError
        If no micrograph or no label is left.
    """
    loaded: list[Resampled] = []
    exclusion = exclusion or Exclusion()
    progress = Progress(len(paths), "reading micrographs")
    working = lengths.working_pixel_size_ang
    for path, future in in_background(lambda p: resample(p, pixel_size_ang, working, keep_borders), paths, threads):
        try:
            micrograph = future.result()
            micrograph.histogram()
            without_excluded(micrograph, replace(exclusion, contamination=False), lengths)  # a mask that does not fit
        except InputError as error:
            report.quarantine(path, str(error))
        else:
            loaded.append(micrograph)
            report.used(path, micrograph.n_invalid, micrograph.borders)
        progress.advance()
    report.require_some()
    joint = fit(stack_histograms([m.histogram() for m in loaded]))
    labels = _labels_in_working_pixels(loaded, picks)
    exclusion = with_limit(exclusion, loaded, labels, lengths)
    loaded = [without_excluded(m, exclusion, lengths) for m in loaded]
    images = [
        network_input(m, joint.mixture, float(s), float(t), lengths.background_px)
        for m, s, t in zip(loaded, joint.scale, joint.offset, strict=True)
    ]
    areas = [m.excluded for m in loaded]
    for m in loaded:
        report.left_out(m.path, *left_out_of(m.path, m.excluded, exclusion))
    labels = outside_labels(labels, areas, "labelled particles")
    others = outside_labels(_negatives_in_working_pixels(loaded, negatives, labels, lengths), areas, "non-particles")
    if labelled and not sum(len(label) for label in labels):
        raise InputError(_no_labels(paths, picks))
    digest = hashlib.sha256()
    for micrograph, label, other, area in zip(loaded, labels, others, areas, strict=True):
        digest.update(micrograph.pixels.numpy().tobytes())
        digest.update(label.numpy().tobytes())
        digest.update(other.numpy().tobytes())
        digest.update(b"" if area is None else area.numpy().tobytes())
    micrographs = [
        LabelledMicrograph(m.path, image, label, other, m.cut, area)
        for m, image, label, other, area in zip(loaded, images, labels, others, areas, strict=True)
    ]
    return TrainingSet(micrographs, joint.mixture, digest.hexdigest(), exclusion)


def _labels_in_working_pixels(
    micrographs: list[Resampled], picks: CoordinateTable, what: str = "labelled particles"
) -> list[Tensor]:
    """Labels of each micrograph ``(n, 2)``; some outside of the image are left out, many are an error."""
    labels, inside_total, outside_total, worst, dead = [], 0, 0, "", 0
    for micrograph in micrographs:
        own = picks.of(str(micrograph.path))
        rows, columns = micrograph.shape
        inside = (own.x > -0.5) & (own.x < columns - 0.5) & (own.y > -0.5) & (own.y < rows - 0.5)
        if not inside.all():
            worst = (f"{micrograph.path} has {columns} x {rows} pixels, its labels reach x = {own.x.max():.0f},"
                     f" y = {own.y.max():.0f}")
        inside_total += int(inside.sum())
        outside_total += int((~inside).sum())
        live = inside & micrograph.holds(own.x, own.y)
        dead += int(inside.sum() - live.sum())
        xy = micrograph.to_working(own.x[live], own.y[live])
        labels.append(torch.from_numpy(np.unique(xy, axis=0)))
    if outside_total > MOST_OUTSIDE * (inside_total + outside_total):
        raise InputError(
            f"{outside_total} of {inside_total + outside_total} {what} lie outside of their micrographs"
            f" ({worst}); coordinates must be in pixels of the micrographs given, see pupicker convert --scale"
        )
    if outside_total:
        sys.stderr.write(f"warning: {outside_total} {what} outside of their micrographs are left out: {worst}\n")
    if dead:
        sys.stderr.write(f"warning: {dead} {what} on borders without an image are left out\n")
    return labels


def _negatives_in_working_pixels(
    micrographs: list[Resampled], negatives: CoordinateTable | None, labels: list[Tensor], lengths: Geometry
) -> list[Tensor]:
    """Places that are no particles; those within a quarter of the diameter of a labelled particle are left out."""
    if negatives is None:
        return [torch.zeros((0, 2), dtype=torch.float64) for _ in micrographs]
    near_px = lengths.diameter_ang / 4 / lengths.working_pixel_size_ang
    kept, left_out = [], 0
    for place, label in zip(_labels_in_working_pixels(micrographs, negatives, "non-particles"), labels, strict=True):
        free = (torch.cdist(place, label) > near_px).all(dim=1)
        kept.append(place[free])
        left_out += int((~free).sum())
    if left_out:
        sys.stderr.write(
            f"warning: {left_out} places labelled as no particle lie on labelled particles and are left out\n"
        )
    if not sum(map(len, kept)):
        raise InputError(
            f"none of the {len(negatives)} places labelled as no particle can be used: check that the table is that of"
            " these micrographs, and not the particles themselves"
        )
    return kept


def _no_labels(paths: Sequence[Path], picks: CoordinateTable) -> str:
    if not len(picks):
        return "the table of picks is empty: label some particles first"
    return (
        f"none of the {len(picks)} picks belongs to one of the {len(paths)} micrographs that can be used: the table"
        f" names {picks.names()[0]!r}, the first micrograph is {paths[0].name!r}"
    )


def split_validation(data: TrainingSet, fraction: float, seed: int) -> Split:
    """Hold out about `fraction` of the labels, as whole micrographs where there are several labelled ones.

    A fraction of zero, or a single label, holds out nothing.
    """
    counts = [len(m.labels) for m in data.micrographs]
    everyone = list(range(len(counts)))
    none = [torch.zeros(n, dtype=torch.bool) for n in counts]
    if fraction <= 0 or sum(counts) < 2:
        return Split(everyone, [], none)
    generator = torch.Generator().manual_seed(seed)
    labelled = [i for i in everyone if counts[i]]
    if len(labelled) == 1:
        only = labelled[0]
        number = min(max(1, round(fraction * counts[only])), counts[only] - 1)
        none[only][torch.randperm(counts[only], generator=generator)[:number]] = True
        return Split(everyone, [only], none)
    validation: list[int] = []
    for position in torch.randperm(len(labelled), generator=generator).tolist()[:-1]:
        if sum(counts[i] for i in validation) >= fraction * sum(counts):
            break
        validation.append(labelled[position])
    for i in validation:
        none[i][:] = True
    return Split([i for i in everyone if i not in validation], sorted(validation), none)
