r"""Another number of particles for a model that is trained already: what its scores mean follows, nothing is learnt.

The model remembers, for a thinned list of its candidates, score, expected precision :math:`P` and recall :math:`R` of
taking all down to it.  With the number of particles :math:`T` that it was told, :math:`RT/P` candidates of a micrograph
score at least as high.  So the distribution of logits is known, and the calibration is found again at which the
probabilities add up to the new number, times the share of particles that are candidates at all; the slope stays.

The number that the model has already changes neither score nor threshold.

Limits: there and back gives the calibration that it was, up to the thinning; a number of all candidates gives every one
of them a probability near one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pupicker.core.scores.likelihood import with_bound, with_total
from pupicker.engine.models.model_file import Model
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.training.suggested_threshold import expected_of_thresholds
from pupicker.shared.plurals import counted


def recalibrated(model: Model, particles_per_micrograph: float) -> Model:
    """The model with so many particles on an average training micrograph.

    Raises
    ------
    InputError
        The model does not remember its candidates.
    UsageError
        There are not as many candidates.
    """
    record = model.record
    particles = counted(f"{particles_per_micrograph:g}", "particle")
    source = f"given after the training by {particles} per micrograph"
    if particles_per_micrograph == record.particles_per_micrograph:  # from the thinned list it would differ a little
        return replace(model, record=replace(record, particles_interval=None, class_prior_source=source))
    logits = _logits(model)
    assert record.particles_per_micrograph is not None and record.expected_curve is not None
    reach = record.expected_curve[-1][2]
    expected = particles_per_micrograph * reach
    if not 0 < expected < len(logits):
        raise UsageError(f"{particles} per micrograph: the model has only {counted(len(logits), 'candidate')} on a"
                         " micrograph of its training", "particles_per_micrograph")
    labelled = (record.labels or 0) / (record.micrographs or 1)
    if particles_per_micrograph < labelled:
        raise UsageError(f"{particles} per micrograph: fewer than the {labelled:.3g} that"
                         " are labelled on one on average", "particles_per_micrograph")
    calibration = with_total(replace(model.calibration, bound=None), logits, expected)
    # As many candidates as the bound of the model was made with, which were those of several micrographs.
    calibration = with_bound(calibration, round(len(logits) * _micrographs(model, len(logits))))
    threshold, noted = expected_of_thresholds(calibration, logits, particles_per_micrograph)
    return replace(
        model, calibration=calibration, suggested_threshold=threshold,
        class_prior=min(0.999, model.class_prior * particles_per_micrograph / record.particles_per_micrograph),
        record=replace(
            record, particles_per_micrograph=particles_per_micrograph, particles_interval=None, crowding=None,
            class_prior_source=source, **noted),
    )


def _logits(model: Model) -> Tensor:
    """Of the candidates of an average micrograph of the training, best first."""
    record = model.record
    curve, number = record.expected_curve, record.particles_per_micrograph
    if not curve or not number or min(row[1] for row in curve) <= 0:
        raise InputError("the model does not remember its candidates, because it is of an early version: train again,"
                         " with the particles per micrograph that you see")
    count = [recall * number / precision for _, precision, recall in curve]
    logit = [model.calibration.logit(ratio) for ratio, _, _ in curve]
    finite = [value for value in logit if np.isfinite(value)]
    logit = [min(value, max(finite)) for value in logit]
    ranks = np.arange(0.5, max(count))
    return torch.from_numpy(np.interp(ranks, np.maximum.accumulate(count), logit))


def _micrographs(model: Model, candidates: int) -> float:
    """How many micrographs' candidates the bound was made with; 1 if there is none."""
    calibration = model.calibration
    if calibration.bound is None:
        return 1.0
    odds = calibration.share / (1 - calibration.share)
    return max(1.0, float(np.expm1(calibration.bound + np.log(odds))) / calibration.share / candidates)
