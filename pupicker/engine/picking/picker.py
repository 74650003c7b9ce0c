"""Picking, with a model or another rule: one micrograph at a time, the next ones read and resampled meanwhile."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pupicker.core.detection.background import background_floor
from pupicker.core.detection.candidates import (
    background_levels,
    best_near,
    leave_cut_borders,
    logit_map,
    pick_image,
    pick_map,
)
from pupicker.core.detection.symmetry import symmetry_logits
from pupicker.core.geometry import Geometry
from pupicker.core.networks import Classifier
from pupicker.core.networks.inference import for_inference
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.models.model_file import Model
from pupicker.engine.preparation.exclusion import Exclusion, excluded_share_of
from pupicker.engine.preparation.recipe import Recipe, network_image, prepare
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.device import on_device, precision_name
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.quarantine import usable_with
from pupicker.engine.runtime.run_report import Report
from pupicker.shared import options


@dataclass(frozen=True)
class PickingOptions:
    """What a user may override.

    Attributes
    ----------
    threshold
        Lowest log-likelihood ratio of a pick; None: the model's suggestion.
    min_distance_ang
        None: the model's.
    pixel_size_ang
        Of the micrographs; None: from their headers.
    keep_borders
        Pick in borders without an image too.
    score_sd
        Also say how much each score depends on the orientation of the image (:mod:`pupicker.core.detection.symmetry`).
    exclusion
        Where nothing is picked; None: what the model stores.
    """

    threshold: float | None = options.THRESHOLD.default
    min_distance_ang: float | None = options.MIN_DISTANCE.default
    pixel_size_ang: float | None = options.PIXEL_SIZE.default
    keep_borders: bool = options.KEEP_BORDERS.default
    score_sd: bool = options.SCORE_SD.default
    exclusion: Exclusion | None = None

    def __post_init__(self) -> None:
        """Raise UsageError at a number that cannot be."""
        values = {"threshold": self.threshold, "min_distance": self.min_distance_ang, "pixel_size": self.pixel_size_ang}
        check_options(values, (options.THRESHOLD, options.MIN_DISTANCE, options.PIXEL_SIZE))


@dataclass(frozen=True)
class Picked:
    """Picks of one micrograph: its file, its pixel size, the table.

    Attributes
    ----------
    working_pixels
        How many were looked at.
    null_level
        Score of the background, if that is known.
    usual
        Whether scores mean what they meant in training; if not, they are lowered by what the micrograph's noise gives.
    """

    path: Path
    pixel_size_ang: float
    table: CoordinateTable
    working_pixels: int = 0
    null_level: float | None = None
    usual: bool = True


@dataclass(frozen=True)
class WorkingPicks:
    """Picks in working pixels: ``(n, 2)`` x, y; ``(n,)`` score, and probability and spread of the score if known.

    ``null_level`` is the score that half of the places of the micrograph stay below: that of its background; ``usual``:
    whether scores mean what they meant in training.
    """

    xy: Tensor
    score: Tensor
    probability: Tensor | None = None
    score_sd: Tensor | None = None
    null_level: float | None = None
    usual: bool = True


class MicrographPicker(ABC):
    """Picks one micrograph after the other; what it picks with is its subclass's.

    Attributes
    ----------
    geometry
        Lengths of the task.
    threshold, min_distance_ang
        Lowest score, smallest distance of two picks.
    recipe
        How micrographs are prepared.
    precision
        Numbers that features of a network are computed in; None: there is no network.
    """

    geometry: Geometry
    threshold: float
    min_distance_ang: float
    recipe: Recipe
    precision: str | None = None

    def to_record(self) -> dict[str, Any]:
        """What it picks with, for reports."""
        return {
            "threshold": self.threshold, "min_distance_ang": self.min_distance_ang,
            "box_size_ang": self.geometry.box_size_ang, "preparation": self.recipe.to_record(),
            **({} if self.precision is None else {"precision": self.precision}),
        }

    @abstractmethod
    def working_picks(self, micrograph: Resampled) -> WorkingPicks:
        """Picks of a micrograph in working pixels, best first."""

    def prepare(self, path: Path) -> Resampled:
        """Read and resample; may run in another thread."""
        return prepare(path, self.recipe)

    def pick(self, micrograph: Resampled) -> CoordinateTable:
        """Picks of a micrograph, best first, in pixels of its file; no centre lies outside or on an invalid pixel."""
        return self._in_file(micrograph, self.working_picks(micrograph))

    def _in_file(self, micrograph: Resampled, found: WorkingPicks) -> CoordinateTable:
        x, y = micrograph.to_file(found.xy.numpy()).T
        table = CoordinateTable(
            np.full(len(x), str(micrograph.path), dtype=object), x, y, found.score.numpy(),
            *(None if values is None else values.numpy() for values in (found.probability, found.score_sd)),
        )
        if micrograph.invalid is None:
            return table
        return table.select(~micrograph.invalid[np.rint(y).astype(int), np.rint(x).astype(int)])

    def pick_files(
        self, paths: Sequence[Path], threads: int, report: Report, progress: Progress
    ) -> Iterator[Picked]:
        """Picks of one micrograph after the other; those that cannot be picked are quarantined, not yielded."""
        def use(micrograph: Resampled) -> tuple[Resampled, Picked]:
            found = self.working_picks(micrograph)
            table = self._in_file(micrograph, found)
            excluded = 0 if micrograph.excluded is None else int(micrograph.excluded.sum())
            looked_at = micrograph.pixels.numel() - excluded
            return micrograph, Picked(micrograph.path, micrograph.pixel_size_ang, table, looked_at, found.null_level,
                                      found.usual)

        for path, (micrograph, picked) in usable_with(paths, self.prepare, use, report, progress, threads):
            report.used(path, micrograph.n_invalid, micrograph.borders)
            report.note_excluded(path, *excluded_share_of(path, micrograph.excluded, self.recipe.exclusion))
            yield picked


class Picker(MicrographPicker):
    """A model on a device, ready to pick."""

    def __init__(self, model: Model, device: torch.device, options: PickingOptions | None = None) -> None:
        self.model = model
        self.device = device
        self.options = options or PickingOptions()
        self._network, self.precision = for_inference(on_device(model.picking_network, device)), precision_name(device)
        chosen = self.options.threshold
        self.threshold = model.suggested_threshold if chosen is None else chosen
        self.geometry = model.geometry
        self.min_distance_ang = self.options.min_distance_ang or model.geometry.min_distance_ang
        self.recipe = Recipe.of_model(
            model, self.options.pixel_size_ang, self.options.keep_borders, self.options.exclusion
        )

    def working_picks(self, micrograph: Resampled) -> WorkingPicks:
        """``score`` is the log-likelihood ratio, ``probability`` that of being a particle; ``score_sd``, if wanted.

        See :mod:`pupicker.core.scores.likelihood`.  On a micrograph whose background is unlike that of the training the
        network may find maxima in mere noise: its logits are lowered until those that noise like its own gives are as
        likely false as true (:mod:`pupicker.core.detection.background`), which takes three times as long.
        """
        geometry = self.geometry
        image = network_image(micrograph, self.recipe).to(self.device)
        working = geometry.working_pixel_size_ang
        calibration = self.model.calibration
        logits, stride = logit_map(self._network, image, self.model.orientations)
        lowest, excluded = calibration.logit(self.threshold), micrograph.excluded
        levels = background_levels(logits, stride, excluded)
        shift = 0.0
        if self.model.usual_levels is not None and not self.model.usual_levels.hold(levels):
            shift = self._shift(image, logits, stride, excluded)
            logits = logits - shift
        xy, logit = pick_map(logits, stride, self.min_distance_ang / working, lowest, excluded)
        xy, logit = leave_cut_borders(xy, logit, image, micrograph.cut, geometry)
        null = torch.tensor(levels.median - shift)
        spread = None
        if self.options.score_sd:
            spread = self._spread(image, xy)
        return WorkingPicks(xy, calibration.log_likelihood_ratio(logit), calibration.probability(logit), spread,
                            float(calibration.log_likelihood_ratio(null)), shift == 0)

    def _shift(self, image: Tensor, logits: Tensor, stride: int, excluded: Tensor | None) -> float:
        """By how much the floor of a micrograph's own noise lies above the logit that is as likely true as false."""
        distance_px = self.min_distance_ang / self.geometry.working_pixel_size_ang
        even = self.model.calibration.logit(self.model.calibration.ratio_at(0.5))
        xy, logit = pick_map(logits, stride, distance_px, excluded=excluded)

        def find(noise: Tensor) -> Tensor:
            return pick_image(self._network, noise, distance_px, orientations=self.model.orientations)[1]

        # Nothing is sure there: what the network takes for particles may be the noise.
        floor = background_floor(image, (xy, logit), find, math.inf,
                                 self.geometry.diameter_ang / self.geometry.working_pixel_size_ang, excluded)
        return max(0.0, floor - even) if math.isfinite(floor) else 0.0

    def score_places(
        self, micrograph: Resampled, xy: np.ndarray, search_radius_ang: float = 0.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the model says of places.

        Parameters
        ----------
        xy
            ``(n, 2)`` x, y in pixels of the file.
        search_radius_ang
            Distance from a place within which the best score counts; 0: that of the nearest position of the map.

        Returns
        -------
        tuple of Tensor
            ``(n,)`` score, probability, and standard deviation of the score over the eight views, at the place itself.
        """
        image = network_image(micrograph, self.recipe).to(self.device)
        working = torch.from_numpy(micrograph.to_working(xy[:, 0], xy[:, 1]))
        logits, stride = logit_map(self._network, image, self.model.orientations)
        radius_px = search_radius_ang / self.geometry.working_pixel_size_ang
        logit, calibration = best_near(logits, stride, working, radius_px).double(), self.model.calibration
        return (calibration.log_likelihood_ratio(logit), calibration.probability(logit), self._spread(image, working))

    def _spread(self, image: Tensor, xy: Tensor) -> Tensor:
        """Standard deviation of the score ``(n,)`` over the views of the crops at places in working pixels."""
        return self.model.calibration.slope * symmetry_logits(self._trained, image, xy).std(1, correction=0)

    @cached_property
    def _trained(self) -> Classifier:
        """The network as it was trained, which scores single crops."""
        return for_inference(on_device(self.model.network, self.device))
