"""Picking without learning: difference of Gaussians and template matching, the baselines that the paper names.

They work at the same pixel size on the same flattened micrographs as the network, with the same suppression, borders
and exclusions.  A score is the answer of the filter in standard deviations of its answers over the micrograph, and no
probability: nothing tells how often a place with a score is a particle.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pupicker.core.detection.candidates import leave_cut_borders, outside_of
from pupicker.core.detection.dog import difference_of_gaussians
from pupicker.core.detection.suppression import pick
from pupicker.core.detection.template import MASK, match_templates, rotated, soft_disc
from pupicker.core.geometry import Geometry
from pupicker.core.image.background import flatten
from pupicker.core.image.histograms import median_and_spread
from pupicker.engine.files.templates import read_views
from pupicker.engine.picking.picker import Candidates, MicrographPicker, PickingOptions
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.errors import InputError, UsageError

METHODS = ("dog", "template")
DISC = "disc"
ROTATION_STEP_DEG = 15.0
CLIP = 6.0
DEFAULT_THRESHOLDS = {"dog": 1.0, "template": 1.7}
"""About the best F1 on training micrographs of apoferritin and beta-galactosidase (0.5 and 1.2; 1.9 and 1.6)."""

Answer = Callable[[Tensor], Tensor]


class BaselinePicker(MicrographPicker):
    """A filter, ready to pick.

    Parameters
    ----------
    method
        One of :data:`METHODS`; its threshold holds if none is chosen.
    answer
        From :func:`answer_of`.
    geometry
        Lengths of the task.
    """

    def __init__(self, method: str, answer: Answer, geometry: Geometry, options: PickingOptions) -> None:
        self._answer, self.geometry, self.options = answer, geometry, options
        self.threshold = DEFAULT_THRESHOLDS[method] if options.threshold is None else options.threshold
        self.min_distance_ang = options.min_distance_ang or geometry.min_distance_ang
        self.exclusion = options.exclusion or Exclusion()

    def candidates(self, micrograph: Resampled) -> Candidates:
        """``score`` in standard deviations of the filter's answers over the micrograph; no probability."""
        image = flatten(_clipped(micrograph), self.geometry.background_px, micrograph.foreign)
        distance = self.min_distance_ang / self.geometry.working_pixel_size_ang
        xy, score = best_places(self._answer, image, distance, self.threshold, micrograph.excluded)
        return Candidates(*leave_cut_borders(xy, score, image, micrograph.cut, self.geometry))


def best_places(
    answer: Answer, image: Tensor, distance_px: float, threshold: float = -float("inf"), excluded: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Candidates of a flattened image: ``(n, 2)`` x, y in its pixels and ``(n,)`` scores, best first.

    What is excluded counts neither for the mean nor for the standard deviation of the scores.
    """
    answers = answer(image)
    counted = answers if excluded is None else answers[~excluded]
    spread = counted.std().clamp(min=1e-30)
    position, score = pick((answers - counted.mean()) / spread, distance_px, threshold, excluded)
    return outside_of(position.flip(1), score, excluded)


def answer_of(
    method: str, geometry: Geometry, template: str = DISC, template_pixel_size_ang: float | None = None,
    step_deg: float = ROTATION_STEP_DEG, bright: bool = False,
) -> Answer:
    """The filter of a method.

    Parameters
    ----------
    method
        One of :data:`METHODS`.
    template
        ``disc``, or an MRC image or stack of views.
    template_pixel_size_ang
        Of the file; None: from its header.
    step_deg
        Between two rotations of a view.
    bright
        Whether particles are brighter than their surroundings.

    Raises
    ------
    UsageError, InputError
        The file is no stack of square views, or one has no contrast.
    """
    sign = -1.0 if bright else 1.0
    diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
    if method == "dog":
        return lambda image: difference_of_gaussians(sign * image, diameter)
    views = [soft_disc(diameter)]
    if template != DISC:
        if not 0 < step_deg <= 360:
            raise UsageError(f"--rotation-step {step_deg:g}: must be above 0 and at most 360 degrees")
        own = read_views(Path(template), template_pixel_size_ang, geometry)
        views = [turned for view in own for turned in rotated(view, step_deg)]
    radius = min(MASK * diameter, views[0].shape[0] / 2)
    try:
        match_templates(torch.zeros_like(views[0]), views, radius)
    except ValueError as error:  # now, not on every micrograph
        raise InputError(f"{template}: {error}; leave it out") from error
    return lambda image: match_templates(sign * image, views, radius)


def _clipped(micrograph: Resampled) -> Tensor:
    """In robust standard deviations, at most six of them, as the network's normalisation clips."""
    middle, spread = median_and_spread(micrograph.histogram())
    return ((micrograph.pixels - float(middle)) / float(spread)).clamp(-CLIP, CLIP)
