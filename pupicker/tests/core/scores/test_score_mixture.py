import math

import pytest
import torch

from pupicker.core.scores.class_prior import estimate_particles, particle_interval
from pupicker.core.scores.score_mixture import mixture_particles


def scores(separation, particles, others, labels, seed):
    """Candidates N(0, 1) of others and N(separation, 1) of particles; those of the labelled ones."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(particles, generator=generator) + separation
    hits = own[torch.randperm(particles, generator=generator)[:labels]]
    return torch.cat([own, torch.randn(others, generator=generator)]), hits


@pytest.mark.parametrize("labels", [5, 25, 100])
def test_better_than_the_bound_where_scores_separate(labels):
    mixture, bound = [], []
    for seed in range(30):
        candidates, hits = scores(4.0, 500, 1500, labels, seed)
        for errors, estimate in ((mixture, mixture_particles), (bound, estimate_particles)):
            errors.append(math.log(estimate(candidates, hits, labels, 1e5) / 500) ** 2)
    assert sum(mixture) < 0.7 * sum(bound)
    assert math.sqrt(sum(mixture) / 30) < {5: 0.35, 25: 0.12, 100: 0.08}[labels]


@pytest.mark.parametrize("separation", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("labels", [3, 10])
def test_never_outside_of_what_the_labels_leave(separation, labels):
    for seed in range(20):
        candidates, hits = scores(separation, 300, 1200, labels, seed)
        low, high = particle_interval(candidates, hits, labels, 1e5)
        assert low <= mixture_particles(candidates, hits, labels, 1e5) <= high


def test_labels_that_were_not_hit_stand_for_particles_that_were_not_found():
    candidates, hits = scores(6.0, 400, 1000, 80, 1)
    assert mixture_particles(candidates, hits, 160, 1e5) == pytest.approx(800, rel=0.1)


def test_degenerate_scores():
    same = torch.full((50,), 2.0)
    assert mixture_particles(same, same[:10], 10, 1000.0) == pytest.approx(50.0)
    assert mixture_particles(torch.zeros(70), torch.zeros(0), 5, 60.0) == 60.0
    assert mixture_particles(torch.tensor([1.0, 2.0]), torch.tensor([2.0]), 1, 60.0) >= 1.0
