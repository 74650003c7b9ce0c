import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pupicker.core.scores.likelihood import (
    _SLOPE_PRIOR,
    USUAL_SLOPE,
    Calibration,
    calibrate,
    calibrate_by_number,
    expected_curve,
    with_bound,
    with_total,
)

LOGIT = torch.special.logit


def simulate(slope, intercept, count, labelled_fraction, seed):
    """Scores of candidates, whether each is a particle with logistic probability, and which particles are labelled."""
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(count, generator=generator, dtype=torch.float64)
    particle = torch.rand(count, generator=generator) < torch.sigmoid(slope * scores + intercept)
    labelled = particle & (torch.rand(count, generator=generator) < labelled_fraction)
    return scores, particle, labelled


CURVES = [(1.0, 0.0), (0.6, -1.5), (2.0, 1.0), (1.5, -4.0)]


@pytest.mark.parametrize(("slope", "intercept"), CURVES)
def test_the_logistic_curve_is_recovered_when_all_particles_are_labelled(slope, intercept):
    scores, particle, _ = simulate(slope, intercept, 40_000, 0.0, 1)
    number = int(particle.sum())
    result = calibrate(scores, scores[particle], number, float(number))
    assert result.slope == pytest.approx(slope, rel=0.04)
    assert result.intercept == pytest.approx(intercept, abs=0.1)
    # Of candidates of one probability that share is particles.
    probability = result.probability(scores)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        chosen = (probability >= low) & (probability < low + 0.2)
        assert float(particle[chosen].double().mean()) == pytest.approx(float(probability[chosen].mean()), abs=0.03)


@pytest.mark.parametrize(("slope", "intercept"), CURVES)
def test_the_logistic_curve_is_recovered_from_positive_and_unlabelled_candidates(slope, intercept):
    """Three of ten particles labelled; mean of six sets (one set's slope scatters by 5 to 15 %)."""
    slopes, intercepts = [], []
    for seed in range(6):
        scores, particle, labelled = simulate(slope, intercept, 40_000, 0.3, seed)
        result = calibrate(scores, scores[labelled], int(labelled.sum()), float(particle.sum()))
        slopes.append(result.slope)
        intercepts.append(result.intercept)
    assert sum(slopes) / 6 == pytest.approx(slope, rel=0.1)
    assert sum(intercepts) / 6 == pytest.approx(intercept, abs=0.15)


def test_labels_that_no_candidate_hits_lower_the_share():
    scores, particle, _ = simulate(1.0, -1.0, 4000, 0.0, 2)
    hits = scores[particle][:200]
    all_hit = calibrate(scores, hits, 200, float(particle.sum()))
    half_hit = calibrate(scores, hits, 400, float(particle.sum()))
    assert half_hit.share == pytest.approx(all_hit.share / 2)
    assert float(half_hit.probability(scores).sum()) == pytest.approx(float(particle.sum()) / 2, rel=1e-6)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(0, 40), st.floats(1, 400))
def test_probabilities_add_up_to_the_expected_number(seed, hit, missed, expected):
    generator = torch.Generator().manual_seed(seed)
    candidates = torch.cat([torch.randn(400, generator=generator) - 2, torch.randn(hit, generator=generator) + 2])
    result = calibrate(candidates, candidates[400:], hit + missed, expected)
    number = result.share * len(candidates)
    assert number <= min(expected * hit / (hit + missed), 0.98 * len(candidates)) * (1 + 1e-9)
    if expected <= hit:
        assert number == pytest.approx(expected * hit / (hit + missed))  # no more than there are: not lowered
    if result.slope > 0.001:  # the slope's own limit is the one other constraint
        assert float(result.probability(candidates.double()).sum()) == pytest.approx(number, rel=1e-6)


def test_too_many_expected_particles_do_not_make_scores_explode():
    """Thirteen particles that score well, 400 others; the number is overestimated several times."""
    generator = torch.Generator().manual_seed(3)
    hits = torch.randn(13, generator=generator) + 5
    candidates = torch.cat([torch.randn(400, generator=generator), hits])
    right = calibrate(candidates, hits, 13, 13.0)
    for expected in (40.0, 200.0):
        result = calibrate(candidates, hits, 13, expected)
        assert 0.2 < result.slope < 7
        assert float(result.log_likelihood_ratio(hits).abs().max()) < 3 * float(right.log_likelihood_ratio(hits).max())


def risk(candidates, hits, weight, slope, intercept):
    """R(a, b) of the module's docstring."""
    argument = slope * candidates + intercept
    label = weight * (slope * hits + intercept).sum()
    return float(torch.nn.functional.softplus(argument).sum() - label + _SLOPE_PRIOR * weight * (slope - 1) ** 2 / 2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [3, 40])
