"""The training set in memory: normalised micrographs, labels in working pixels, what is held out.

Whole labelled micrographs are held out for validation, because neighbouring particles look alike for reasons that do
not carry over to the next micrograph (ice, defocus).  With a single labelled micrograph some of its labels are held
out; their discs belong neither to the positive nor to the unlabelled regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.core.image.histograms import stack_histograms
from pupicker.core.image.normalization import Mixture, fit
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.preparation.doubtful_labels import say_doubtful_rows
from pupicker.engine.preparation.exclusion import (
    Exclusion,
    excluded_share_of,
    outside_labels,
    with_exclusion,
    with_limit,
)
from pupicker.engine.preparation.label_placement import find_place, say_place
from pupicker.engine.preparation.recipe import Recipe, prepare
from pupicker.engine.preparation.working_micrograph import Resampled, network_input
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.quarantine import usable
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.digest import data_digest
from pupicker.engine.training.labels import labels_in_working_pixels, negatives_in_working_pixels, no_labels


@dataclass(frozen=True)
class Sources:
    """What a training learns from, as it is stored.

    Attributes
    ----------
    micrographs
        Files.
    labels
        Table of labelled particles, in pixels of the files; None: learns without any, from pseudo-labels.
    negatives
        Table of places that are no particles; None: there are none.
    pixel_size_ang
        Of the files; None: from their headers.
    keep_borders
        Whether borders without an image stay.
    exclusion
        Where nothing is looked for.
    check_labels
        Whether labels that the images say are in the wrong place are an error.
    """

    micrographs: Sequence[Path]
    labels: CoordinateTable | None
    negatives: CoordinateTable | None = None
    pixel_size_ang: float | None = None
    keep_borders: bool = False
    exclusion: Exclusion = field(default_factory=Exclusion)
    check_labels: bool = True


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
        Bool ``(h, w)``: where nothing is looked for (:mod:`pupicker.engine.preparation.exclusion`); None: nowhere.
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
    """All micrographs of a training.

    Attributes
    ----------
    micrographs
        With their labels.
    mixture
        That normalised them.
    digest
        Of what is learnt from (:mod:`pupicker.engine.training.digest`).
    exclusion
        Where nothing is looked for.
    pseudo_labels
        What took the place of labels; None: there are labels.
    """

    micrographs: list[LabelledMicrograph]
    mixture: Mixture
    digest: str
    exclusion: Exclusion = field(default_factory=Exclusion)
    pseudo_labels: str | None = None

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


def load_training_set(sources: Sources, geometry: Geometry, threads: int, report: Report) -> TrainingSet:
    """Read, resample, jointly normalise and flatten the micrographs; those that cannot be read are quarantined.

    Raises
    ------
    InputError
        If no micrograph or no label is left.
    """
    paths, negatives = sources.micrographs, sources.negatives
    labelled, picks = sources.labels is not None, sources.labels or CoordinateTable.empty()
    pixel_size_ang, keep_borders, exclusion = sources.pixel_size_ang, sources.keep_borders, sources.exclusion
    loaded: list[Resampled] = []
    stored: dict[Path, str] = {}
    progress = Progress(len(paths), "reading micrographs")
    # Contamination waits for the labels; a mask that does not fit shows now.
    recipe = Recipe.of_geometry(geometry, pixel_size_ang, keep_borders, replace(exclusion, contamination=False))

    def read(path: Path) -> Resampled:
        micrograph = prepare(path, recipe, digest=True)
        micrograph.histogram()
        return micrograph

    for path, micrograph in usable(paths, read, report, progress, threads):
        stored[path] = str(micrograph.digest)
        report.used(path, micrograph.n_invalid, micrograph.borders)
        loaded.append(replace(micrograph, invalid=None))  # as large as the file, and only picking asks for it
    report.require_some()
    labels = _placed_labels(loaded, picks, geometry, sources.check_labels)
    exclusion = with_limit(exclusion, loaded, labels, geometry)
    loaded, labels = _with_exclusion(loaded, labels, exclusion, geometry, report)
    joint = fit(stack_histograms([m.histogram() for m in loaded]))
    images = [
        network_input(m, joint.mixture, float(s), float(t), geometry.background_px)
        for m, s, t in zip(loaded, joint.scale, joint.offset, strict=True)
    ]
    areas = [m.excluded for m in loaded]
    for m in loaded:
        report.note_excluded(m.path, *excluded_share_of(m.path, m.excluded, exclusion))
    labels = outside_labels(labels, areas, "labelled particle")
    others = outside_labels(negatives_in_working_pixels(loaded, negatives, labels, geometry), areas, "negative")
    if labelled and not sum(len(label) for label in labels):
        raise InputError(no_labels(paths, picks, sum(len(picks.of(str(m.path))) for m in loaded)))
    digest = data_digest({m.path: stored[m.path] for m in loaded}, [picks, negatives], exclusion, pixel_size_ang,
                         keep_borders)
    micrographs = [
        LabelledMicrograph(m.path, image, label, other, m.cut, area)
        for m, image, label, other, area in zip(loaded, images, labels, others, areas, strict=True)
    ]
    return TrainingSet(micrographs, joint.mixture, digest, exclusion)


def _placed_labels(
    loaded: list[Resampled], picks: CoordinateTable, geometry: Geometry, check: bool
) -> list[Tensor]:
    """Labels in working pixels, held against the images first."""
    finding = find_place(loaded, picks, geometry) if check else None
    try:
        labels = labels_in_working_pixels(loaded, picks)
    except InputError as error:
        if finding is None or not finding.elsewhere:
            raise
        raise InputError(f"{error}; {finding.cure}", *error.parameters, *finding.cured.parameters) from error
    if check:
        say_place(finding)
        say_doubtful_rows(loaded, picks, geometry)
    return labels


def _with_exclusion(
    loaded: list[Resampled], labels: list[Tensor], exclusion: Exclusion, geometry: Geometry, report: Report
) -> tuple[list[Resampled], list[Tensor]]:
    """With what is excluded on each; a micrograph of which nothing is left is quarantined, its labels with it."""
    kept: list[tuple[Resampled, Tensor]] = []
    for micrograph, own in zip(loaded, labels, strict=True):
        try:
            kept.append((with_exclusion(micrograph, exclusion, geometry), own))
        except InputError as error:
            report.not_used(micrograph.path, str(error))
    report.require_some()
    return [micrograph for micrograph, _ in kept], [own for _, own in kept]


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
