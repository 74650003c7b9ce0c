r"""How many particles there are, told by the general model and the labels before anything is learnt.

The general model picks the training micrographs (representative ones, if there are many), each above the floor of its
own noise (:mod:`pupicker.engine.picking.general_picker`), which gives every pick a probability :math:`p_i`.  It has not
seen the labels, so the share of the :math:`L` labels that it picked, :math:`h` of them, estimates its recall :math:`R`,
and the number of particles is

.. math:: T = \frac1R\sum_i p_i,\qquad R = \frac{h + 5\,R_0}{L + 5},

with :math:`R_0` = 0.85, the recall on micrographs with known particles, counting as five labels.

The logarithm of the number has about the variance :math:`(1-R)/(R(L+5)) + 0.06^2`: that of the recall, and what is
wrong with any number of labels (0.93 to 1.06 times the truth on five sets with 100 labels, a standard deviation of
0.05; a little more, because five do not tell it closer).

Limits: :math:`h = L\to\infty` leaves the sum of the probabilities; without labels it is divided by :math:`R_0`.
Labels of the easy particles only make the recall too high and the number too low.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pupicker.core.detection.candidates import leave_cut_borders, pick_image
from pupicker.core.geometry import Geometry, match_radius_ang
from pupicker.core.networks.inference import for_inference
from pupicker.core.scores.metrics import match_picks
from pupicker.engine.models.initial_weights import general_network
from pupicker.engine.picking.general_picker import SLOPE, general_floor
from pupicker.engine.runtime.device import on_device
from pupicker.engine.training.dataset import LabelledMicrograph
from pupicker.engine.training.validation import representative

USUAL_RECALL, PRIOR_LABELS = 0.85, 5.0
COMMON_SD = 0.06

TELLING_HITS = 3
"""Labels, or all if there are fewer, that the general model has to find for its number to be more than a guess."""


@dataclass(frozen=True)
class GeneralCount:
    """What the general model sees.

    Attributes
    ----------
    expected
        Sum of the probabilities of its picks.
    pixels
        Working pixels that were looked at.
    labels, hits
        Labels in them, and how many of them it picked.
    """

    expected: float
    pixels: int
    labels: int
    hits: int

    @property
    def recall(self) -> float:
        """Share of the particles that it picks."""
        return (self.hits + PRIOR_LABELS * USUAL_RECALL) / (self.labels + PRIOR_LABELS)

    @property
    def tells(self) -> bool:
        """Whether the number is more than a guess."""
        return self.labels > 0 and self.hits >= min(TELLING_HITS, self.labels)

    @property
    def log_sd(self) -> float:
        """Standard deviation of the number's logarithm."""
        return math.hypot(((1 - self.recall) / (self.recall * (self.labels + PRIOR_LABELS))) ** 0.5, COMMON_SD)

    @property
    def density(self) -> float:
        """Particles per working pixel, picked or not."""
        return self.expected / self.recall / max(1, self.pixels)


def general_count(
    micrographs: Sequence[LabelledMicrograph], geometry: Geometry, network: str, device: torch.device,
    pseudo: bool = False,
) -> GeneralCount:
    """What the general model of a network sees in some micrographs; pseudo-labels tell nothing of its recall."""
    ready = for_inference(on_device(general_network(network), device))
    distance_px, diameter_px, radius_px = (length / geometry.working_pixel_size_ang for length in (
        geometry.min_distance_ang, geometry.diameter_ang, match_radius_ang(geometry.diameter_ang)))
    expected, pixels, labels, hits = 0.0, 0, 0, 0
    for micrograph in (micrographs[index] for index in representative(micrographs)):
        image = micrograph.image.to(device)
        xy, logit = pick_image(ready, image, distance_px, excluded=micrograph.excluded)
        xy, logit = leave_cut_borders(xy, logit, micrograph.image, micrograph.cut, geometry)
        floor = general_floor(ready, image, (xy, logit), distance_px, diameter_px, micrograph.excluded)
        picked = logit >= floor
        expected += float(torch.sigmoid(SLOPE * (logit[picked] - floor)).sum())
        pixels += micrograph.pixels
        if pseudo:
            continue
        known = match_picks(xy[picked].numpy(), logit[picked].numpy(), micrograph.labels.numpy(), radius_px)
        hits, labels = hits + int((known >= 0).sum()), labels + len(micrograph.labels)
    return GeneralCount(expected, pixels, labels, hits)
