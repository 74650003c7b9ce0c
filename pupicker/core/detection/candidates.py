"""From a network and an image to candidates: dense scores, maxima, what lies where nothing may be picked left out."""

from __future__ import annotations

import torch
from torch import Tensor

from pupicker.core.detection.contamination import pixels_of
from pupicker.core.detection.map_levels import MapLevels, map_levels
from pupicker.core.detection.scoring import score_orientations
from pupicker.core.detection.suppression import pick
from pupicker.core.geometry import Geometry
from pupicker.core.image.borders import away_from_cut
from pupicker.core.networks import Classifier

OUTPUT_STRIDE = 2
"""Scores of every second pixel; maxima are refined to sub-pixels.  Four times cheaper than every pixel."""


def pick_image(
    network: Classifier, image: Tensor, distance_px: float, threshold: float = -float("inf"), orientations: int = 1,
    excluded: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Candidates of a normalised image: ``(n, 2)`` x, y in its pixels and ``(n,)`` logits, on the CPU, best first.

    `excluded` is bool of the shape of `image`; no candidate lies in it.
    """
    logits, stride = logit_map(network, image, orientations)
    return pick_map(logits, stride, distance_px, threshold, excluded)


def logit_map(network: Classifier, image: Tensor, orientations: int = 1) -> tuple[Tensor, int]:
    """Logits of every s-th pixel of a normalised image, on the CPU, and s."""
    stride = network.output_stride_for(OUTPUT_STRIDE)
    return score_orientations(network, image, stride, orientations).cpu(), stride


def pick_map(
    logits: Tensor, stride: int, distance_px: float, threshold: float = -float("inf"), excluded: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Candidates of a map of logits of every `stride`-th pixel, as :func:`pick_image` returns them."""
    excluded_scores = None if excluded is None else excluded[::stride, ::stride]
    position, logit = pick(logits, distance_px / stride, threshold, excluded_scores)
    return outside_of(position.flip(1) * stride, logit, excluded)


def best_near(logits: Tensor, stride: int, xy: Tensor, radius_px: float = 0.0) -> Tensor:
    """The best logit ``(n,)`` of a map of every `stride`-th pixel around each of ``(n, 2)`` places x, y.

    Counted are the position that is nearest to the place, and all within `radius_px` of it; lengths are pixels of the
    image.
    """
    place, last = xy.flip(1), torch.tensor(logits.shape) - 1
    nearest = (place / stride).round().long().clamp(min=0).minimum(last)
    best = logits[nearest[:, 0], nearest[:, 1]]
    reach = int(radius_px // stride) + 1
    for step in torch.cartesian_prod(*2 * [torch.arange(-reach, reach + 1)]):
        position = (nearest + step).clamp(min=0).minimum(last)
        near = (position * stride - place).norm(dim=1) <= radius_px
        best = torch.where(near, best.maximum(logits[position[:, 0], position[:, 1]]), best)
    return best


def background_levels(logits: Tensor, stride: int, excluded: Tensor | None = None) -> MapLevels:
    """What the network says of nothing (``map_levels``), by a map of every `stride`-th pixel."""
    return map_levels(logits, None if excluded is None else excluded[::stride, ::stride])


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
