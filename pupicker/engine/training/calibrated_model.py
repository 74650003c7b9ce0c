"""From a trained network to a model: what its scores mean, where to cut them, what is recorded."""

from __future__ import annotations

from typing import Any

from pupicker.core.geometry import Geometry
from pupicker.core.image.normalization import Mixture
from pupicker.core.networks import Classifier
from pupicker.core.regions.regions import mean_disc_area
from pupicker.core.scores.likelihood import Calibration, calibrate, with_total
from pupicker.engine.models.model_file import Model
from pupicker.engine.training.particle_count import ParticleCount
from pupicker.engine.training.suggested_threshold import expected_of_thresholds
from pupicker.engine.training.validation import Candidates


def complete(
    network: Classifier, name: str, mixture: Mixture, geometry: Geometry, expected: ParticleCount, found: Candidates,
    held_out: Candidates | None, details: dict[str, Any], views: int,
    exclusion: dict[str, Any] | None,
) -> Model:
    """The model.

    Parameters
    ----------
    network, name
        In evaluation mode; its registered name.
    found
        Candidates and labels of the training micrographs, or of representative ones.
    held_out
        Those of held-out labels, from when the network had not seen them; None if nothing was held out.
    views
        Of a micrograph, over which the logits of `found` and `held_out` were averaged, and those of the model are.
    exclusion
        Where training looked for nothing; None: it looked everywhere.
    details
        What else to record; the source of the class prior and the expected curve are added.
    """
    particles = expected.particles(found.pixels)
    calibration = calibration_of(expected, found, held_out)
    threshold, outlook = expected_of_thresholds(calibration, found.scores, particles)
    recorded = {**details, "class_prior_source": expected.source, **outlook}
    prior = expected.density * mean_disc_area(geometry.training_radius_px)
    return Model(network.cpu(), name, mixture, geometry, calibration, prior, threshold, recorded, views, exclusion)


def calibration_of(expected: ParticleCount, found: Candidates, held_out: Candidates | None) -> Calibration:
    """Slope from held-out labels where there are some, level from the candidates of all micrographs."""
    particles = expected.particles(found.pixels)
    if held_out is None:
        return calibrate(found.scores, found.hits, found.labels, particles)
    number = expected.particles(held_out.pixels)
    calibration = calibrate(held_out.scores, held_out.hits, held_out.labels, number)
    # Particles that are candidates at all, in proportion: a share that calibration had to lower stays lowered.
    return with_total(calibration, found.scores, particles / number * calibration.share * len(held_out.scores))
