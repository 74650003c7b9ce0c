from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from pupicker.core.scores.likelihood import Calibration
from pupicker.engine.models.model_card import card, expected_row, interval_row
from pupicker.engine.models.model_file import load_model
from pupicker.engine.models.training_record import TrainingRecord
from pupicker.engine.training.particle_count import ParticleCount
from pupicker.engine.training.suggested_threshold import crowding_warning, expected_of_thresholds, number_of_particles
from pupicker.engine.training.validation import LabelledCandidates
from pupicker.tests.engine.blobs import GEOMETRY

PIXELS = 160 * 160


def candidates(particles, labels):
    scores = torch.cat([torch.linspace(2, 3, particles), torch.full((50,), -5.0)]).double()
    return LabelledCandidates(scores, scores[:particles : particles // labels][:labels], labels, 1000.0, PIXELS)


def test_threshold_has_the_best_expected_f1():
    """Four sure and four hopeless candidates of five particles: take the four."""
    scores = torch.tensor([5.0, -5, 5, -5, 5, -5, 5, -5]).double()
    threshold, noted = expected_of_thresholds(Calibration(2.0, 0.0, 0.5), scores, 5.0)
    assert threshold == pytest.approx(math.log(0.4444 / 0.5556), abs=1e-3)  # F1 is 8/9; in the middle of the gap
    assert noted["expected_precision"] == pytest.approx(1, abs=1e-3)
    assert noted["expected_recall"] == pytest.approx(0.8, abs=1e-3)
    assert len(noted["expected_curve"]) == 8


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("expected", [20.0, 60.0])
def test_threshold_takes_what_the_best_f1_takes(seed, expected):
    """Brute force over all numbers of picks; any scores, calibration and number of particles."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(200, generator=generator).double() * 3 - 2
    calibration = Calibration(0.5 + seed / 10, float(torch.randn(1, generator=generator)), 0.1)
    probability = calibration.probability(scores).sort(descending=True).values
    total = max(expected, float(probability.sum()))
    f1 = [2 * float(probability[:k].sum()) / (k + total) for k in range(1, 201)]
    threshold, noted = expected_of_thresholds(calibration, scores, expected)
    taken = int((calibration.log_likelihood_ratio(scores) >= threshold).sum())
    assert taken == 1 + f1.index(max(f1))
    assert noted["expected_precision"] == pytest.approx(float(probability[:taken].mean()), abs=1e-4)


def test_no_candidates():
    threshold, noted = expected_of_thresholds(Calibration(), torch.zeros(0).double(), 5.0)
    assert threshold == 0.0 and noted["expected_precision"] is None and noted["expected_curve"] == []


def test_interval_is_per_image_and_holds_the_number():
    found = candidates(40, 10)
    known = ParticleCount(80 / PIXELS, True, "estimated")
    number, interval = number_of_particles(known, found, PIXELS / 2)
    assert number == pytest.approx(40) and interval.level == 0.9
    assert interval.low < 20 and interval.high >= 40  # of half the area that the forty were found in
    _, outside = number_of_particles(replace(known, density=900 / PIXELS), found, PIXELS)
    assert outside.high == pytest.approx(900)


def test_no_interval_for_a_given_number_or_without_held_out_labels():
    found = candidates(40, 10)
    assert number_of_particles(ParticleCount(0.01, False, "given"), found, PIXELS)[1] is None
    assert number_of_particles(ParticleCount(0.01, True, "first guess"), None, PIXELS)[1] is None


@pytest.mark.parametrize("estimated", [True, False])
def test_more_than_fit_side_by_side_is_said(estimated):
    room = PIXELS * GEOMETRY.working_pixel_size_ang**2 / (GEOMETRY.diameter_ang**2 * 3**0.5 / 2)
    inside = ParticleCount(room / PIXELS * 0.99, estimated, "given by the class prior 0.9")
    assert crowding_warning(inside, GEOMETRY, PIXELS) is None
    text = crowding_warning(replace(inside, density=room / PIXELS * 1.5), GEOMETRY, PIXELS)
    assert text is not None and f"{room:.0f} of" in text and ("estimated" if estimated else "class prior 0.9") in text


def test_older_models_tell_it_from_their_curve(model_path):
    model = load_model(model_path)
    newer = card(model)
    older = card(replace(model, record=replace(model.record, expected_precision=None, expected_recall=None)))
    for name in ("expected_precision", "expected_recall"):
        assert older[name] == pytest.approx(newer[name], abs=0.1)  # the curve has 200 rows only
    assert card(replace(model, record=TrainingRecord()))["expected_precision"] is None
    assert interval_row(newer) == [] and expected_row(newer)[0][0] == "expected precision"
