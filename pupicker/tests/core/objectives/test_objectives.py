import math

import pytest
import torch

from pupicker.core.objectives import OBJECTIVES
from pupicker.core.objectives.base import loss_as_negative, loss_as_positive
from pupicker.core.objectives.ge_binomial import STRENGTH, count_cost, ge_binomial, poisson_binomial
from pupicker.core.objectives.ge_gaussian import SMALLEST_VARIANCE, gaussian_counts, ge_gaussian
from pupicker.core.objectives.ge_kl import ge_kl
from pupicker.core.objectives.ge_kl_forward import ge_kl_forward
from pupicker.core.objectives.ge_squared import ge_squared, squared_deviation
from pupicker.core.objectives.nnpu import nnpu
from pupicker.core.objectives.pn import pn
from pupicker.shared import choices

N = 240
PRIORS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.1]  # 0.24 .. 24 positives in a minibatch


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def binomial(trials, p):
    """From the definition, in Python integers and floats."""
    return torch.tensor([math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(trials + 1)],
                        dtype=torch.float64)


def log_binomial(trials, p):
    """The same where it would underflow; p between 0 and 1."""
    return torch.tensor(
        [math.log(math.comb(trials, k)) + k * math.log(p) + (trials - k) * math.log(1 - p) for k in range(trials + 1)],
        dtype=torch.float64,
    )


def convolved(probability):
    """Distribution of the number of successes, one trial after the other."""
    q = torch.ones(1, dtype=torch.float64)
    for p in probability:
        q = torch.cat([q * (1 - p), q.new_zeros(1)]) + torch.cat([q.new_zeros(1), q * p])
    return q


def expected_cost(p, prior):
    """Count cost of a classifier that gives every region the probability `p`."""
    return float((poisson_binomial(torch.full((N,), p, dtype=torch.float64)) * count_cost(N, prior)).sum())


