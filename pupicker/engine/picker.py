"""Picking with a model: one micrograph at a time, the next ones read and resampled meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pupicker.core.orbit import orbit_logits
from pupicker.engine.coordinates import CoordinateTable
from pupicker.engine.errors import InputError
from pupicker.engine.model_file import Model
from pupicker.engine.preparation import Resampled, in_background, network_input_of_new, resample
from pupicker.engine.progress import Progress
from pupicker.engine.report import Report
from pupicker.engine.validation import leave_cut_borders, pick_image


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
    uncertainty
        Also say how much each score depends on the orientation of the image (:mod:`pupicker.core.orbit`).
    """

    threshold: float | None = None
    min_distance_ang: float | None = None
    pixel_size_ang: float | None = None
    keep_borders: bool = False
    uncertainty: bool = False


@dataclass(frozen=True)
class Picked:
    """Picks of one micrograph: its file, its pixel size, the table."""

    path: Path
    pixel_size_ang: float
    table: CoordinateTable


class Picker:
    """A model on a device, ready to pick."""

    def __init__(self, model: Model, device: torch.device, options: PickingOptions | None = None) -> None:
        self.model = model
        self.device = device
        self.options = options or PickingOptions()
        self._network = model.network.to(device).eval().channels_last()
        chosen = self.options.threshold
        self.threshold = model.suggested_threshold if chosen is None else chosen
        self.min_distance_ang = self.options.min_distance_ang or model.geometry.min_distance_ang

    def prepare(self, path: Path) -> Resampled:
        """Read and resample; may run in another thread."""
        options = self.options
        working = self.model.geometry.working_pixel_size_ang
        return resample(path, options.pixel_size_ang, working, options.keep_borders)

    def pick(self, micrograph: Resampled) -> CoordinateTable:
        """Picks of a micrograph, best first, in pixels of its file; no centre lies outside or on an invalid pixel.

        ``score`` is the log-likelihood ratio, ``probability`` that of being a particle
        (:mod:`pupicker.core.likelihood`); ``score_sd``, if wanted, in units of the score.
        """
        lengths = self.model.geometry
        image = network_input_of_new(micrograph, self.model.mixture, lengths.background_px).to(self.device)
        working = lengths.working_pixel_size_ang
        calibration = self.model.calibration
        xy, logit = pick_image(
            self._network, image, self.min_distance_ang / working, calibration.logit(self.threshold), self.model.views
        )
        xy, logit = leave_cut_borders(xy, logit, image, micrograph.cut, lengths)
        spread = None
        if self.options.uncertainty:
            spread = (calibration.slope * orbit_logits(self._network, image, xy).std(1, correction=0)).numpy()
        x, y = micrograph.to_file(xy.numpy()).T
        table = CoordinateTable(
            np.full(len(x), str(micrograph.path), dtype=object), x, y,
            calibration.log_likelihood_ratio(logit).numpy(), calibration.probability(logit).numpy(),
            spread,
        )
        if micrograph.invalid is None:
            return table
        return table.select(~micrograph.invalid[np.rint(y).astype(int), np.rint(x).astype(int)])

    def pick_files(
        self, paths: Sequence[Path], threads: int, report: Report, progress: Progress
    ) -> Iterator[Picked]:
        """Picks of one micrograph after the other; those that cannot be read are quarantined, not yielded."""
        for path, future in in_background(self.prepare, paths, min(threads, 4)):
            try:
                micrograph = future.result()
                table = self.pick(micrograph)
            except InputError as error:
                report.quarantine(path, str(error))
            else:
                report.used(path, micrograph.n_invalid, micrograph.borders)
                yield Picked(path, micrograph.pixel_size_ang, table)
            progress.advance(1, path.name)
