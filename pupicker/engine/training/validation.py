"""Candidates of the held-out micrographs and which of them hit a held-out label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pupicker.core.detection.candidates import background_levels, leave_cut_borders, logit_map, pick_map
from pupicker.core.detection.map_levels import UsualLevels, usual_levels
from pupicker.core.geometry import Geometry, match_radius_ang, max_particles
from pupicker.core.networks import Classifier
from pupicker.core.networks.inference import for_inference
from pupicker.core.scores.metrics import match_picks
from pupicker.engine.training.dataset import LabelledMicrograph

ENOUGH_MICROGRAPHS = 8
"""Numbers that hold for all micrographs are learnt from so many: more would cost minutes and tell little more."""


@dataclass(frozen=True)
class LabelledCandidates:
    """What a network finds in micrographs with some known particles.

    Attributes
    ----------
    scores
        ``(n,)`` float64 logits of all candidates of all micrographs.
    hits
        ``(m,)`` float64 logits of those that hit a label.
    labels
        Number of labels, hit or not.
    max_particles
        Number of particles that would fit the area.
    pixels
        Area in working pixels.
    levels
        Of the maps, if they are known.
    """

    scores: Tensor
    hits: Tensor
    labels: int
    max_particles: float
    pixels: int
    levels: UsualLevels | None = None


def representative(micrographs: Sequence[LabelledMicrograph], count: int = ENOUGH_MICROGRAPHS) -> list[int]:
    """Indices of at most so many micrographs, evenly spaced; others than labelled ones only if those do not suffice."""
    labelled = [i for i, m in enumerate(micrographs) if len(m.labels)]
    others = [i for i, m in enumerate(micrographs) if not len(m.labels)]
    chosen = _evenly(labelled, count)
    return sorted(chosen + _evenly(others, count - len(chosen)))


def _evenly(items: list[int], count: int) -> list[int]:
    """All of them, or `count` at even distances."""
    return items if len(items) <= count else [items[index * len(items) // count] for index in range(count)]


def find_candidates(
    network: Classifier, micrographs: Sequence[LabelledMicrograph], labels: Sequence[Tensor],
    ignored: Sequence[Tensor], geometry: Geometry, orientations: int = 1,
) -> LabelledCandidates:
    """Pick in every micrograph without a threshold and match the labels.

    Parameters
    ----------
    network
        As it is trained.
    labels, ignored
        ``(n, 2)`` x, y for each micrograph: those to find, and those that training saw, whose candidates do not count.
    orientations
        Of each micrograph, over which its logits are averaged (:data:`pupicker.core.detection.scoring.ORIENTATIONS`).
    """
    working = geometry.working_pixel_size_ang
    ready = for_inference(network)
    radius = match_radius_ang(geometry.diameter_ang) / working
    device = next(network.parameters()).device
    scores, hits, levels, pixels = [], [], [], 0
    for micrograph, wanted, seen in zip(micrographs, labels, ignored, strict=True):
        image, distance_px = micrograph.image.to(device), geometry.min_distance_ang / working
        logits, stride = logit_map(ready, image, orientations)
        levels.append(background_levels(logits, stride, micrograph.excluded))
        xy, logit = pick_map(logits, stride, distance_px, excluded=micrograph.excluded)
        xy, logit = leave_cut_borders(xy, logit, micrograph.image, micrograph.cut, geometry)
        known = match_picks(xy.numpy(), logit.numpy(), torch.cat([wanted, seen]).numpy(), radius)
        number = torch.from_numpy(known)
        scores.append(logit[number < len(wanted)])
        hits.append(logit[(number >= 0) & (number < len(wanted))])
        pixels += micrograph.pixels
    area = pixels * working**2
    return LabelledCandidates(
        torch.cat(scores), torch.cat(hits), sum(map(len, labels)), max_particles(geometry, area), pixels,
        usual_levels(levels) if levels else None)
