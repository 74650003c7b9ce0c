"""Whether labels lie where the general model sees particles: the second witness, for what blobs do not tell.

Few labels, or particles of low contrast, agree with blobs hardly better than places at random do.  The general model
sees them better.  What it says of the labels is held against what it says of them mirrored, swapped, scaled and moved,
by the test of :mod:`pupicker.core.detection.local_ranks`: the probability of so much agreement by chance.

Of many places the best one always looks good.  So each has a share of the error that is allowed, as likely as it is
beforehand (:mod:`.label_places`), and its probability is divided by that.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from pupicker.core.detection.candidates import OUTPUT_STRIDE, logit_map
from pupicker.core.detection.local_ranks import chances_of, largest_near
from pupicker.core.geometry import Geometry
from pupicker.core.image.downsampling import fourier_resize
from pupicker.core.image.histograms import stack_histograms
from pupicker.core.image.normalization import fit
from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
from pupicker.core.networks.inference import for_inference
from pupicker.engine.models.initial_weights import general_network
from pupicker.engine.preparation.label_places import Place, other_places
from pupicker.engine.preparation.working_micrograph import Resampled, network_input
from pupicker.engine.runtime.device import on_device

UNRELATED = 0.01
"""Probability of the labels' agreement above which they may have nothing to do with what the general model sees."""

MOST_MICROGRAPHS, MOST_LABELS, MOST_PIXELS = 5, 100, 3_000_000
SAME_SIZE = 0.03
"""Relative difference of the particle's size from what the general model is used to, that does not matter to it."""

SHIFTED = 0.1
"""Share of all moved places together."""
SHIFT_DIAMETERS, LEAST_SHIFT_DIAMETERS, STEPS_OF_A_DIAMETER = 1.5, 0.4, 4

Positions = Callable[[Place], Sequence[Tensor]]
"""The labels at a place, ``(n, 2)`` in working pixels of each micrograph."""


@dataclass(frozen=True)
class Testimony:
    """What the general model says.

    Attributes
    ----------
    chance
        Probability of the agreement of the labels as they are, if they had nothing to do with the images.
    place, place_chance
        The place that agrees most, and the probability that chance alone finds one that does so well; 1 where none was
        looked for, because the labels are where particles are.
    """

    chance: float
    place: Place
    place_chance: float


class GeneralWitness:
    """Maps of the general model of some micrographs.

    Parameters
    ----------
    micrographs
        At the working pixel size.
    geometry
        Lengths of the task.
    """

    def __init__(self, micrographs: Sequence[Resampled], geometry: Geometry) -> None:
        self._micrographs = micrographs
        self._diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
        self._network = for_inference(on_device(general_network(DEFAULT_NETWORK), torch.device("cpu")))
        self._stride = self._network.output_stride_for(OUTPUT_STRIDE)
        self._enlarged = NETWORKS[DEFAULT_NETWORK].particle_px() / self._diameter
        if abs(self._enlarged - 1) < SAME_SIZE:
            self._enlarged = 1.0
        self._background_px = geometry.background_px * self._enlarged
        self._maps: dict[int, list[Tensor]] = {}

    def chances(self, places: Sequence[Sequence[Tensor]], sign: int = 1) -> list[float]:
        """Probability of so much agreement by chance at each place; positions as in :data:`Positions`.

        `sign` -1: of particles that are brighter than their surroundings.
        """
        if sign not in self._maps:
            self._maps[sign] = [self._map(replace(m, pixels=sign * m.pixels)) for m in self._micrographs]
        scale = self._enlarged / self._stride
        scaled = [[xy * scale for xy in positions] for positions in places]
        return chances_of(self._maps[sign], scaled, self._diameter * scale)

    def testify(self, positions: Positions) -> Testimony:
        """Hold the labels against the maps, as they are, and elsewhere if they may have nothing to do with them."""
        own = positions(Place())
        (chance,) = self.chances([own])
        if chance <= UNRELATED:
            return Testimony(chance, Place(), 1.0)
        places = list(other_places(self._micrographs[0].pixel_size_ang))
        shifts = list(self._shifts())
        found = self.chances([*(positions(place) for place, _ in places),
                              *([xy + torch.tensor(shift) for xy in own] for shift in shifts)])
        shares = [*(share for _, share in places), *([SHIFTED / len(shifts)] * len(shifts))]
        others = [*(place for place, _ in places), *(Place(shift=self._in_file(shift)) for shift in shifts)]
        best = min(range(len(found)), key=lambda index: found[index] / shares[index])
        return Testimony(chance, others[best], min(1.0, found[best] / shares[best]))

    def _shifts(self) -> Iterator[tuple[float, float]]:
        """In working pixels."""
        step, reach = self._diameter / STEPS_OF_A_DIAMETER, int(SHIFT_DIAMETERS * STEPS_OF_A_DIAMETER)
        for across, down in itertools.product(range(-reach, reach + 1), repeat=2):
            if LEAST_SHIFT_DIAMETERS * STEPS_OF_A_DIAMETER <= np.hypot(across, down) <= reach:
                yield across * step, down * step

    def _in_file(self, shift: tuple[float, float]) -> tuple[float, float]:
        step = self._micrographs[0].step
        return shift[0] * step[1], shift[1] * step[0]

    def _map(self, micrograph: Resampled) -> Tensor:
        if self._enlarged != 1:
            micrograph = _enlarged(micrograph, self._enlarged)
        own = fit(stack_histograms([micrograph.histogram()]))
        image = network_input(micrograph, own.mixture, float(own.scale[0]), float(own.offset[0]), self._background_px)
        return largest_near(logit_map(self._network, image)[0])


def _enlarged(micrograph: Resampled, factor: float) -> Resampled:
    """The pixels of the micrograph, and the mask that belongs to them, at another working pixel size."""
    rows, columns = (max(16, round(side * factor)) for side in micrograph.pixels.shape)
    mask = micrograph.contaminated
    if mask is not None:
        mask = interpolate(mask[None, None].float(), (rows, columns))[0, 0] > 0
    return replace(micrograph, pixels=fourier_resize(micrograph.pixels, (rows, columns)), contaminated=mask)


def asked_of(micrographs: Sequence[Resampled], counts: Sequence[int]) -> list[int]:
    """The few micrographs to look at: those with most labels, until there are enough."""
    chosen: list[int] = []
    for index in sorted(range(len(micrographs)), key=lambda index: -counts[index])[:MOST_MICROGRAPHS]:
        pixels = sum(micrographs[one].pixels.numel() for one in [*chosen, index])
        if chosen and (pixels > MOST_PIXELS or sum(counts[one] for one in chosen) >= MOST_LABELS):
            break
        chosen.append(index)
    return sorted(chosen)
