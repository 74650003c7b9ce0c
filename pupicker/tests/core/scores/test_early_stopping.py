import numpy as np
import pytest
import torch

from pupicker.core.scores.early_stopping import best_epoch, pu_average_precision
from pupicker.core.scores.metrics import precision_recall


def candidates_of(separation, particles, others, found, seed):
    """Scores of all candidates and which are particles; a part of the particles is no candidate at all."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.cat([torch.randn(particles, generator=generator) + separation,
                        torch.randn(others, generator=generator)])
    seen = torch.rand(particles + others, generator=generator) < torch.tensor([found, 1.0]).repeat_interleave(
        torch.tensor([particles, others]))
    return scores, seen, generator


def true_average_precision(scores, seen, particles):
    hit = (torch.arange(len(scores)) < particles)[seen].numpy()
    return precision_recall([hit], [scores[seen].double().numpy()], particles).average_precision


def mean_error(separation, found, labels):
    """Of the estimate against the truth: 30 label sets on each of four simulated data sets with 800 particles."""
    particles, others, differences = 800, 2400, []
    for seed in range(4):
        scores, seen, generator = candidates_of(separation, particles, others, found, seed)
        true = true_average_precision(scores, seen, particles)
        for _ in range(30):
            chosen = torch.randperm(particles, generator=generator)[:labels]
            hits = scores[chosen][seen[chosen]]
            differences.append(pu_average_precision(scores[seen], hits, labels, particles) - true)
    return np.mean(differences), np.std(differences)


@pytest.mark.parametrize("separation", [1.0, 2.0, 3.0])  # AP 0.5, 0.8, 0.96 of what is found
@pytest.mark.parametrize("found", [1.0, 0.85])
def test_estimate_equals_the_true_average_precision_in_expectation(separation, found):
    few, scatter = mean_error(separation, found, 100)
    many, less_scatter = mean_error(separation, found, 500)
    # The cut at one makes it a little low where precision is near one, the less the more labels there are.
    assert -0.045 < few < 0.025
    assert abs(many) < 0.02
    assert scatter < 0.09
    assert less_scatter < scatter / 1.8


def test_all_particles_labelled_give_the_average_precision_itself():
    scores, seen, _ = candidates_of(1.5, 300, 900, 0.9, 3)
    estimate = pu_average_precision(scores[seen], scores[:300][seen[:300]], 300, 300)
    assert estimate == pytest.approx(true_average_precision(scores, seen, 300), abs=1e-9)


def test_the_better_picker_has_the_higher_estimate():
    values = []
    for separation in (0.5, 1.0, 2.0, 4.0):
        scores, seen, _ = candidates_of(separation, 500, 2000, 1.0, 4)
        values.append(pu_average_precision(scores[seen], scores[:80], 80, 500))
    assert values == sorted(values)
    assert values[-1] > 0.95


def test_worked_example():
    # Hits at ranks 1 and 4 of the candidates; two of the three labels hit, six particles expected.
    candidates, hits = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0]), torch.tensor([2.0, 5.0])
    assert pu_average_precision(candidates, hits, 3, 6.0) == pytest.approx((1 + min(1, 6 * 2 / 3 / 4)) / 3)
    assert pu_average_precision(candidates, hits, 3, 3.0) == pytest.approx((1 + 3 * 2 / 3 / 4) / 3)


def test_labels_that_are_not_hit_add_nothing():
    candidates = torch.linspace(0, 1, 50)
    assert pu_average_precision(candidates, torch.zeros(0), 10, 20.0) == 0.0
    assert pu_average_precision(candidates, candidates[-5:], 10, 10.0) == pytest.approx(0.5)


def test_estimate_depends_on_the_order_of_scores_only():
    scores, seen, _ = candidates_of(1.5, 300, 900, 1.0, 5)
    first = pu_average_precision(scores[seen], scores[:60], 60, 300)
    assert pu_average_precision((scores[seen] / 4).exp(), (scores[:60] / 4).exp(), 60, 300) == pytest.approx(first)


MANY = 10**9  # labels: no doubt about the values


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.1, 0.5, 0.9, 0.8, 0.9, 0.2], 3), ([0.3], 0), ([0.5, 0.5, 0.5], 2), ([0.1, 0.2, 0.3], 2), ([0.9, 0.8, 0.1], 0),
     ([0.1, 0.99, 0.1, 0.7, 0.7, 0.7], 4 + 1)],
)
def test_best_epoch_is_the_one_in_the_best_neighbourhood_and_the_last_of_equal_ones(values, expected):
    assert best_epoch(values, MANY) == expected


def test_a_window_of_one_takes_the_single_best():
    assert best_epoch([0.1, 0.99, 0.1, 0.7, 0.7, 0.7], MANY, window=1) == 1


def test_of_epochs_within_a_standard_error_the_last_is_taken():
    """With 25 labels the error of 0.8 is 0.08: 0.75 cannot be told from it, 0.6 can."""
    values = [0.5, 0.8, 0.78, 0.75, 0.6]
    assert best_epoch(values, 25, window=1) == 3
    assert best_epoch(values, 10_000, window=1) == 1
    assert best_epoch([0.9, 0.9, 0.9, 0.6], 25, window=1) == 2


def test_early_epochs_are_not_considered():
    assert best_epoch([0.9, 0.8, 0.3, 0.4, 0.2], MANY, first=2, window=1) == 3
    assert best_epoch([0.9, 0.8], MANY, first=2, window=1) == 1
