"""One recipe for all who read micrographs: from a file to the image that a network or a filter sees.

:func:`prepare` reads, cuts, resamples and marks what is excluded; :func:`network_image` normalises and flattens.  A
recipe is fixed for a run, whose report keeps it, so that whoever reads its micrographs again sees the same images.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.core.image.background import flatten
from pupicker.core.image.histograms import median_and_spread, stack_histograms
from pupicker.core.image.normalization import CLIP_SIGMA, Mixture, fit
from pupicker.engine.files.masks import MaskFolder
from pupicker.engine.models.model_file import Model
from pupicker.engine.preparation.exclusion import Exclusion, exclusion_for, with_exclusion
from pupicker.engine.preparation.working_micrograph import (
    Coarser,
    Resampled,
    network_input,
    network_input_of_new,
    resample,
)
from pupicker.engine.runtime.errors import InputError

Normalization = Mixture | Literal["own", "robust"]


@dataclass(frozen=True)
class Recipe:
    """How each micrograph of a run is prepared.

    Attributes
    ----------
    working_pixel_size_ang
        Pixel size to resample to.
    pixel_size_ang
        Of the files; None: from their headers.
    keep_borders
        Whether borders without an image stay.
    coarser
        What happens to a micrograph that is coarser than the working pixel size
        (:data:`pupicker.engine.preparation.working_micrograph.Coarser`).
    geometry
        Lengths of the task; None: there is none, nothing can be excluded or flattened.
    exclusion
        Where nothing is picked.
    normalization
        A mixture that was fitted before, to which each micrograph gets a scale; ``"own"``: a fit of its own;
        ``"robust"``: no fit, robust standard deviations from the median.
    """

    working_pixel_size_ang: float
    pixel_size_ang: float | None = None
    keep_borders: bool = False
    coarser: Coarser = "enlarge"
    geometry: Geometry | None = None
    exclusion: Exclusion = field(default_factory=Exclusion)
    normalization: Normalization = "own"

    @classmethod
    def of_geometry(
        cls, geometry: Geometry, pixel_size_ang: float | None = None, keep_borders: bool = False,
        exclusion: Exclusion | None = None, normalization: Normalization = "own",
    ) -> Recipe:
        """For a task of these lengths."""
        return cls(geometry.working_pixel_size_ang, pixel_size_ang, keep_borders, geometry=geometry,
                   exclusion=exclusion or Exclusion(), normalization=normalization)

    @classmethod
    def of_model(
        cls, model: Model, pixel_size_ang: float | None = None, keep_borders: bool = False,
        exclusion: Exclusion | None = None,
    ) -> Recipe:
        """For picking with a model; where nothing is picked: as in its training, if no `exclusion` is given."""
        if exclusion is None:
            exclusion = exclusion_for(model.exclusion, None, None, None, [])
        return cls.of_geometry(model.geometry, pixel_size_ang, keep_borders, exclusion, model.mixture)

    def to_record(self) -> dict[str, Any]:
        """What the report of a run keeps of what a user may choose (JSON-able)."""
        masks = self.exclusion.masks
        return {
            "pixel_size_ang": self.pixel_size_ang, "keep_borders": self.keep_borders,
            "margin_ang": self.exclusion.margin_ang, "contamination": self.exclusion.contamination,
            "contamination_depth": self.exclusion.limit, "masks": None if masks is None else str(masks.folder),
        }

    def as_recorded(self, record: Mapping[str, Any], micrographs: Sequence[Path]) -> Recipe:
        """The same with the choices of a run that used another one.

        Parameters
        ----------
        record
            From :meth:`to_record`; what it lacks stays (runs of before there was any have none).
        micrographs
            Of the run, for its masks.  Masks that are gone by now are left out, with a note.
        """
        if not record:
            return self
        masks = None
        if record.get("masks"):
            try:
                masks = MaskFolder(Path(record["masks"]), micrographs)
            except InputError as error:
                logging.getLogger(__name__).info("the masks of the run cannot be shown: %s", error)
        exclusion = Exclusion(
            float(record.get("margin_ang", self.exclusion.margin_ang)), masks,
            bool(record.get("contamination", self.exclusion.contamination)),
            record.get("contamination_depth", self.exclusion.limit),
        )
        given = self.pixel_size_ang or record.get("pixel_size_ang")
        return replace(self, pixel_size_ang=given, exclusion=exclusion,
                       keep_borders=self.keep_borders or bool(record.get("keep_borders")))


def prepare(path: Path, recipe: Recipe, digest: bool = False) -> Resampled:
    """Read a micrograph, cut off borders without an image, resample it, and mark where nothing is picked.

    It may run in another thread.  With `digest` the SHA-256 of the file is taken on the way.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    micrograph = resample(path, recipe.pixel_size_ang, recipe.working_pixel_size_ang, recipe.keep_borders,
                          recipe.coarser, digest)
    return micrograph if recipe.geometry is None else with_exclusion(micrograph, recipe.exclusion, recipe.geometry)


def network_image(micrograph: Resampled, recipe: Recipe) -> Tensor:
    """Normalised and flattened ``(h, w)`` float32 of a prepared micrograph: what a network or a filter looks at."""
    if recipe.geometry is None:
        raise ValueError("a recipe without lengths of a task has no background to flatten")
    background_px = recipe.geometry.background_px
    if isinstance(recipe.normalization, Mixture):
        return network_input_of_new(micrograph, recipe.normalization, background_px)
    if recipe.normalization == "own":
        own = fit(stack_histograms([micrograph.histogram()]))
        return network_input(micrograph, own.mixture, float(own.scale[0]), float(own.offset[0]), background_px)
    return flatten(_in_robust_deviations(micrograph), background_px, micrograph.contaminated)


def _in_robust_deviations(micrograph: Resampled) -> Tensor:
    """Robust standard deviations from the median, clipped as the network's normalisation clips."""
    middle, spread = median_and_spread(micrograph.histogram())
    return ((micrograph.pixels - float(middle)) / float(spread)).clamp(-CLIP_SIGMA, CLIP_SIGMA)
