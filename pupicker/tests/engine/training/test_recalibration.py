from dataclasses import replace

import numpy as np
import pytest
import torch

from pupicker.core.networks import build
from pupicker.core.scores.likelihood import calibrate_by_number
from pupicker.engine.models.model_file import Model
from pupicker.engine.models.training_record import TrainingRecord
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.training.recalibration import recalibrated
from pupicker.engine.training.suggested_threshold import expected_of_thresholds
from pupicker.tests.engine.blobs import GEOMETRY, training_set

MICROGRAPHS, PARTICLES, OTHERS = 4, 60, 300


def candidates():
    """Of four micrographs."""
    generator = torch.Generator().manual_seed(1)
    true = 2 + 1.5 * torch.randn(MICROGRAPHS * PARTICLES, generator=generator)
    return torch.cat([true, -4 + 1.5 * torch.randn(MICROGRAPHS * OTHERS, generator=generator)]).double()


@pytest.fixture(scope="module")
def model():
    return told(PARTICLES)


def told(particles):
    """A model that was told so many particles a micrograph in its training."""
    scores, number = candidates(), particles * MICROGRAPHS
    calibration = calibrate_by_number(scores, number)
    threshold, noted = expected_of_thresholds(calibration, scores, number)
    record = TrainingRecord(particles_per_micrograph=float(particles), **noted)
    network = build("conv31", width=2).eval()
    mixture = training_set(3).mixture
    return Model(network, "conv31", mixture, GEOMETRY, calibration, 0.01, threshold, record)


@pytest.mark.parametrize("particles", [30, 60, 90])
def test_it_is_as_if_the_training_had_been_told(model, particles):
    changed, expected = recalibrated(model, particles), told(particles)
    logits = torch.linspace(-8, 8, 33, dtype=torch.float64)
    ours, theirs = (one.calibration.probability(logits) for one in (changed, expected))
    np.testing.assert_allclose(ours, theirs, atol=0.03)
    assert changed.suggested_threshold == pytest.approx(expected.suggested_threshold, abs=0.2)
    for name in ("expected_precision", "expected_recall", "expected_average_precision"):
        assert getattr(changed.record, name) == pytest.approx(getattr(expected.record, name), abs=0.02), name
    assert changed.class_prior == pytest.approx(0.01 * particles / PARTICLES)
    assert changed.record.particles_per_micrograph == particles and changed.record.particles_interval is None


def test_there_and_back(model):
    back = recalibrated(recalibrated(model, 90), PARTICLES)
    logits = torch.linspace(-8, 8, 33, dtype=torch.float64)
    np.testing.assert_allclose(back.calibration.probability(logits), model.calibration.probability(logits), atol=0.03)


@pytest.mark.parametrize("particles", [PARTICLES, 90])
def test_the_number_that_it_has_changes_neither_score_nor_threshold(model, particles):
    once = recalibrated(model, particles)
    again = recalibrated(once, particles)
    assert again.header() == once.header()
    assert again.record.particles_interval is None and f"by {particles} particles" in again.record.class_prior_source
    same = model if particles == PARTICLES else once
    assert (again.calibration, again.suggested_threshold) == (same.calibration, same.suggested_threshold)


def test_more_than_there_are_candidates(model):
    with pytest.raises(UsageError, match="has only"):
        recalibrated(model, 1000)


def test_a_model_that_does_not_remember(model):
    with pytest.raises(InputError, match="does not remember"):
        recalibrated(replace(model, record=TrainingRecord(particles_per_micrograph=60.0)), 50)
