"""Where nothing is picked and nothing is learnt: a margin, masks that the user gives, estimated contamination.

The formulas are in :mod:`pupicker.core.detection.contamination`.  Margin and limit of the contamination go into the
model, so that picking leaves out what training left out; masks belong to their micrographs and are given to each
command.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pupicker.core.detection.contamination import (
    DEPTH_WITHOUT_LABELS,
    contamination_mask,
    depth,
    limit_from_blobs,
    limit_from_particles,
    margin_mask,
    pixels_of,
)
from pupicker.core.geometry import Geometry
from pupicker.engine.files.masks import MaskFolder, mask_at, read_mask
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.shared.plurals import counted

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exclusion:
    """What is left out.

    Attributes
    ----------
    margin_ang
        Least distance of a pick from the edges of the image (of what is left of it, where borders were cut off).
    masks
        Given by the user, or None.
    contamination
        Whether contamination is estimated.
    limit
        Depth above which a place is contamination (:mod:`pupicker.core.detection.contamination`); None: each micrograph
        its own.
    """

    margin_ang: float = 0.0
    masks: MaskFolder | None = None
    contamination: bool = False
    limit: float | None = None

    @property
    def active(self) -> bool:
        """Whether anything can be left out."""
        return bool(self.margin_ang or self.masks or self.contamination)

    def to_header(self) -> dict[str, Any] | None:
        """What a model keeps of it; None: nothing."""
        if not (self.margin_ang or self.contamination):
            return None
        return {"margin_ang": self.margin_ang, "contamination": self.contamination, "contamination_depth": self.limit}


def exclusion_for(
    stored: dict[str, Any] | None, margin_ang: float | None, masks: Path | None, contamination: bool | None,
    micrographs: Sequence[Path],
) -> Exclusion:
    """What a command leaves out: what the user says, else what a model has `stored`, else nothing.

    Raises
    ------
    UsageError, InputError
        A margin below zero; a folder without masks of these micrographs.
    """
    stored = stored or {}  # also a model of before there was any
    margin = stored.get("margin_ang", 0.0) if margin_ang is None else margin_ang
    if not 0 <= margin < float("inf"):
        raise UsageError(f"the margin of {margin:g} A must be 0 or larger", "margin")
    wanted = bool(stored.get("contamination")) if contamination is None else contamination
    folder = None if masks is None else MaskFolder(masks, micrographs)
    return Exclusion(margin, folder, wanted, stored.get("contamination_depth"))


def with_exclusion(micrograph: Resampled, exclusion: Exclusion, geometry: Geometry) -> Resampled:
    """The micrograph with what is contaminated on it (masks, too) and what is excluded (the margin, too).

    Raises
    ------
    InputError
        A mask cannot be read or does not fit, or everything is excluded.
    """
    if not exclusion.active:
        return micrograph
    shape = (int(micrograph.pixels.shape[0]), int(micrograph.pixels.shape[1]))
    working = geometry.working_pixel_size_ang
    contaminated = torch.zeros(shape, dtype=torch.bool)
    path = exclusion.masks.of(micrograph.path) if exclusion.masks else None
    if path is not None:
        contaminated |= _mask_in_working_pixels(micrograph, path, shape)
    if exclusion.contamination:
        diameter = geometry.diameter_ang / working
        limit = limit_from_blobs(micrograph.pixels, diameter) if exclusion.limit is None else exclusion.limit
        contaminated |= contamination_mask(micrograph.pixels, diameter, limit)
    excluded = contaminated | margin_mask(shape, exclusion.margin_ang / working)
    if bool(excluded.all()):
        raise InputError(
            f"{micrograph.path}: margin, mask and contamination exclude all of it; give a smaller margin, or leave the"
            " micrograph out"
        )
    return replace(micrograph, contaminated=contaminated if bool(contaminated.any()) else None,
                   excluded=excluded if bool(excluded.any()) else None)


def with_limit(
    exclusion: Exclusion, micrographs: Sequence[Resampled], labels: Sequence[Tensor], geometry: Geometry
) -> Exclusion:
    """The same with the limit that follows from labelled particles ``(n, 2)`` x, y in working pixels, if any."""
    if not exclusion.contamination or not sum(map(len, labels)):
        return exclusion
    diameter_px = geometry.diameter_ang / geometry.working_pixel_size_ang
    some = [(m.pixels, xy) for m, xy in zip(micrographs, labels, strict=True) if len(xy)]
    depths = [depth(pixels, diameter_px, DEPTH_WITHOUT_LABELS) for pixels, _ in some]
    return replace(exclusion, limit=round(limit_from_particles(depths, [xy for _, xy in some], diameter_px), 3))


def outside_labels(labels: list[Tensor], excluded: Sequence[Tensor | None], what: str) -> list[Tensor]:
    """Labels ``(n, 2)`` that are not in what is excluded; the others, each a `what`, are counted in a warning."""
    kept = [xy if out is None or not len(xy) else xy[~out[pixels_of(xy, out)]]
            for xy, out in zip(labels, excluded, strict=True)]
    lost = sum(map(len, labels)) - sum(map(len, kept))
    if lost:
        of_those = "where nothing shall be picked (margin, mask, contamination)"
        _log.warning("%s left out", counted(lost, f"{what} lies {of_those} and is", f"{what}s lie {of_those} and are"))
    return kept


def excluded_share_of(path: Path, excluded: Tensor | None, exclusion: Exclusion) -> tuple[float, bool]:
    """For the report: share of the area that is excluded, and whether the micrograph lacks a mask."""
    share = 0.0 if excluded is None else float(excluded.float().mean())
    return share, exclusion.masks is not None and exclusion.masks.of(path) is None


def _mask_in_working_pixels(micrograph: Resampled, path: Path, shape: tuple[int, int]) -> Tensor:
    row, column = (np.stack([np.arange(n), np.zeros(n)], axis=1) for n in shape)
    rows, columns = micrograph.to_file(row[:, ::-1])[:, 1], micrograph.to_file(column)[:, 0]
    return torch.from_numpy(mask_at(read_mask(path), micrograph.shape, rows, columns, path))
