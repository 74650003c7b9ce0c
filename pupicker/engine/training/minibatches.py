"""Minibatches: crops around labelled positive and negative pixels, patches of unlabelled regions.

Unlabelled regions are uniform over **all** pixels of all micrographs (large ones count more) but excluded ones, so that
their number of positives is nearly binomial, which GE-binomial relies on.  They come as patches of several, because
that is cheap (:mod:`pupicker.core.regions.patches`); those on excluded pixels or outside of the image do not
count.  Everything is drawn on the CPU from one generator, so that the same seed gives the same minibatches on any
device.

Negative pixels lie within the training radius of places that are labelled as no particle, or, if wanted, on rings
around labelled particles, where no other centre can be (:func:`pupicker.core.regions.regions.ring_mask`).  Where there
are both, a minibatch has as many of the one as of the other: rings are many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from pupicker.core.regions.crops import (
    ALL_ROWS,
    Stack,
    gather,
    margin_for,
    perturb,
    random_transforms,
    stack_micrographs,
)
from pupicker.core.regions.patches import PatchGrid
from pupicker.core.regions.regions import class_prior_from_count, disc_mask, ring_mask, unlabelled_prior
from pupicker.engine.training.dataset import LabelledMicrograph

MIN_UNLABELLED_SHARE = 0.05
"""This share of the labelled area at least is taken to be unlabelled besides: nobody labels all."""

RIM_SHARE = 0.1
"""The labelled area may differ by this share from that of as many average discs."""


Rows = Callable[[int], slice]
"""Of so many rows, those that one process makes."""


def _all_rows(number: int) -> slice:
    """One process makes all of them."""
    return ALL_ROWS


@dataclass(frozen=True)
class Minibatch:
    """What one update sees.

    Attributes
    ----------
    crops
        ``(positives + negatives, 1, field, field)`` augmented labelled regions, positive ones first.
    patches
        ``(n, 1, side, side)`` augmented patches.
    unlabelled
        ``(n, regions)`` bool: which regions of the patches count as unlabelled, also where the crops and patches are
        the share of one process.
    crop_originals, patch_originals
        The same, turned and mirrored but without added grey level and noise.
    """

    crops: Tensor
    patches: Tensor
    unlabelled: Tensor
    crop_originals: Tensor
    patch_originals: Tensor


@dataclass(frozen=True)
class Sampler:
    """Draws minibatches from training micrographs.

    Attributes
    ----------
    stack
        Images on the training device.
    positive
        ``(n, 3)`` micrograph, row, column of labelled positive pixels.
    negative
        ``(m, 3)`` of pixels that are labelled as no particle; often empty.
    ring
        ``(l, 3)`` of pixels on rings around labelled particles; empty if they are not wanted.
    excluded
        bool, flat over the pixels of all micrographs: labelled, held out or excluded, hence not unlabelled.
    first_pixel
        ``(k + 1,)`` flat index where each micrograph begins.
    grid
        Regions of a patch; its field is the side of a crop.
    radius_px
        Training radius.
    held_out
        Number of pixels of held-out labels: known to be positive, but not used.
    area
        Number of pixels without those in which nothing is looked for.
    """

    stack: Stack
    positive: Tensor
    negative: Tensor
    ring: Tensor
    excluded: Tensor
    first_pixel: Tensor
    grid: PatchGrid
    radius_px: float
    area: int
    held_out: int = 0

    @property
    def pixels(self) -> int:
        """Number of pixels of all micrographs in which particles are looked for."""
        return self.area

    @property
    def has_negatives(self) -> bool:
        """Whether minibatches may ask for negative pixels."""
        return len(self.negative) + len(self.ring) > 0

    def with_pixels(self, buffer: Tensor) -> Sampler:
        """The same with other values of all pixels, or none, and where these are: to give it to another process."""
        return replace(self, stack=replace(self.stack, buffer=buffer).to(buffer.device))

    def prior(self, particles: float) -> float:
        """Class prior: the area fraction of the discs of so many particles in these micrographs."""
        return class_prior_from_count(particles, self.radius_px, self.pixels)

    def unlabelled_prior(self, prior: float, strict: bool) -> float:
        """Fraction of positives among the unlabelled pixels.

        `strict`: a prior clearly below what is labelled raises ValueError; one that is equal but for the pixels at the
        rims of discs means that all particles are labelled.
        """
        labelled = (len(self.positive) + self.held_out) / self.pixels
        if not strict or prior > labelled * (1 - RIM_SHARE):
            prior = max(prior, labelled * (1 + MIN_UNLABELLED_SHARE))
        return unlabelled_prior(prior, labelled, (len(self.negative) + len(self.ring)) / self.pixels)

    def draw(
        self, positives: int, unlabelled: int, generator: torch.Generator, negatives: int = 0, rows: Rows = _all_rows
    ) -> Minibatch:
        """As many augmented labelled crops, and patches with about as many unlabelled regions.

        `rows`: which of so many crops, or patches, are made; all of them are drawn.
        """
        on_rings = negatives if not len(self.negative) else negatives // 2 if len(self.ring) else 0
        where = torch.cat([
            _some(self.positive, positives, generator),
            _some(self.negative, negatives - on_rings, generator), _some(self.ring, on_rings, generator),
        ])
        own = rows(len(where))
        crops = gather(self.stack, where[own], self.grid.field_px, random_transforms(len(where), generator)[own])
        count = max(1, unlabelled // self.grid.regions)
        patches, counted = self._draw_patches(count, generator, rows(count))
        return Minibatch(perturb(crops, generator, own, len(where)), perturb(patches, generator, rows(count), count),
                         counted, crops, patches)

    def _draw_patches(self, count: int, generator: torch.Generator, own: slice) -> tuple[Tensor, Tensor]:
        """Own patches without added grey level and noise, and which regions of all are unlabelled: at least one is."""
        while True:
            where = self._draw_centres(count, generator)
            transforms = random_transforms(count, generator)
            counted = self._unlabelled(where[:, 0], self.grid.centres(where[:, 1:], transforms))
            if bool(counted.any()):
                return gather(self.stack, where[own], self.grid.side_px, transforms[own]), counted

    def _draw_centres(self, count: int, generator: torch.Generator) -> Tensor:
        """Of patches, also so far outside of an image that each of their regions is anywhere in it equally often."""
        reach = self.grid.reach_px
        height, width = (self._shapes + 2 * reach).T
        ends = (height * width).cumsum(0)
        flat = torch.randint(int(ends[-1]), (count,), generator=generator)
        micrograph = torch.searchsorted(ends, flat, right=True)
        within = flat - (ends - height * width)[micrograph]
        across = width[micrograph]
        return torch.stack([micrograph, within // across - reach, within % across - reach], dim=1)

    def _unlabelled(self, micrograph: Tensor, pixels: Tensor) -> Tensor:
        """Which pixels ``(n, m, 2)`` of the micrographs ``(n,)`` are unlabelled; none outside of an image is."""
        shape = self._shapes[micrograph][:, None]
        inside = ((pixels >= 0) & (pixels < shape)).all(dim=2)
        flat = self.first_pixel[micrograph][:, None] + pixels[..., 0] * shape[..., 1] + pixels[..., 1]
        return inside & ~self.excluded[torch.where(inside, flat, 0)]

    @cached_property
    def _shapes(self) -> Tensor:
        return torch.tensor(self.stack.shapes)


def _some(among: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` rows, with replacement; an empty selection draws nothing from the generator."""
    return among[torch.randint(len(among), (count,), generator=generator)] if count else among[:0]