def test_result_is_the_minimum_of_the_risk(seed, count):
    scores, particle, _ = simulate(0.8, -1.0, 1000, 0.0, seed)
    hits, expected = scores[particle][:count], float(particle.sum())
    result = calibrate(scores, hits, count, expected)
    weight = result.share * len(scores) / count
    best = risk(scores, hits, weight, result.slope, result.intercept)
    for a in (-0.5, -0.01, 0.0, 0.01, 0.5):
        for b in (-1.0, -0.01, 0.0, 0.01, 1.0):
            assert risk(scores, hits, weight, result.slope + a, result.intercept + b) >= best


def test_shifted_scores_shift_the_intercept_only():
    """The slope's prior acts on the slope alone."""
    scores, particle, labelled = simulate(1.2, -1.0, 5000, 0.2, 3)
    arguments = int(labelled.sum()), float(particle.sum())
    first = calibrate(scores, scores[labelled], *arguments)
    second = calibrate(scores + 30, scores[labelled] + 30, *arguments)
    assert second.slope == pytest.approx(first.slope, rel=1e-6)
    torch.testing.assert_close(second.probability(scores + 30), first.probability(scores), rtol=0, atol=1e-6)


@pytest.mark.parametrize("hits", [[5.0], [5.0, 5.0], [-40.0], [0.0, 60.0]])
@pytest.mark.parametrize("candidates", [[0.0], [-60.0, 60.0], [5.0] * 30, [-30.0] * 50 + [5.0]])
def test_few_labels_give_finite_numbers(hits, candidates):
    every = torch.tensor(candidates + hits)
    result = calibrate(every, torch.tensor(hits), len(hits), 10.0)
    assert all(math.isfinite(v) for v in result.to_dict().values())
    assert result.slope > 0
    assert bool(result.probability(every).isfinite().all())
    assert bool(result.log_likelihood_ratio(every).isfinite().all())


def test_one_label_keeps_the_slope_near_one():
    scores, particle, _ = simulate(1.0, -1.0, 500, 0.0, 4)
    assert 0.5 < calibrate(scores, scores[particle][:1], 1, float(particle.sum())).slope < 2.0


