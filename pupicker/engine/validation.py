"""Candidates of the held-out micrographs and which of them hit a held-out label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pupicker.core.borders import away_from_cut
from pupicker.core.exclusion import pixels_of
from pupicker.core.geometry import Geometry, match_radius_ang, most_particles
from pupicker.core.metrics import match_picks
from pupicker.core.networks import Classifier
from pupicker.core.scoring import score_views
from pupicker.core.suppression import pick
from pupicker.engine.dataset import LabelledMicrograph

OUTPUT_STRIDE = 2
"""Scores of every second pixel; maxima are refined to sub-pixels.  Four times cheaper than every pixel."""

ENOUGH_MICROGRAPHS = 8
"""Numbers that hold for all micrographs are learnt from so many: more would cost minutes and tell little more."""


@dataclass(frozen=True)
class Candidates:
    """What a network finds in micrographs with some known particles.

    Attributes
    ----------
    scores
        ``(n,)`` float64 logits of all candidates of all micrographs.
    hits
        ``(m,)`` float64 logits of those that hit a label.
    labels
        Number of labels, hit or not.
    most
        Number of particles that would fit the area.
    pixels
        Area in working pixels.
    """

    scores: Tensor
    hits: Tensor
    labels: int
    most: float
    pixels: int


def representative(micrographs: Sequence[LabelledMicrograph], most: int = ENOUGH_MICROGRAPHS) -> list[int]:
    """Indices of at most so many micrographs, evenly spaced; others than labelled ones only if those do not suffice."""
    labelled = [i for i, m in enumerate(micrographs) if len(m.labels)]
    others = [i for i, m in enumerate(micrographs) if not len(m.labels)]
    chosen = _evenly(labelled, most)
    return sorted(chosen + _evenly(others, most - len(chosen)))


def _evenly(items: list[int], most: int) -> list[int]:
    """All of them, or `most` at even distances."""
    return items if len(items) <= most else [items[index * len(items) // most] for index in range(most)]


def find_candidates(
    network: Classifier, micrographs: Sequence[LabelledMicrograph], labels: Sequence[Tensor],
    ignored: Sequence[Tensor], geometry: Geometry, views: int = 1,
) -> Candidates:
    """Pick in every micrograph without a threshold and match the labels.

    Parameters
    ----------
    network
        In evaluation mode.
    labels, ignored
        ``(n, 2)`` x, y for each micrograph: those to find, and those that training saw, whose candidates do not count.
    views
        Of each micrograph, over which its logits are averaged (:data:`pupicker.core.scoring.VIEWS`).
    """
    working = geometry.working_pixel_size_ang
    radius = match_radius_ang(geometry.diameter_ang) / working
    device = next(network.parameters()).device
    scores, hits, pixels = [], [], 0
    for micrograph, wanted, seen in zip(micrographs, labels, ignored, strict=True):
        image, distance_px = micrograph.image.to(device), geometry.min_distance_ang / working
        xy, logit = pick_image(network, image, distance_px, views=views, excluded=micrograph.excluded)
        xy, logit = leave_cut_borders(xy, logit, micrograph.image, micrograph.cut, geometry)
        known = match_picks(xy.numpy(), logit.numpy(), torch.cat([wanted, seen]).numpy(), radius)
        number = torch.from_numpy(known)
        scores.append(logit[number < len(wanted)])
        hits.append(logit[(number >= 0) & (number < len(wanted))])
        pixels += micrograph.pixels
    area = pixels * working**2
    return Candidates(torch.cat(scores), torch.cat(hits), sum(map(len, labels)), most_particles(geometry, area), pixels)


def pick_image(
    network: Classifier, image: Tensor, distance_px: float, threshold: float = -float("inf"), views: int = 1,
    excluded: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Candidates of a normalised image: ``(n, 2)`` x, y in its pixels and ``(n,)`` logits, on the CPU, best first.

    `excluded` is bool of the shape of `image`; no candidate lies in it.
    """
    stride = math.gcd(OUTPUT_STRIDE, network.total_stride)
    scores = score_views(network, image, stride, views).cpu()
    left_out = None if excluded is None else excluded[::stride, ::stride]
    position, logit = pick(scores, distance_px / stride, threshold, left_out)
    return outside_of(position.flip(1) * stride, logit, excluded)


def outside_of(xy: Tensor, score: Tensor, excluded: Tensor | None) -> tuple[Tensor, Tensor]:
    """Without the candidates ``(n, 2)`` x, y on excluded pixels: sub-pixel positions may step over the line."""
    if excluded is None:
        return xy, score
    kept = ~excluded[pixels_of(xy, excluded)]
    return xy[kept], score[kept]


def leave_cut_borders(
    xy: Tensor, logit: Tensor, image: Tensor, cut: tuple[bool, bool, bool, bool], geometry: Geometry
) -> tuple[Tensor, Tensor]:
    """Without the candidates of a working image that lie too close to borders that were cut off."""
    if not any(cut):
        return xy, logit
    kept = away_from_cut(xy, (int(image.shape[0]), int(image.shape[1])), cut, geometry.border_margin_px)
    return xy[kept], logit[kept]