def make_sampler(
    micrographs: list[LabelledMicrograph], held_out: list[Tensor], radius_px: float, grid: PatchGrid,
    device: torch.device, ring_px: tuple[float, float] | None = None,
) -> Sampler:
    """Sampler over micrographs.

    `held_out` marks labels of each that are neither positive nor unlabelled; `ring_px` are the inner and outer radius
    of rings of negatives, None for none.
    """
    masks: dict[str, list[Tensor]] = {"positive": [], "negative": [], "ring": []}
    excluded, first, hidden_pixels = [], [0], 0
    for index, (micrograph, hidden) in enumerate(zip(micrographs, held_out, strict=True)):
        shape = (int(micrograph.image.shape[0]), int(micrograph.image.shape[1]))
        mask = disc_mask(shape, micrograph.labels[~hidden], radius_px)
        held = disc_mask(shape, micrograph.labels[hidden], radius_px) & ~mask
        none = disc_mask(shape, micrograph.negatives, radius_px) & ~mask & ~held
        outside = torch.zeros_like(mask) if micrograph.excluded is None else micrograph.excluded
        mask, none = mask & ~outside, none & ~outside
        ring = torch.zeros_like(mask)
        if ring_px is not None:
            ring = ring_mask(shape, micrograph.labels[~hidden], *ring_px, others=micrograph.labels[hidden])
            ring &= ~(mask | held | none | outside)
        for name, own in (("positive", mask), ("negative", none), ("ring", ring)):
            masks[name].append(_numbered(index, own))
        hidden_pixels += int(held.sum())
        excluded.append((mask | held | none | ring | outside).reshape(-1))
        first.append(first[-1] + mask.numel())
    margin = margin_for(grid.side_px) + grid.reach_px
    stack = stack_micrographs([m.image for m in micrographs], margin).to(device)
    return Sampler(
        stack, torch.cat(masks["positive"]), torch.cat(masks["negative"]), torch.cat(masks["ring"]),
        torch.cat(excluded), torch.tensor(first), grid, radius_px,
        sum(m.pixels for m in micrographs), hidden_pixels,
    )


def _numbered(index: int, mask: Tensor) -> Tensor:
    """``(n, 3)`` micrograph, row, column of the pixels of a mask."""
    pixels = mask.nonzero()
    return torch.cat([torch.full((len(pixels), 1), index), pixels], dim=1)
