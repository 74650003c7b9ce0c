import pytest
import torch

from pupicker.core.scores.class_prior import estimate_particles, particle_interval


def estimate(separation, particles, others, labels, seed, found=1.0):
    """Scores N(0, 1) of others and N(separation, 1) of particles; `found` of the particles are candidates at all."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(particles, generator=generator) + separation
    seen = torch.rand(particles, generator=generator) < found
    candidates = torch.cat([scores[seen], torch.randn(others, generator=generator)])
    chosen = torch.randperm(particles, generator=generator)[:labels]
    hits = scores[chosen][seen[chosen]]
    return estimate_particles(candidates, hits, labels, max_particles=10.0 * particles)


@pytest.mark.parametrize(("separation", "particles", "others", "bias"), [
    (4.0, 2000, 6000, 0.10), (4.0, 300, 9000, 0.15), (6.0, 1000, 20_000, 0.10),
])
@pytest.mark.parametrize("found", [1.0, 0.8])
def test_number_is_recovered_from_a_hundred_labels(separation, particles, others, bias, found):
    """Within 10 or 15 % on average, within a third for nine of ten sets of 100 labels."""
    estimates = torch.tensor([estimate(separation, particles, others, 100, seed, found) for seed in range(60)])
    assert float(estimates.mean()) == pytest.approx(particles, rel=bias)
    assert float(((estimates / particles - 1).abs() < 1 / 3).double().mean()) >= 0.9


def test_many_labels_give_the_number_to_a_few_percent():
    assert estimate(5.0, 4000, 8000, 2000, 1) == pytest.approx(4000, rel=0.05)


def test_a_poor_picker_gives_an_upper_bound():
    """Little separation: what lies above the median hit is not all particle."""
    estimates = [estimate(1.0, 1000, 6000, 100, seed) for seed in range(20)]
    assert min(estimates) > 1000
    assert max(estimates) <= 10_000


def test_worked_example():
    # Median hit 4 of the five labels: two reach it (5 and 4), and so do six candidates: 6 / (2 / 5) = 15.
    candidates = torch.tensor([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    assert estimate_particles(candidates, torch.tensor([3.0, 5.0, 4.0]), 5, 100.0) == pytest.approx(15.0)


def test_equal_scores_are_counted_the_same_among_hits_and_candidates():
    assert estimate_particles(torch.full((50,), 2.0), torch.full((10,), 2.0), 10, 1000.0) == pytest.approx(50.0)


def test_hits_that_are_all_candidates_give_their_own_number():
    scores = torch.linspace(0, 1, 30)
    assert estimate_particles(scores, scores, 30, 1000.0) == pytest.approx(30.0)


def test_result_lies_between_the_labels_and_what_fits():
    scores = torch.linspace(0, 1, 1000)
    assert estimate_particles(scores, scores[:10], 10, 200.0) == 200.0
    assert estimate_particles(scores[-3:], scores[-3:], 50, 200.0) == 50.0
    assert estimate_particles(scores[-3:], scores[-3:], 50, 20.0) == 50.0


def test_without_hits_all_candidates_may_be_particles():
    assert estimate_particles(torch.zeros(70), torch.zeros(0), 5, 1000.0) == 70.0
    assert estimate_particles(torch.zeros(70), torch.zeros(0), 5, 60.0) == 60.0
    assert estimate_particles(torch.zeros(0), torch.zeros(0), 5, 60.0) == 5.0


def test_no_label_is_an_error():
    with pytest.raises(ValueError, match="at least one label"):
        estimate_particles(torch.zeros(3), torch.zeros(0), 0, 10.0)


def interval(separation, particles, others, labels, seed):
    """As :func:`estimate`; also whether the interval holds the number of particles."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(particles, generator=generator) + separation
    candidates = torch.cat([scores, torch.randn(others, generator=generator)])
    hits = scores[torch.randperm(particles, generator=generator)[:labels]]
    return particle_interval(candidates, hits, labels, max_particles=1e9)


@pytest.mark.parametrize("labels", [4, 10, 100])
def test_interval_of_a_separating_picker_holds_the_number_as_often_as_it_says(labels):
    found = [interval(7.0, 1000, 3000, labels, seed) for seed in range(300)]
    held = sum(low <= 1000 <= high for low, high in found) / len(found)
    assert held == pytest.approx(0.9, abs=0.05)  # three standard errors of 300 draws


def test_interval_narrows_with_the_labels():
    few, many = interval(7.0, 1000, 3000, 5, 1), interval(7.0, 1000, 3000, 400, 1)
    assert few[1] / few[0] > 3 and many[1] / many[0] < 1.25


def test_interval_by_hand():
    # One label, hit: its recall is uniform, hence 5 and 95 % quantiles of 0.05 and 0.95.
    scores = torch.arange(40.0)
    assert particle_interval(scores, scores[20:21], 1, 1e6) == pytest.approx((20 / 0.95, 20 / 0.05))


def test_interval_is_clipped_and_total_without_hits():
    scores = torch.linspace(0, 1, 100)
    assert particle_interval(scores, scores[:0], 7, 50.0) == (7.0, 50.0)
    assert particle_interval(scores, scores[10:12], 2, 120.0)[1] == 120.0
    assert particle_interval(scores, scores[-30:], 30, 20.0) == (30.0, 30.0)
    with pytest.raises(ValueError, match="at least one label"):
        particle_interval(scores, scores[:0], 0, 10.0)
