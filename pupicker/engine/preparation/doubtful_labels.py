"""Rows of a table that are no labels: particles that are there twice, the weak output of a picker."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch

from pupicker.core.detection.agreement import blob_response, values_at
from pupicker.core.geometry import Geometry
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.preparation.label_placement import MOST_LABELS, MOST_MICROGRAPHS, SUSPICIOUS, UNSEEN
from pupicker.engine.preparation.label_places import Place
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.shared.plurals import counted

NEAR_DIAMETERS, MOST_DOUBLED = 0.15, 0.1
SCORE_GROUPS, FEWEST_OF_GROUP = 8, 10

_log = logging.getLogger(__name__)


def say_doubtful_rows(micrographs: Sequence[Resampled], labels: CoordinateTable, geometry: Geometry) -> None:
    """Log labels that are there twice, and those whose scores are so low that nothing is to be seen there."""
    some = [micrograph for micrograph in micrographs if len(labels.of(str(micrograph.path)))]
    near = NEAR_DIAMETERS * geometry.diameter_ang / geometry.working_pixel_size_ang
    places = [Place().of(labels, micrograph) for micrograph in some]
    doubled = sum(int((torch.cdist(xy, xy) < near).sum(dim=1).gt(1).sum()) for xy in places
                  if len(xy) <= MOST_LABELS)
    total = sum(map(len, places))
    if doubled > MOST_DOUBLED * total:
        _log.warning("%d of %s have another one within %.2g diameters: two tables of the same particles?",
                     doubled, counted(total, "label"), NEAR_DIAMETERS)
    if labels.score is None or not some:
        return
    some = some[:: max(1, -(-len(some) // MOST_MICROGRAPHS))]
    diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
    values = values_at([blob_response(m.pixels, diameter) for m in some], [Place().of(labels, m) for m in some])
    scores = np.concatenate([np.asarray(labels.of(str(m.path)).score) for m in some])
    lowest = _lowest_useful(scores, values.nan_to_num().double().numpy())
    if lowest is not None:
        low = int((np.asarray(labels.score) < lowest).sum())
        _log.warning("%d of %s have scores below %.3g, and nothing is to be seen there: the output of a picker"
                     " before its threshold? A lowest score of %.3g would leave them out", low,
                     counted(len(labels), "label"), lowest, lowest, extra={"parameters": ("min_score",)})


def _lowest_useful(scores: np.ndarray, values: np.ndarray) -> float | None:
    """Score below which answers are those of places at random, though those above are not; None if there is none."""
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2 * FEWEST_OF_GROUP:
        return None
    size = max(FEWEST_OF_GROUP, len(order) // SCORE_GROUPS)
    groups = [order[start:start + size] for start in range(0, len(order) - size + 1, size)]
    means = [float(values[group].mean()) for group in groups]
    surest = means[0]
    if surest * size**0.5 < SUSPICIOUS:
        return None
    for place in range(1, len(groups)):
        rest, lowest = np.concatenate(groups[place:]), float(scores[groups[place - 1]].min())
        if float(values[rest].mean()) < UNSEEN * surest and lowest > scores[rest].min():
            return lowest
    return None
