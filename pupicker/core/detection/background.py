r"""How high a network scores the background of a micrograph, found by showing it noise that looks like the background.

A network that has not seen these particles before finds maxima everywhere: on a micrograph without particles as many
as coloured noise gives.  So the noise of each micrograph is made (:mod:`pupicker.core.image.noise`) and scored like the
micrograph, which gives the floor that a pick must reach (:mod:`pupicker.core.detection.noise_floor`).

What is background is not known in the beginning.  First discs around the surest candidates are left out, whose power
would else hide them; then those around the candidates above the floor with a share :math:`q` = 0.4, and again, and the
last floor is that of :math:`q` = 0.2.  On a micrograph without particles next to nothing is left out; on a full one the
power of the particles leaves the noise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pupicker.core.detection.noise_floor import FALSE_SHARE, noise_floor
from pupicker.core.image.noise import noise_like
from pupicker.core.regions.regions import disc_mask

ROUNDS = 3
CAUTIOUS_SHARE = 0.4
"""q while the background is looked for."""

NOISE_PX = 150_000
"""Pixels of noise that are looked at in a round."""

FindScores = Callable[[Tensor], Tensor]
"""From a normalised image ``(h, w)`` to the scores ``(n,)`` of its candidates."""


def background_floor(
    image: Tensor, candidates: tuple[Tensor, Tensor], find: FindScores, sure: float, diameter_px: float,
    excluded: Tensor | None = None,
) -> float:
    """The score that a pick of this micrograph must reach.

    Parameters
    ----------
    image
        ``(h, w)`` normalised.
    candidates
        ``(n, 2)`` x, y and ``(n,)`` scores of all of its candidates, without a threshold.
    find
        What gave them.
    sure
        Score that noise rarely reaches.
    diameter_px
        Of the particle.
    excluded
        ``(h, w)`` bool: where nothing is looked for; None: nowhere.
    """
    xy, scores = candidates
    shape = (int(image.shape[0]), int(image.shape[1]))
    free = torch.ones(shape, dtype=torch.bool) if excluded is None else ~excluded.cpu()
    if not bool(free.any()):
        return float("inf")
    background, floor = free, sure
    for number in range(ROUNDS):
        particles = disc_mask(shape, xy[scores >= floor], diameter_px / 2)
        if not bool((free & ~particles).any()):
            break
        background = free & ~particles
        noise = _noise_scores(image, background, find, number)
        ratio = float(background.sum()) / noise[1]
        share = FALSE_SHARE if number == ROUNDS - 1 else CAUTIOUS_SHARE
        floor = noise_floor(scores, noise[0], ratio, share)
    return floor


def _noise_scores(image: Tensor, background: Tensor, find: FindScores, seed: int) -> tuple[Tensor, int]:
    """Scores of noise like the background of an image, and of how many pixels."""
    share = min(1.0, (NOISE_PX / image.numel()) ** 0.5)
    height, width = (max(1, int(side * share)) for side in image.shape)
    count = max(1, round(NOISE_PX / image.numel()))
    generator = torch.Generator().manual_seed(seed)
    parts = [find(noise_like(image, background, (height, width), generator).to(image.device)) for _ in range(count)]
    return torch.cat(parts), count * height * width
