import math

import pytest
import torch

from pupicker.core.detection.noise_floor import noise_floor


def normal(count, seed, mean=0.0):
    return torch.randn(count, generator=torch.Generator().manual_seed(seed)) + mean


def test_worked_example():
    noise = torch.arange(10.0)  # 0 to 9; the tail begins at the 80 % quantile, 7.2: 8 and 9, mean excess 1.3
    candidates = torch.tensor([20.0, 19.0, 18.0, 17.0, 7.0, 6.0, 5.0])
    # At 17: 2 exp(-(17 - 7.2) / 1.3) = 0.001 false of 4.  At 7: 3 of 5.
    assert noise_floor(candidates, noise, 1.0) == 17.0
    assert noise_floor(candidates, noise, 1.0, share=0.6) == 7.0  # and at 6: 4 of 6
    assert noise_floor(candidates, noise, 0.1) == 5.0  # 0.5 of 7


def test_noise_alone_reaches_the_floor_on_no_more_than_one_micrograph_in_five():
    """Of a normal distribution on fewer: its tail is shorter than an exponential one."""
    floors = [noise_floor(normal(300, seed), normal(900, 1000 + seed), 1 / 3) for seed in range(200)]
    reached = [int((normal(300, seed) >= floor).sum()) for seed, floor in enumerate(floors)]
    assert sum(number > 0 for number in reached) / 200 <= 0.2
    assert sorted(reached)[150] == 0 and max(reached) <= 20


@pytest.mark.parametrize("particles", [20, 100, 400])
def test_false_share_of_what_is_above_the_floor(particles):
    shares = []
    for seed in range(40):
        others, own = normal(300, seed), normal(particles, 500 + seed, 4.0)
        floor = noise_floor(torch.cat([others, own]), normal(900, 1000 + seed), 1 / 3)
        false, true = int((others >= floor).sum()), int((own >= floor).sum())
        shares.append(false / max(1, false + true))
        assert true > 0.5 * particles
    assert sum(shares) / 40 == pytest.approx(0.2, abs=0.06)


def test_floor_without_a_candidate_above_it_is_where_noise_gives_the_share():
    noise = -torch.log(1 - torch.arange(0.5, 1000) / 1000)  # an exponential distribution of scale 1
    floor = noise_floor(torch.zeros(0), noise, 1.0)
    assert floor == pytest.approx(math.log(1000 / 0.2), rel=0.02)
    assert noise_floor(torch.zeros(0), noise, 0.1) == pytest.approx(math.log(100 / 0.2), rel=0.02)


def test_too_little_noise_says_nothing():
    assert noise_floor(normal(10, 0), normal(4, 1), 1.0) == -math.inf


def test_order_and_kind_of_numbers_do_not_matter():
    candidates, noise = torch.cat([normal(50, 0), normal(20, 1, 5.0)]), normal(100, 2)
    floor = noise_floor(candidates, noise, 1.0)
    assert floor == noise_floor(candidates.flip(0), noise.flip(0).double(), 1.0)
    assert floor in candidates.tolist()
