"""What was labelled, in working pixels of each micrograph; what cannot be used is said."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.plurals import counted, none_can

_log = logging.getLogger(__name__)

MAX_OUTSIDE = 0.1
"""More labels outside of the micrographs than this fraction mean that the coordinates are on another scale."""


def labels_in_working_pixels(
    micrographs: list[Resampled], picks: CoordinateTable, what: str = "labelled particle"
) -> list[Tensor]:
    """Labels of each micrograph ``(n, 2)``; some outside of the image are left out, many are an error."""
    labels, inside_total, outside_total, example, dead = [], 0, 0, "", 0
    for micrograph in micrographs:
        own = picks.of(str(micrograph.path))
        rows, columns = micrograph.shape
        inside = (own.x > -0.5) & (own.x < columns - 0.5) & (own.y > -0.5) & (own.y < rows - 0.5)
        if not example and not inside.all():
            example = (f"{micrograph.path} has {columns} x {rows} pixels, its labels go from x = {own.x.min():.6g} to"
                     f" {own.x.max():.6g}, y = {own.y.min():.6g} to {own.y.max():.6g}")
        inside_total += int(inside.sum())
        outside_total += int((~inside).sum())
        live = inside & micrograph.holds(own.x, own.y)
        dead += int(inside.sum() - live.sum())
        xy = micrograph.to_working(own.x[live], own.y[live])
        labels.append(torch.from_numpy(np.unique(xy, axis=0)))
    if outside_total > MAX_OUTSIDE * (inside_total + outside_total):
        raise InputError(
            f"{outside_total} of {counted(inside_total + outside_total, what)} lie outside of their micrographs"
            f" ({example}); coordinates must be in pixels of the micrographs given; pupicker convert scales them"
        )
    if outside_total:
        _log.warning("%s left out: %s", counted(outside_total, f"{what} outside of its micrograph is",
                                                f"{what}s outside of their micrographs are"), example)
    if dead:
        _log.warning("%s on borders without an image %s left out", counted(dead, what), "is" if dead == 1 else "are")
    return labels


def negatives_in_working_pixels(
    micrographs: list[Resampled], negatives: CoordinateTable | None, labels: list[Tensor], geometry: Geometry
) -> list[Tensor]:
    """Negatives; those within a quarter of the diameter of a labelled particle are left out."""
    if negatives is None:
        return [torch.zeros((0, 2), dtype=torch.float64) for _ in micrographs]
    kept, on_labels = [], 0
    for place, label in zip(labels_in_working_pixels(micrographs, negatives, "negative"), labels, strict=True):
        free = apart(place, label, geometry)
        kept.append(place[free])
        on_labels += int((~free).sum())
    if on_labels:
        _log.warning("%s left out", counted(on_labels, "negative lies on a labelled particle and is",
                                            "negatives lie on labelled particles and are"))
    if not sum(map(len, kept)):
        raise InputError(
            f"{none_can(len(negatives), 'negative')} be used: check that the table is that of"
            " these micrographs, and not the particles themselves", "negatives",
        )
    return kept


def apart(places: Tensor, others: Tensor, geometry: Geometry) -> Tensor:
    """Which of `places` ``(n, 2)`` lie on none of the `others`: not within a quarter of the diameter."""
    near_px = geometry.diameter_ang / 4 / geometry.working_pixel_size_ang
    return (torch.cdist(places, others) > near_px).all(dim=1)


def no_labels(paths: Sequence[Path], picks: CoordinateTable, lost: int) -> str:
    """Why no label is left; `lost` of the picks are on micrographs that can be used, but where nothing shall be."""
    if not len(picks):
        return "the table of picks is empty: label some particles first"
    if lost:
        return (f"{none_can(lost, 'labelled particle')} be used: each lies where nothing shall be picked (margin, mask,"
                " contamination) or on a border without an image; label others, or look at the margin and the masks")
    belongs = "the only pick does not belong" if len(picks) == 1 else f"none of the {len(picks)} picks belongs"
    one = "the only micrograph" if len(paths) == 1 else f"one of the {len(paths)} micrographs"
    return (
        f"{belongs} to {one} that can be used: the table"
        f" names {picks.names()[0]!r}, the first micrograph is {paths[0].name!r}"
    )