@pytest.mark.parametrize("expected", [10.0, 300.0])
def test_labels_none_of_which_is_hit_make_few_candidates_particles(expected):
    """As if half a label were hit: never the half of all candidates that the raw score would say."""
    candidates = torch.randn(1000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    result = calibrate(candidates, candidates[:0], 25, expected)
    assert float(result.probability(candidates).sum()) == pytest.approx(expected / 50, rel=1e-6)
    assert result.slope == USUAL_SLOPE


@pytest.mark.parametrize(("candidates", "labels"), [(0, 5), (5, 0)])
def test_no_candidates_or_no_labels_leave_the_raw_score(candidates, labels):
    result = calibrate(torch.zeros(candidates), torch.zeros(0), labels, 10.0)
    assert result == Calibration(1.0, 0.0, 0.5)
    assert float(result.log_likelihood_ratio(torch.tensor(1.3))) == pytest.approx(1.3)


def test_ratio_is_the_one_of_two_gaussians_and_independent_of_crowding():
    """Particles N(2, 1), others N(-2, 1): the log-likelihood ratio of a score s is 4 s, at any share of particles."""
    for particles, others in ((500, 9500), (5000, 5000)):
        generator = torch.Generator().manual_seed(6)
        good = torch.randn(particles, generator=generator, dtype=torch.float64) + 2
        every = torch.cat([good, torch.randn(others, generator=generator, dtype=torch.float64) - 2])
        result = calibrate(every, good, particles, float(particles))
        assert result.slope == pytest.approx(4.0, rel=0.15)
        assert float(result.log_likelihood_ratio(torch.tensor(0.0))) == pytest.approx(0.0, abs=0.4)
        assert result.share == pytest.approx(particles / (particles + others))


def test_probability_is_the_ratio_with_the_prior_odds():
    result = Calibration(1.7, -0.4, 0.2)
    scores = torch.linspace(-3, 3, 7)
    odds = result.log_likelihood_ratio(scores) + math.log(0.2 / 0.8)
    torch.testing.assert_close(LOGIT(result.probability(scores)), odds, rtol=1e-5, atol=1e-5)
    for ratio in (-2.0, 0.0, 3.5):
        assert float(result.log_likelihood_ratio(torch.tensor(result.logit(ratio)))) == pytest.approx(ratio, abs=1e-5)


@pytest.mark.parametrize("expected", [0.5, 20.0, 300.0])
@pytest.mark.parametrize("shift", [-40.0, 0.0, 25.0])
def test_with_total_moves_the_intercept_to_the_expected_number(expected, shift):
    scores, _, _ = simulate(1.0, 0.0, 400, 0.0, 5)
    before = Calibration(0.9, -1.0, 0.3)
    after = with_total(before, scores + shift, expected)
    assert after.slope == before.slope
    assert after.share == pytest.approx(expected / 400)
    assert float(after.probability(scores + shift).sum()) == pytest.approx(expected, rel=1e-6)


def test_with_total_cannot_expect_more_than_there_are_candidates():
    scores, _, _ = simulate(1.0, 0.0, 100, 0.0, 5)
    after = with_total(Calibration(), scores, 5000.0)
    assert after.share == 0.98
    assert float(after.probability(scores).sum()) == pytest.approx(98, rel=1e-6)


def test_with_total_of_nothing_changes_nothing():
    before = Calibration(0.9, -1.0, 0.3)
    assert with_total(before, torch.zeros(0), 5.0) == before
    assert with_total(before, torch.zeros(3), 0.0) == before


def test_bound_is_what_the_candidates_can_tell():
    bounded = with_bound(Calibration(1.0, 0.0, 0.5), 200)
    assert bounded.bound == pytest.approx(math.log(101))
    logits = torch.linspace(-30, 1000, 4000, dtype=torch.float64)
    ratio = bounded.log_likelihood_ratio(logits)
    assert bool((ratio.diff() > 0).all()), "the order of scores stays"
    assert float(ratio.max()) < bounded.bound + 1
    below = logits <= bounded.bound
    torch.testing.assert_close(ratio[below], Calibration(1.0, 0.0, 0.5).log_likelihood_ratio(logits[below]))
    assert float(bounded.probability(logits).max()) < 1 - 1 / 300
    sparse = with_bound(Calibration(1.0, 0.0, 0.01), 1000)
    top = torch.tensor([1e6], dtype=torch.float64)
    assert float(sparse.probability(top)) == pytest.approx(1 - 1 / (11 * math.e), abs=0.01), "not that of a small share"


@pytest.mark.parametrize("ratio", [-20.0, 0.0, 4.6, 4.7, 5.5])
def test_the_logit_of_a_ratio_is_its_inverse_also_above_the_bound(ratio):
    bounded = with_bound(Calibration(1.3, -0.7, 0.3), 333)
    logit = torch.tensor([bounded.logit(ratio)], dtype=torch.float64)
    assert float(bounded.log_likelihood_ratio(logit)) == pytest.approx(ratio, abs=1e-9)
    assert bounded.logit(bounded.bound + 1) == math.inf


@pytest.mark.parametrize("expected", [3.0, 40.0, 150.0])
def test_by_the_number_alone(expected):
    scores = torch.cat([torch.randn(300, generator=torch.Generator().manual_seed(0)) - 3, torch.linspace(0, 4, 40)])
    result = calibrate_by_number(scores.double(), expected)
    assert result.slope == USUAL_SLOPE
    assert float(result.probability(scores.double()).sum()) == pytest.approx(expected, rel=1e-3)


def test_expected_curve_of_a_worked_example():
    precision, recall, f1 = expected_curve(torch.tensor([1.0, 0.5, 0.1]), 2.0)
    assert precision.tolist() == pytest.approx([1.0, 0.75, 1.6 / 3])
    assert recall.tolist() == pytest.approx([0.5, 0.75, 0.8])
    assert f1.tolist() == pytest.approx([2 / 3, 3 / 4, 3.2 / 5])


def test_expected_curve_never_finds_more_than_there_are():
    _, recall, f1 = expected_curve(torch.tensor([0.9, 0.9, 0.9]), 1.0)
    assert float(recall.max()) == pytest.approx(1.0)
    assert float(f1.max()) <= 1.0
    assert all(len(part) == 0 for part in expected_curve(torch.zeros(0), 3.0))


def test_expected_curve_agrees_with_counting_when_probabilities_are_right():
    scores, particle, _ = simulate(1.0, -1.0, 20_000, 0.0, 8)
    probability, order = torch.sigmoid(scores - 1.0).sort(descending=True)
    precision, recall, _ = expected_curve(probability, float(particle.sum()))
    true = particle[order].double().cumsum(0)
    rank = torch.arange(1, 20_001)
    assert float((precision - true / rank)[500:].abs().max()) < 0.03
    assert float((recall - true / true[-1]).abs().max()) < 0.03
