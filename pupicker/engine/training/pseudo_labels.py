"""Labels out of nothing: the best proposals of a baseline, or of the general weights, as first positives.

Training goes on from them as from labels.  They are the surest places, no random sample of the particles, and some are
none: what training estimates from held-out labels (the number of particles, the average precision, the calibration)
says how well the model agrees with the proposals, not with the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pupicker.core.detection.candidates import leave_cut_borders, pick_image
from pupicker.core.geometry import Geometry
from pupicker.engine.models.initial_weights import GENERAL
from pupicker.engine.picking.filter_picker import METHODS, best_places, response_of
from pupicker.engine.picking.general_picker import general_network
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.training.dataset import LabelledMicrograph, TrainingSet
from pupicker.engine.training.labels import apart

PROPOSALS = (GENERAL, *METHODS)
PROPOSALS_A_MICROGRAPH = 25

Finder = Callable[[LabelledMicrograph], tuple[Tensor, Tensor]]


def with_proposals(
    data: TrainingSet, source: str, geometry: Geometry, network: str, device: torch.device, count: int | None = None
) -> TrainingSet:
    """The same micrographs, labelled with the best proposals of all of them.

    Parameters
    ----------
    source
        One of :data:`PROPOSALS`.
    network
        Whose general weights are used.
    count
        How many; None: :data:`PROPOSALS_A_MICROGRAPH` for each micrograph.  What lies on labelled negatives is none.

    Raises
    ------
    InputError
        If nothing is proposed.
    """
    found = []
    for m, (xy, score) in zip(
        data.micrographs, propose(data.micrographs, source, geometry, network, device), strict=True
    ):
        free = apart(xy.double(), m.negatives, geometry)
        found.append((xy[free], score[free]))
    wanted = count or PROPOSALS_A_MICROGRAPH * len(data.micrographs)
    scores = torch.cat([score for _, score in found])
    if not len(scores):
        raise InputError(f"--proposals {source}: nothing is proposed on {len(found)} micrographs; label some particles")
    lowest = scores.topk(min(wanted, len(scores))).values[-1]
    micrographs = [replace(m, labels=xy[score >= lowest].double()) for m, (xy, score) in
                   zip(data.micrographs, found, strict=True)]
    return replace(data, micrographs=micrographs, digest=f"{data.digest}, {source} {wanted}")


def propose(
    micrographs: Sequence[LabelledMicrograph], source: str, geometry: Geometry, network: str, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """All proposals of each micrograph: ``(n, 2)`` x, y in working pixels and ``(n,)`` scores, best first."""
    find = _general(geometry, network, device) if source == GENERAL else _baseline(source, geometry)
    return [leave_cut_borders(*find(m), m.image, m.cut, geometry) for m in micrographs]


def _baseline(method: str, geometry: Geometry) -> Finder:
    response = response_of(method, geometry)
    distance = geometry.min_distance_ang / geometry.working_pixel_size_ang
    return lambda micrograph: best_places(response, micrograph.image, distance, excluded=micrograph.excluded)


def _general(geometry: Geometry, network: str, device: torch.device) -> Finder:
    classifier = general_network(network).to(device).eval()
    distance = geometry.min_distance_ang / geometry.working_pixel_size_ang
    return lambda micrograph: pick_image(
        classifier, micrograph.image.to(device), distance, excluded=micrograph.excluded
    )
