"""Picking with the general model as it is: the network has seen simulated particles of all kinds, but not these.

Each micrograph is normalised by a fit of its own, so that its picks depend on no other one.  A score is the logit of
the network; there is no probability, because nothing tells how often a place with a score is a particle *here*.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from pupicker.core.detection.candidates import leave_cut_borders, logit_map, null_logit, pick_map
from pupicker.core.geometry import Geometry
from pupicker.core.networks import DEFAULT_NETWORK
from pupicker.core.networks.inference import for_inference
from pupicker.engine.models.initial_weights import general_network
from pupicker.engine.picking.picker import MicrographPicker, PickingOptions, WorkingPicks
from pupicker.engine.preparation.recipe import Recipe, network_image
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.device import placed, precision_name

DEFAULT_THRESHOLD = 1.0
"""Within 0.04 of the best F1 on training micrographs of apoferritin, beta-galactosidase and three simulated sets."""


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
        self._network = for_inference(placed(general_network(DEFAULT_NETWORK), device))
        self._orientations = 1 if self._network.cell > 1 else 2
        self.precision = precision_name(device)

    def working_picks(self, micrograph: Resampled) -> WorkingPicks:
        """``score`` is the network's logit; no probability."""
        if self._bright:
            micrograph = replace(micrograph, pixels=-micrograph.pixels)
        geometry = self.geometry
        image = network_image(micrograph, self.recipe)
        logits, stride = logit_map(self._network, image.to(self.device), self._orientations)
        distance, excluded = self.min_distance_ang / geometry.working_pixel_size_ang, micrograph.excluded
        xy, logit = pick_map(logits, stride, distance, self.threshold, excluded)
        xy, logit = leave_cut_borders(xy, logit, image, micrograph.cut, geometry)
        return WorkingPicks(xy, logit, null_level=null_logit(logits, stride, excluded))
