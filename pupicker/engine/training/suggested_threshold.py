r"""What to expect of a model: precision and recall at each threshold, how many particles, and how sure that is.

Suggested threshold.  With :math:`S_k` particles expected among the best :math:`k` candidates and :math:`T` in all,
:math:`F_1 = 2S_k/(k+T)`; one more candidate of probability :math:`p` raises it if and only if :math:`p > F_1/2`.  So
the best expected :math:`F_1`, :math:`F^*`, belongs to the threshold :math:`p = F^*/2`: below the last candidate that it
takes and not below the next.  The score of that last candidate would do as well where it was found, but where the
scores leave a gap it would cut off every somewhat weaker particle of other micrographs.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from pupicker.core.geometry import Geometry, particles_side_by_side
from pupicker.core.scores.class_prior import INTERVAL_LEVEL, particle_interval
from pupicker.core.scores.likelihood import Calibration, expected_curve
from pupicker.engine.models.training_record import ParticleInterval
from pupicker.engine.training.particle_count import ParticleCount
from pupicker.engine.training.validation import LabelledCandidates

_CURVE_ROWS = 200
_MIN_PROBABILITY = 1e-9
_NORMAL_QUANTILE = 1.645  # of half of INTERVAL_LEVEL on each side


def expected_of_thresholds(
    calibration: Calibration, logits: Tensor, particles: float
) -> tuple[float, dict[str, Any]]:
    """The score with the best expected F1 as threshold, and what to record of it and of all others (by the
    names of :class:`~pupicker.engine.models.training_record.TrainingRecord`).

    Parameters
    ----------
    logits
        ``(n,)`` of all candidates.
    particles
        Number of particles in the same micrographs.
    """
    scores = logits.sort(descending=True).values
    precision, recall, f1 = expected_curve(calibration.probability(scores), particles)
    ratio = calibration.log_likelihood_ratio(scores)
    rows = _thinned(ratio, precision, recall)
    if not len(scores):
        return 0.0, {"expected_curve": rows, "expected_precision": None, "expected_recall": None}
    best = int(f1.argmax())
    rise = recall.diff(prepend=recall.new_zeros(1))
    noted = {"expected_precision": round(float(precision[best]), 4), "expected_recall": round(float(recall[best]), 4),
             "expected_average_precision": round(float((precision * rise).sum()), 4)}
    return calibration.ratio_at(max(float(f1[best]) / 2, _MIN_PROBABILITY)), {"expected_curve": rows, **noted}


def _thinned(*columns: Tensor) -> list[list[float]]:
    """At most 200 rows of equally long columns, evenly spaced, first and last among them; four decimals."""
    rows = torch.stack([column.double() for column in columns], dim=1)
    if len(rows) > _CURVE_ROWS:
        rows = rows[torch.linspace(0, len(rows) - 1, _CURVE_ROWS).round().long()]
    return [[round(value, 4) for value in row] for row in rows.tolist()]


def number_of_particles(
    count: ParticleCount, held_out: LabelledCandidates | None, pixels: float
) -> tuple[float, ParticleInterval | None]:
    """Particles in an image of `pixels` working pixels, with the interval that the held-out labels leave.

    What the general model has told has an interval of its own.  That of held-out labels is widened to the number that
    is used, which rests on the first guess as well.  There is none for a number that the user gave, nor without
    held-out labels.
    """
    number = count.particles(pixels)
    interval = None
    if count.log_sd is not None:
        factor = math.exp(_NORMAL_QUANTILE * count.log_sd)
        interval = ParticleInterval(round(number / factor, 2), round(number * factor, 2), INTERVAL_LEVEL)
    elif count.estimated and held_out is not None and held_out.labels:
        found = particle_interval(held_out.scores, held_out.hits, held_out.labels, held_out.max_particles)
        low, high = (value / held_out.pixels * pixels for value in found)
        interval = ParticleInterval(round(min(low, number), 2), round(max(high, number), 2), INTERVAL_LEVEL)
    return number, interval


def crowding_warning(count: ParticleCount, geometry: Geometry, pixels: float) -> str | None:
    """A line if more particles are expected than fit side by side."""
    number = count.particles(pixels)
    room = particles_side_by_side(geometry, pixels * geometry.working_pixel_size_ang**2)
    if number <= room:
        return None
    how = "estimated" if count.estimated else count.source
    return (
        f"{number:.0f} particles on a micrograph ({how}) are more than the {room:.0f} of {geometry.diameter_ang:g} A"
        " that fit side by side; check the diameter and the pixel size, or give the particles per micrograph that you"
        " see"
    )
