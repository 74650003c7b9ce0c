"""From a trained network to a model: what its scores mean, where to cut them, what is recorded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.core.likelihood import Calibration, calibrate, expected_curve, with_total
from pupicker.core.networks import Classifier
from pupicker.core.normalization import Mixture
from pupicker.core.regions import mean_disc_area
from pupicker.engine.expectation import Expectation
from pupicker.engine.model_file import Model
from pupicker.engine.validation import Candidates

_CURVE_ROWS = 200


def complete(
    network: Classifier, name: str, mixture: Mixture, geometry: Geometry, expected: Expectation, found: Candidates,
    held_out: Candidates | None, details: dict[str, Any], views: int,
) -> Model:
    """The model.

    Parameters
    ----------
    network, name
        In evaluation mode; its registered name.
    found
        Candidates and labels of all training micrographs.
    held_out
        Those of held-out labels, from when the network had not seen them; None if nothing was held out.
    views
        Of a micrograph, over which the logits of `found` and `held_out` were averaged, and those of the model are.
    details
        What else to record; the source of the class prior and the expected curve are added.
    """
    particles = expected.particles(found.pixels)
    calibration = calibration_of(expected, found, held_out)
    scores = found.scores.sort(descending=True).values
    precision, recall, f1 = expected_curve(calibration.probability(scores), particles)
    ratio = calibration.log_likelihood_ratio(scores)
    threshold = float(ratio[f1.argmax()]) if len(scores) else 0.0
    recorded = {**details, "class_prior_source": expected.source, "expected_curve": _thinned(ratio, precision, recall)}
    prior = expected.density * mean_disc_area(geometry.training_radius_px)
    return Model(network.cpu(), name, mixture, geometry, calibration, prior, threshold, recorded, views)


def calibration_of(expected: Expectation, found: Candidates, held_out: Candidates | None) -> Calibration:
    """Slope from held-out labels where there are some, level from the candidates of all micrographs."""
    particles = expected.particles(found.pixels)
    if held_out is None:
        return calibrate(found.scores, found.hits, found.labels, particles)
    number = expected.particles(held_out.pixels)
    calibration = calibrate(held_out.scores, held_out.hits, held_out.labels, number)
    # Particles that are candidates at all, in proportion: a share that calibration had to lower stays lowered.
    return with_total(calibration, found.scores, particles / number * calibration.share * len(held_out.scores))


def _thinned(*columns: Tensor) -> list[list[float]]:
    """At most 200 rows of equally long columns, evenly spaced, first and last among them; four decimals."""
    rows = torch.stack([column.double() for column in columns], dim=1)
    if len(rows) > _CURVE_ROWS:
        rows = rows[torch.linspace(0, len(rows) - 1, _CURVE_ROWS).round().long()]
    return [[round(value, 4) for value in row] for row in rows.tolist()]
