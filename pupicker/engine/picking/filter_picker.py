"""Picking without learning: difference of Gaussians and template matching, the baselines that the paper names.

They work at the same pixel size on the same flattened micrographs as the network, with the same suppression, borders
and exclusions.  A score is the response of the filter in standard deviations of its responses over the micrograph,
and no probability: nothing tells how often a place with a score is a particle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pupicker.core.detection.candidates import leave_cut_borders, outside_of
from pupicker.core.detection.dog import difference_of_gaussians
from pupicker.core.detection.suppression import pick
from pupicker.core.detection.template import MASK, match_templates, rotated, soft_disc
from pupicker.core.geometry import Geometry
from pupicker.engine.files.templates import read_templates
from pupicker.engine.picking.picker import MicrographPicker, PickingOptions, WorkingPicks
from pupicker.engine.preparation.recipe import Recipe, network_image
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import InputError
from pupicker.shared import options

METHODS = ("dog", "template")
DEFAULT_THRESHOLDS = {"dog": 1.0, "template": 1.7}
"""About the best F1 on training micrographs of apoferritin and beta-galactosidase (0.5 and 1.2; 1.9 and 1.6)."""

Response = Callable[[Tensor], Tensor]


class FilterPicker(MicrographPicker):
    """A filter, ready to pick.

    Parameters
    ----------
    method
        One of :data:`METHODS`; its threshold holds if none is chosen.
    response
        From :func:`response_of`.
    geometry
        Lengths of the task.
    options
        What the user chose.
    """

    def __init__(self, method: str, response: Response, geometry: Geometry, options: PickingOptions) -> None:
        self._response, self.geometry = response, geometry
        self.threshold = DEFAULT_THRESHOLDS[method] if options.threshold is None else options.threshold
        self.min_distance_ang = options.min_distance_ang or geometry.min_distance_ang
        self.recipe = Recipe.of_geometry(geometry, options.pixel_size_ang, options.keep_borders, options.exclusion,
                                         "robust")

    def working_picks(self, micrograph: Resampled) -> WorkingPicks:
        """``score`` in standard deviations of the filter's responses over the micrograph; no probability."""
        image = network_image(micrograph, self.recipe)
        distance = self.min_distance_ang / self.geometry.working_pixel_size_ang
        xy, score = best_places(self._response, image, distance, self.threshold, micrograph.excluded)
        return WorkingPicks(*leave_cut_borders(xy, score, image, micrograph.cut, self.geometry))


def best_places(
    response: Response, image: Tensor, distance_px: float, threshold: float = -float("inf"),
    excluded: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Candidates of a flattened image: ``(n, 2)`` x, y in its pixels and ``(n,)`` scores, best first.

    What is excluded counts neither for the mean nor for the standard deviation of the scores.
    """
    responses = response(image)
    counted = responses if excluded is None else responses[~excluded]
    spread = counted.std(correction=0).clamp(min=1e-30)  # a single pixel may be left
    position, score = pick((responses - counted.mean()) / spread, distance_px, threshold, excluded)
    return outside_of(position.flip(1), score, excluded)


@dataclass(frozen=True)
class Template:
    """What a template matching looks for.

    Attributes
    ----------
    file
        An MRC image or stack of templates, or a STAR file that names such images; None: a soft disc of the diameter.
    pixel_size_ang
        Of the file; None: from its header.
    rotation_step_deg
        Between two rotations of a template of the file.
    """

    file: Path | None = None
    pixel_size_ang: float | None = None
    rotation_step_deg: float = options.ROTATION_STEP.default

    def __post_init__(self) -> None:
        """Raise UsageError at a number that cannot be."""
        check_options({"template_pixel_size": self.pixel_size_ang, "rotation_step": self.rotation_step_deg},
                      (options.TEMPLATE_PIXEL_SIZE, options.ROTATION_STEP))


def response_of(
    method: str, geometry: Geometry, template: Template | None = None, bright: bool = False
) -> Response:
    """The filter of a method.

    Parameters
    ----------
    method
        One of :data:`METHODS`.
    template
        For template matching.
    bright
        Whether particles are brighter than their surroundings.

    Raises
    ------
    InputError
        The file is no stack of square templates, or one has no contrast.
    """
    sign = -1.0 if bright else 1.0
    diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
    if method == "dog":
        return lambda image: difference_of_gaussians(sign * image, diameter)
    template = template or Template()
    templates = [soft_disc(diameter)]
    if template.file is not None:
        own = read_templates(template.file, template.pixel_size_ang, geometry)
        templates = [turned for one in own for turned in rotated(one, template.rotation_step_deg)]
    radius = min(MASK * diameter, templates[0].shape[0] / 2)
    try:
        match_templates(torch.zeros_like(templates[0]), templates, radius)
    except ValueError as error:  # now, not on every micrograph
        raise InputError(f"{template.file or 'the disc'}: {error}; leave it out") from error
    return lambda image: match_templates(sign * image, templates, radius)
