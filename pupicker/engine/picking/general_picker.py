r"""Picking with the general model as it is: the network has seen simulated particles of all kinds, but not these.

Each micrograph is normalised by a fit of its own, so that its picks depend on no other one.  The network finds as much
in coloured noise as in an empty micrograph, so a pick has to be above what noise like that of its own micrograph gives
(:mod:`pupicker.core.detection.background`).  With the logit :math:`l` and the floor :math:`l_0`, the score is
:math:`a(l-l_0)`, the log-odds of being a particle rather than noise, and the probability :math:`\sigma` of it.  The
slope :math:`a` = 1.5 lies between what the truth says on six sets with known particles (1.0 to 3.0, median 2).

Limits: dirt, ice and carbon are no noise of this kind; what looks like a particle on an empty micrograph is picked.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pupicker.core.detection.background import background_floor
from pupicker.core.detection.candidates import background_levels, leave_cut_borders, logit_map, pick_image, pick_map
from pupicker.core.geometry import Geometry
from pupicker.core.networks import DEFAULT_NETWORK, Classifier
from pupicker.core.networks.inference import for_inference
from pupicker.engine.models.initial_weights import general_network
from pupicker.engine.picking.picker import MicrographPicker, PickingOptions, WorkingPicks
from pupicker.engine.preparation.recipe import Recipe, network_image
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.device import on_device, precision_name

DEFAULT_THRESHOLD = 0.0
"""As likely a particle as not."""

SLOPE = 1.5
LOWEST_FLOOR = 1.0
"""The logit of a pick at least: that of the best F1 lies between 0.8 and 2.6 on the sets that were measured."""

SURE_LOGIT = 3.0
"""One candidate of noise in fifty reaches it."""


def general_floor(
    network: Classifier, image: Tensor, candidates: tuple[Tensor, Tensor], distance_px: float, diameter_px: float,
    excluded: Tensor | None,
) -> float:
    """The logit of the general model that a pick of this micrograph must reach.

    Parameters
    ----------
    network
        For inference, on the device of `image`.
    image
        ``(h, w)`` normalised.
    candidates
        ``(n, 2)`` x, y and ``(n,)`` logits of all of its candidates, without a threshold.
    distance_px, diameter_px
        Between two candidates at least; of the particle.
    excluded
        ``(h, w)`` bool: where nothing is looked for; None: nowhere.
    """
    def find(noise: Tensor) -> Tensor:
        return pick_image(network, noise, distance_px)[1]

    return max(background_floor(image, candidates, find, SURE_LOGIT, diameter_px, excluded), LOWEST_FLOOR)


class GeneralPicker(MicrographPicker):
    """The general model of the default network on a device, ready to pick.

    Parameters
    ----------
    geometry
        Lengths of the task, at the pixel size at which the default network works.
    device
        Where the network runs.
    options
        What the user chose.
    bright
        Whether particles are brighter than their surroundings.
    """

    def __init__(self, geometry: Geometry, device: torch.device, options: PickingOptions, bright: bool = False) -> None:
        self.geometry, self.device, self._bright = geometry, device, bright
        self.threshold = DEFAULT_THRESHOLD if options.threshold is None else options.threshold
        self.min_distance_ang = options.min_distance_ang or geometry.min_distance_ang
        self.recipe = Recipe.of_geometry(geometry, options.pixel_size_ang, options.keep_borders, options.exclusion)
        self._network = for_inference(on_device(general_network(DEFAULT_NETWORK), device))
        self._orientations = 1 if self._network.cell > 1 else 2
        self.precision = precision_name(device)

    def working_picks(self, micrograph: Resampled) -> WorkingPicks:
        """``score`` is the log-odds of being a particle rather than noise of this micrograph."""
        if self._bright:
            micrograph = replace(micrograph, pixels=-micrograph.pixels)
        geometry = self.geometry
        image = network_image(micrograph, self.recipe)
        logits, stride = logit_map(self._network, image.to(self.device), self._orientations)
        distance_px, diameter_px = (length / geometry.working_pixel_size_ang
                                    for length in (self.min_distance_ang, geometry.diameter_ang))
        excluded = micrograph.excluded
        xy, logit = pick_map(logits, stride, distance_px, excluded=excluded)
        xy, logit = leave_cut_borders(xy, logit, image, micrograph.cut, geometry)
        floor = general_floor(self._network, image.to(self.device), (xy, logit), distance_px, diameter_px, excluded)
        score = SLOPE * (logit - floor)
        kept = score >= self.threshold
        null = SLOPE * (background_levels(logits, stride, excluded).median - floor)
        return WorkingPicks(xy[kept], score[kept], torch.sigmoid(score[kept]), null_level=null)