# -- Poisson-binomial distribution ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [1, 2, 3, 8, 63, 64, 241])
def test_poisson_binomial_equals_convolution(trials):
    probability = torch.rand(trials, generator=torch.Generator().manual_seed(trials), dtype=torch.float64)
    probability[0] = 1.0
    probability[trials // 2] = 0.5
    probability[-1] = 0.0
    q = poisson_binomial(probability)
    assert q.shape == (trials + 1,)
    torch.testing.assert_close(q, convolved(probability), rtol=0, atol=1e-14)


@pytest.mark.parametrize("trials", [1, 7, 64, N])
@pytest.mark.parametrize("p", [0.0, 1e-4, 0.035, 0.5, 0.9, 1.0])
def test_poisson_binomial_of_equal_probabilities_is_binomial(trials, p):
    q = poisson_binomial(torch.full((trials,), p, dtype=torch.float64))
    torch.testing.assert_close(q, binomial(trials, p), rtol=0, atol=1e-13)


def test_poisson_binomial_gradient():
    probability = torch.rand(9, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(poisson_binomial, probability)


# -- GE-binomial ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", PRIORS)
def test_count_cost_is_the_binomial_log_density_plus_a_line_from_zero(prior):
    line = count_cost(N, prior) + log_binomial(N, prior)
    k = torch.arange(N + 1, dtype=torch.float64)
    assert float(line[0]) == pytest.approx(0.0, abs=1e-12)  # k = 0 has its cost too
    torch.testing.assert_close(line, line[-1] / N * k, rtol=0, atol=1e-9)


@pytest.mark.parametrize("prior", PRIORS)
def test_ge_binomial_is_smallest_at_the_prior_even_where_less_than_one_positive_is_expected(prior):
    expected = N * prior
    counts = torch.linspace(0, 3 * expected + 3, 301, dtype=torch.float64)
    cost = torch.tensor([expected_cost(float(c) / N, prior) for c in counts])
    assert float(counts[cost.argmin()]) == pytest.approx(expected, abs=float(counts[1]))
    # One minimum only: the way there is downhill from both sides.
    assert bool((cost.diff()[: int(cost.argmin())] < 0).all())
    assert bool((cost.diff()[int(cost.argmin()) :] > 0).all())


@pytest.mark.parametrize("prior", [0.01, 0.035, 0.1])
@pytest.mark.parametrize("confidence", [4.0, 9.2, 30.0])
def test_ge_binomial_does_not_punish_a_classifier_that_is_right(prior, confidence):
    """Averaged over minibatches; the other direction of the cross-entropy costs the perfect one about 24 nats more."""
    batches = 600
    positive = torch.rand((batches, N), generator=torch.Generator().manual_seed(7)) < prior
    cost = count_cost(N, prior)
    # Right, and as many false positives as false negatives, so that the mean is the prior at any confidence.
    missed = 1 / (1 + math.exp(confidence))
    false = missed * prior / (1 - prior)
    probability = torch.where(positive, 1 - missed, false).double()
    costs = torch.stack([(poisson_binomial(p) * cost).sum() for p in probability])
    standard_error = float(costs.std()) / math.sqrt(batches)
    assert standard_error < 0.05
    assert float(costs.mean()) == pytest.approx(expected_cost(prior, prior), abs=4 * standard_error)


def test_ge_binomial_of_a_constant_classifier_is_the_binomials_entropy():
    prior = 0.035
    logit = math.log(prior / (1 - prior))
    loss = ge_binomial(torch.full((16,), 40.0).double(), torch.full((N,), logit, dtype=torch.float64), prior)
    q, log_q = binomial(N, prior), log_binomial(N, prior)
    k = torch.arange(N + 1, dtype=torch.float64)
    entropy = -(q * log_q).sum()
    slope = (q * (k - N * prior) * log_q).sum() / (N * prior * (1 - prior))
    assert float(entropy) == pytest.approx(0.5 * math.log(2 * math.pi * math.e * N * prior * (1 - prior)), abs=0.02)
    assert float(loss.value) == pytest.approx(STRENGTH * float(entropy + slope * N * prior), abs=1e-6)


@pytest.mark.parametrize("prior", [0.01, 0.035, 0.1])
def test_ge_binomial_depends_on_counts_only_quadratically_near_the_prior(prior):
    """Second order in the mean: N (g - pi)^2 / (2 pi (1 - pi)), the weight that the binomial's variance gives."""
    step = 0.1 * prior
    curvature = (expected_cost(prior + step, prior) - 2 * expected_cost(prior, prior)
                 + expected_cost(prior - step, prior)) / step**2
    assert curvature == pytest.approx(N / (prior * (1 - prior)), rel=0.4)


# -- GE-binomial with a Gaussian, and with a square -------------------------------------------------------------------


@pytest.mark.parametrize(("p", "distance"), [(0.02, 0.09), (0.1, 0.03), (0.5, 0.003)])
def test_gaussian_counts_become_the_exact_ones(p, distance):
    """Total variation; smaller the larger the variance, by the central limit theorem."""
    probability = torch.full((1000,), p, dtype=torch.float64) * (1 + 0.3 * noise(1000).clamp(-1, 1))
    probability = probability.clamp(0, 1)
    exact, gaussian = poisson_binomial(probability), gaussian_counts(probability)
    assert float(gaussian.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float((exact - gaussian).abs().sum()) / 2 < distance


@pytest.mark.parametrize("prior", [0.1, 0.3])
def test_ge_gaussian_becomes_ge_binomial_with_many_expected_positives(prior):
    """Value and gradient, around the prior."""
    positive = torch.full((16,), 30.0, dtype=torch.float64)
    unlabelled = noise(2000, seed=3) + math.log(prior / (1 - prior))
    values, gradients = [], []
    for objective in (ge_binomial, ge_gaussian):
        logits = unlabelled.clone().requires_grad_()
        loss = objective(positive, logits, prior)
        (gradient,) = torch.autograd.grad(loss.objective, logits)
        values.append(float(loss.value.detach()))
        gradients.append(gradient)
    assert values[1] == pytest.approx(values[0], rel=0.01)
    assert float((gradients[1] - gradients[0]).norm() / gradients[0].norm()) < 0.05


@pytest.mark.parametrize("p", [0.0, 1e-9, 1e-4, 1.0])
def test_variance_of_the_gaussian_has_a_floor(p):
    """Two neighbouring counts keep a ratio that the floor gives, however certain the classifier."""
    counts = gaussian_counts(torch.full((N,), p, dtype=torch.float64))
    at = round(N * p)
    beside = at + 1 if at < N else at - 1
    distance = (beside - N * p) ** 2 - (at - N * p) ** 2
    assert float(counts[beside] / counts[at]) == pytest.approx(math.exp(-distance / (2 * SMALLEST_VARIANCE)), rel=1e-6)


@pytest.mark.parametrize("prior", PRIORS)
def test_ge_squared_has_no_gradient_at_the_prior(prior):
    logits = torch.full((N,), math.log(prior / (1 - prior)), dtype=torch.float64, requires_grad=True)
    ge_squared(torch.full((4,), 60.0).double(), logits, prior).objective.backward()
    assert float(logits.grad.abs().max()) < 1e-12


def test_squared_deviation_is_the_one_of_its_docstring():
    g, prior = torch.rand(7, generator=torch.Generator().manual_seed(2), dtype=torch.float64), 0.2
    pairs = [float(g[i] * g[j]) for i in range(7) for j in range(7) if i != j]
    expected = sum(pairs) / len(pairs) - 2 * prior * float(g.mean()) + prior**2
    assert float(squared_deviation(g, prior)) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("certain", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("mean", [0.02, 0.05, 0.2])
def test_squared_deviation_is_unbiased_whatever_the_confidence(mean, certain):
    """Regions drawn from a population whose predictions have that mean: on average (mean - prior)^2."""
    prior, batches, trials = 0.05, 4000, 60
    generator = torch.Generator().manual_seed(5)
    zero_or_one = (torch.rand((batches, trials), generator=generator, dtype=torch.float64) < mean).double()
    between = 2 * mean * torch.rand((batches, trials), generator=generator, dtype=torch.float64)
    g = torch.where(torch.rand((batches, trials), generator=generator) < certain, zero_or_one, between)
    values = torch.stack([squared_deviation(row, prior) for row in g])
    standard_error = float(values.std()) / batches**0.5
    assert float(values.mean()) == pytest.approx((mean - prior) ** 2, abs=4 * standard_error)
    naive = ((g.mean(1) - prior) ** 2).mean()  # the square of a mean adds the variance: that is the bias avoided
    assert certain == 0 or float(naive) - (mean - prior) ** 2 > 4 * standard_error


@pytest.mark.parametrize("prior", [0.035, 0.1])
def test_the_three_forms_agree_to_second_order(prior):
    """The same curvature of the cost in the common probability of all regions, N / (pi (1 - pi)) for each."""
    positive, step = torch.full((4,), 60.0, dtype=torch.float64), 0.1 * prior

    def curvature(objective):
        values = [float(objective(positive, torch.full((N,), math.log(p / (1 - p))).double(), prior).value)
                  for p in (prior - step, prior, prior + step)]
        return (values[0] - 2 * values[1] + values[2]) / step**2

    expected = N / (prior * (1 - prior))
    assert curvature(ge_squared) == pytest.approx(expected, rel=1e-3)
    assert curvature(ge_binomial) == pytest.approx(expected, rel=0.4)
    assert curvature(ge_gaussian) == pytest.approx(expected, rel=0.4)


# -- GE-KL, nnPU, PN --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [ge_kl, ge_kl_forward])
@pytest.mark.parametrize("prior", [0.005, 0.035, 0.5])
def test_ge_kl_is_zero_at_the_prior_whatever_the_confidence(objective, prior):
    positive, regions = torch.full((8,), 60.0, dtype=torch.float64), 200
    constant = torch.full((regions,), math.log(prior / (1 - prior)), dtype=torch.float64)
    certain = torch.full((regions,), -60.0, dtype=torch.float64)
    count = round(regions * prior)
    certain[:count] = 60.0
    for unlabelled in (constant, certain):
        assert float(objective(positive, unlabelled, prior).value) == pytest.approx(0.0, abs=1e-9)
    fewer, more = certain.clone(), certain.clone()
    fewer[count - 1], more[count] = -60.0, 60.0
    for unlabelled in (constant - 0.5, constant + 0.5, fewer, more):
        assert float(objective(positive, unlabelled, prior).value) > 1e-4


def divergence(p, q):
    """KL(Bern(p) || Bern(q)), from the definition."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_ge_kl_is_the_papers_divergence_from_the_mean_prediction_to_the_prior_and_has_another_direction():
    unlabelled, prior = noise(50, seed=2) - 2, 0.07
    mean = float(torch.sigmoid(unlabelled).mean())
    positive = torch.tensor([1.5, -0.3], dtype=torch.float64)
    own, forward = (float(f(positive, unlabelled, prior).value) for f in (ge_kl, ge_kl_forward))
    labelled = float(loss_as_positive(positive))
    assert own == pytest.approx(labelled + 10 * divergence(mean, prior), abs=1e-12)
    assert forward == pytest.approx(labelled + 10 * divergence(prior, mean), abs=1e-12)
    assert abs(own - forward) > 0.05
    assert OBJECTIVES["ge-kl"] is ge_kl and OBJECTIVES["ge-kl-forward"] is ge_kl_forward


def test_gradients_of_ge_kl_are_those_of_the_docstrings():
    unlabelled, prior = (noise(50, seed=2) - 2).requires_grad_(), 0.07
    g = torch.sigmoid(unlabelled.detach())
    mean = g.mean()
    own = torch.logit(mean) - math.log(prior / (1 - prior))
    forward = (mean - prior) / (mean * (1 - mean))
    for objective, factor in ((ge_kl, own), (ge_kl_forward, forward)):
        loss = objective(torch.full((4,), 60.0).double(), unlabelled, prior).objective
        (gradient,) = torch.autograd.grad(loss, unlabelled)
        torch.testing.assert_close(gradient, 10 * g * (1 - g) / 50 * factor, rtol=1e-9, atol=1e-15)


def test_a_form_of_scipion_that_was_stored_means_the_same_objective():
    """It stores an index; the second was the divergence from the prior before that had a name of its own."""
    assert choices.OBJECTIVES[:6] == ("ge-binomial", "ge-kl-forward", "nnpu", "pn", "ge-gaussian", "ge-squared")
    assert set(choices.OBJECTIVES) == set(OBJECTIVES)


def test_nnpu_is_the_unbiased_risk_while_its_negative_part_is_positive():
    positive, unlabelled, prior = noise(30) + 1, noise(60, seed=1) - 1, 0.1
    loss = nnpu(positive, unlabelled, prior)
    risk = prior * loss_as_positive(positive) + loss_as_negative(unlabelled) - prior * loss_as_negative(positive)
    assert float(loss.value) == pytest.approx(float(risk), abs=1e-12)
    assert torch.equal(loss.objective, loss.value)


def test_nnpu_climbs_the_negative_part_once_it_is_negative():
    positive, prior = torch.full((30,), 20.0, dtype=torch.float64, requires_grad=True), 0.2
    unlabelled = torch.full((60,), -20.0, dtype=torch.float64, requires_grad=True)
    loss = nnpu(positive, unlabelled, prior)
    negative_part = float((loss_as_negative(unlabelled) - prior * loss_as_negative(positive)).detach())
    assert negative_part == pytest.approx(-4.0, abs=1e-6)
    assert float(loss.objective.detach()) == pytest.approx(-negative_part, abs=1e-12)
    assert float(loss.value.detach()) == pytest.approx(prior * float(loss_as_positive(positive).detach()), abs=1e-12)
    on_positive, on_unlabelled = torch.autograd.grad(loss.objective, (positive, unlabelled))
    # A descent step lowers the positives and raises the unlabelled: the overfit is undone.
    assert bool((on_positive > 0).all()) and bool((on_unlabelled < 0).all())


def test_nnpu_risk_of_unlabelled_data_equals_the_risk_with_all_labels_on_average():
    """That is what makes it unbiased: positives hidden in the unlabelled set are subtracted again."""
    prior, regions = 0.2, 200_000
    is_positive = torch.rand(regions, generator=torch.Generator().manual_seed(3)) < prior
    logits = noise(regions, seed=4) + torch.where(is_positive, 1.0, -1.0)
    labelled = noise(50_000, seed=5) + 1.0
    full = prior * loss_as_positive(logits[is_positive]) + (1 - prior) * loss_as_negative(logits[~is_positive])
    assert float(nnpu(labelled, logits, prior).value) == pytest.approx(float(full), abs=0.01)


def test_pn_is_the_weighted_cross_entropy():
    positive, unlabelled = torch.tensor([0.0, 2.0]).double(), torch.tensor([-1.0, 3.0]).double()
    expected = 0.1 * (math.log(2) + math.log1p(math.exp(-2))) / 2
    expected += 0.9 * (math.log1p(math.exp(-1)) + math.log1p(math.exp(3))) / 2
    assert float(pn(positive, unlabelled, 0.1).value) == pytest.approx(expected, abs=1e-12)


# -- all objectives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("prior", [0.01, 0.3])
def test_gradients_agree_with_finite_differences(name, prior):
    positive, unlabelled = (noise(5) + 1).requires_grad_(), (2 * noise(11, seed=1) - 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, u: OBJECTIVES[name](p, u, prior).objective, (positive, unlabelled))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("prior", [0.001, 0.035, 0.5])
@pytest.mark.parametrize(("p", "u"), [(60.0, 60.0), (-60.0, -60.0), (60.0, -60.0), (-60.0, 60.0), (0.0, 0.0),
                                      (50.0, -50.0), (-50.0, 50.0)])
def test_values_and_gradients_are_finite_for_extreme_logits_in_single_precision(name, prior, p, u):
    positive = torch.full((16,), p, requires_grad=True)
    unlabelled = torch.full((N,), u, requires_grad=True)
    loss = OBJECTIVES[name](positive, unlabelled, prior)
    loss.objective.backward()
    assert loss.objective.dtype == torch.float32
    assert bool(loss.value.isfinite()) and bool(loss.objective.isfinite())
    assert positive.grad is not None and bool(positive.grad.isfinite().all())
    assert unlabelled.grad is not None and bool(unlabelled.grad.isfinite().all())


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("prior", [0.01, 0.035, 0.1])
def test_a_collapsed_classifier_is_pulled_back_by_its_labels(name, prior):
    """All logits one shared, very negative value: a descent step must raise it, at any depth of the collapse."""
    for depth in (-5.0, -9.2, -15.0, -30.0):
        bias = torch.tensor(depth, dtype=torch.float64, requires_grad=True)
        OBJECTIVES[name](bias.expand(16), bias.expand(N), prior).objective.backward()
        # PN and nnPU weigh the labels by the prior; the generalised expectations by one.
        smallest = 0.99 if name.startswith("ge") else 0.3 * prior
        assert float(bias.grad) < -smallest


@pytest.mark.parametrize(("prior", "gradient"), [(0.035, -5.2e-2), (0.01, -2.1e-2)])
def test_the_unlabelled_part_alone_pulls_back_a_collapsed_classifier(prior, gradient):
    """Sum of dL/dlogit at g = 1e-4; the Gaussian approximation of the counts has -1e-7 there."""
    logit = math.log(1e-4 / (1 - 1e-4))
    unlabelled = torch.full((N,), logit, dtype=torch.float64, requires_grad=True)
    positive = torch.full((16,), 60.0, dtype=torch.float64)
    ge_binomial(positive, unlabelled, prior).objective.backward()
    total = float(unlabelled.grad.sum())
    assert total < 0
    # That value is without the correction of the bias, which has a gradient of its own: N g (1 - g) b.
    slope = float((count_cost(N, prior) + log_binomial(N, prior))[1])
    assert total - N * 1e-4 * (1 - 1e-4) * slope == pytest.approx(gradient, rel=0.02)
    unlabelled.grad = None
    ge_gaussian(positive, unlabelled, prior).objective.backward()
    assert float(unlabelled.grad.sum()) < -0.2 * abs(gradient)
    unlabelled.grad = None
    ge_squared(positive, unlabelled, prior).objective.backward()
    assert float(unlabelled.grad.sum()) < -0.4 * abs(gradient)
    unlabelled.grad = None
    ge_kl_forward(positive, unlabelled, prior).objective.backward()
    assert float(unlabelled.grad.sum()) == pytest.approx(10 * (1e-4 - prior), rel=1e-6)
    unlabelled.grad = None
    ge_kl(positive, unlabelled, prior).objective.backward()  # bounded, so it has next to none
    assert float(unlabelled.grad.sum()) == pytest.approx(
        10 * 1e-4 * (1 - 1e-4) * (logit - math.log(prior / (1 - prior))), rel=1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_descent_separates_what_can_be_separated(name):
    """One weight and one bias on a score that tells positives from negatives; PU data."""
    prior, generator = 0.1, torch.Generator().manual_seed(11)
    weight, bias = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=0.1)
    for _ in range(150):
        hidden = torch.rand(N, generator=generator) < prior
        x = torch.randn(N, generator=generator) + torch.where(hidden, 4.0, -4.0)
        labelled = torch.randn(16, generator=generator) + 4.0
        optimizer.zero_grad()
        OBJECTIVES[name](weight * labelled + bias, weight * x + bias, prior).objective.backward()
        optimizer.step()
    found = float(torch.sigmoid(weight.detach() * 4 + bias.detach()))
    background = float(torch.sigmoid(weight.detach() * -4 + bias.detach()))
    assert background < 0.02
    if name == "pn":  # calls the hidden positives negative: half of what it sees at +4 is labelled, by weight
        assert 0.4 < found < 0.65
    else:
        assert found > 0.75


# ---- labelled negatives


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name.startswith("ge")])
@pytest.mark.parametrize("count", [1, 16, 50])
def test_labelled_negatives_join_the_one_expectation_over_all_labelled_regions(name, count):
    """The paper's semi-supervised case: the first term is the mean loss of all that is labelled, whatever its label."""
    positive, unlabelled, negative = noise(16), noise(64, seed=1) - 3, noise(count, seed=2).requires_grad_()
    constraint = float(OBJECTIVES[name](positive, unlabelled, 0.05).value) - float(loss_as_positive(positive))
    loss = OBJECTIVES[name](positive, unlabelled, 0.05, negative)
    logits, label = torch.cat([positive, negative.detach()]), torch.tensor([1.0] * 16 + [0.0] * count).double()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, label)
    assert float(loss.value.detach()) == pytest.approx(float(expected) + constraint, abs=1e-12)
    loss.objective.backward()
    # Pushed down, the higher the stronger, never vanishing.
    torch.testing.assert_close(negative.grad, torch.sigmoid(negative.detach()) / (16 + count))


@pytest.mark.parametrize("name", ["pn", "nnpu"])
@pytest.mark.parametrize("spread", [1.0, 20.0])  # with the larger one nnPU climbs
def test_labelled_negatives_are_a_term_of_their_own_beside_risks_that_the_prior_weighs(name, spread):
    positive, unlabelled, negative = spread * noise(16).abs(), -spread * noise(64, seed=1).abs(), noise(9, seed=2)
    alone, together = (OBJECTIVES[name](positive, unlabelled, 0.2, some) for some in (None, negative))
    assert float(together.value - alone.value) == pytest.approx(float(loss_as_negative(negative)))
    assert float(together.objective - alone.objective) == pytest.approx(float(loss_as_negative(negative)))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_negatives_change_nothing(name):
    positive, unlabelled = noise(16), noise(64, seed=1) - 3
    alone, empty = (OBJECTIVES[name](positive, unlabelled, 0.05, some) for some in (None, noise(0)))
    assert torch.equal(alone.value, empty.value) and torch.equal(alone.objective, empty.objective)
