"""Labels out of nothing: the surest finds of the general model, or of a filter, as first positives.

Training goes on from them as from labels.  They are the surest places, no random sample of the particles, and some are
none: what training estimates from held-out labels (the number of particles, the average precision, the calibration)
says how well the model agrees with the pseudo-labels, not with the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pupicker.core.detection.candidates import leave_cut_borders, pick_image
from pupicker.core.geometry import Geometry
from pupicker.core.networks.inference import for_inference
from pupicker.engine.models.initial_weights import GENERAL, general_network
from pupicker.engine.picking.filter_picker import best_places, response_of
from pupicker.engine.runtime.device import on_device
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.training.dataset import LabelledMicrograph, TrainingSet
from pupicker.engine.training.labels import apart
from pupicker.engine.training.options import Task
from pupicker.shared.plurals import counted

PSEUDO_LABELS_PER_MICROGRAPH = 25

Finder = Callable[[LabelledMicrograph], tuple[Tensor, Tensor]]


def with_pseudo_labels(data: TrainingSet, source: str, task: Task, count: int | None = None) -> TrainingSet:
    """The same micrographs, labelled with the surest finds on all of them.

    Parameters
    ----------
    source
        One of :data:`pupicker.shared.choices.PSEUDO_LABEL_SOURCES`.
    task
        Its network's general model is used.
    count
        How many; None: :data:`PSEUDO_LABELS_PER_MICROGRAPH` for each micrograph.  What lies on labelled negatives is
        none.

    Raises
    ------
    InputError
        If nothing is found.
    """
    found = []
    for m, (xy, score) in zip(data.micrographs, find_all(data.micrographs, source, task), strict=True):
        free = apart(xy.double(), m.negatives, task.geometry)
        found.append((xy[free], score[free]))
    wanted = count or PSEUDO_LABELS_PER_MICROGRAPH * len(data.micrographs)
    scores = torch.cat([score for _, score in found])
    if not len(scores):
        raise InputError(f"no pseudo-labels: {source} finds nothing on {counted(len(found), 'micrograph')}; label some"
                         " particles",
                         "pseudo_labels")
    lowest = scores.topk(min(wanted, len(scores))).values[-1]
    micrographs = [replace(m, labels=xy[score >= lowest].double()) for m, (xy, score) in
                   zip(data.micrographs, found, strict=True)]
    return replace(data, micrographs=micrographs, digest=f"{data.digest}, {source} {wanted}",
                   pseudo_labels=source)


def find_all(micrographs: Sequence[LabelledMicrograph], source: str, task: Task) -> list[tuple[Tensor, Tensor]]:
    """All finds on each micrograph: ``(n, 2)`` x, y in working pixels and ``(n,)`` scores, best first."""
    find = _general(task) if source == GENERAL else _filter(source, task.geometry)
    return [leave_cut_borders(*find(m), m.image, m.cut, task.geometry) for m in micrographs]


def _filter(method: str, geometry: Geometry) -> Finder:
    response = response_of(method, geometry)
    distance = geometry.min_distance_ang / geometry.working_pixel_size_ang
    return lambda micrograph: best_places(response, micrograph.image, distance, excluded=micrograph.excluded)


def _general(task: Task) -> Finder:
    geometry, device = task.geometry, task.device
    classifier = for_inference(on_device(general_network(task.options.fitting.network), device))
    distance = geometry.min_distance_ang / geometry.working_pixel_size_ang
    return lambda micrograph: pick_image(
        classifier, micrograph.image.to(device), distance, excluded=micrograph.excluded
    )
