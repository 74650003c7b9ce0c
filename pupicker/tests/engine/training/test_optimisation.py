"""What one update does, to the digit: start, warm-up, running average, autoencoder term."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pupicker.core.regions.patches import PatchGrid
from pupicker.engine.runtime.device import set_precision
from pupicker.engine.runtime.processes import Processes
from pupicker.engine.training.minibatches import make_sampler
from pupicker.engine.training.optimisation import WARM_UP_UPDATES, Fitting, FittingOptions
from pupicker.tests.engine.blobs import training_set

FITTING = FittingOptions(network="conv31", network_settings={"width": 4}, batch_size=32, positives=4, seed=2)
DATA = training_set(5, 5)
CPU = torch.device("cpu")
WEIGHT = "block0.convolution.weight"


def sampler():
    none = [torch.zeros(5, dtype=torch.bool)] * 2
    return make_sampler(DATA.micrographs, none, 2.4, PatchGrid(31, 4, 4), CPU)


class Itself(Processes):
    """As if there were several processes, of which this one has every row."""

    def __bool__(self):
        return True

    def total(self, sums):
        return sums

    def sum_gradients(self, parameters):
        pass

    def tell(self, word, **content):
        pass

    def spread(self, tensors):
        pass


def updated(fitting, count=1):
    """The mean loss of so many updates."""
    return fitting.update_many(sampler(), 0.03, count, lambda: False)


def test_initial_weights_follow_from_the_seed():
    one, again, other = (Fitting(replace(FITTING, seed=seed), CPU).network.state_dict()[WEIGHT] for seed in (2, 2, 3))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_given_weights_are_where_it_starts():
    given = Fitting(replace(FITTING, seed=9), CPU).network.state_dict()
    started = Fitting(FITTING, CPU, given)
    for network in (started.network, started.average):
        assert all(torch.equal(tensor, given[name]) for name, tensor in network.state_dict().items())


@pytest.fixture
def float32():
    """Where the processor has bfloat16, it rounds by more than the tolerance."""
    set_precision("float32")
    yield
    set_precision("auto")


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("ring_px", [None, (16.0, 18.0)])
@pytest.mark.parametrize("settings", [{}, {"norm": "group"}, {"dropout": 0.3}])
def test_a_share_that_is_everything_gives_what_one_process_gives(ring_px, settings):
    """With negatives or without, and with the autoencoder, of which a share is a part of a mean."""
    options = replace(FITTING, autoencoder=0.1, network_settings={"width": 4, **settings})
    none = [torch.zeros(5, dtype=torch.bool)] * 2
    drawn = make_sampler(DATA.micrographs, none, 2.4, PatchGrid(31, 4, 4), CPU, ring_px)
    assert drawn.has_negatives == (ring_px is not None)
    one, shared = Fitting(options, CPU), Fitting(options, CPU, None, Itself())
    losses = [fitting.update_many(drawn, 0.03, 1, lambda: False) for fitting in (one, shared)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for ours, theirs in zip(shared.network.parameters(), one.network.parameters(), strict=True):
        assert float((ours.grad - theirs.grad).abs().max()) <= 5e-3 * float(theirs.grad.abs().max())


def test_steps_grow_linearly_while_it_warms_up():
    """The first step of AdamW is the learning rate itself in every weight that has a gradient."""
    full = FITTING.learning_rate

    def largest_first_step(updates):
        """Of a new optimiser, after so many updates."""
        fitting = Fitting(replace(FITTING, weight_decay=0.0), CPU)
        before = fitting.network.state_dict()[WEIGHT].clone()
        fitting.updates = updates
        updated(fitting)
        return float((fitting.network.state_dict()[WEIGHT] - before).abs().max())

    for updates, rate in ((0, full / WARM_UP_UPDATES), (24, full / 2), (400, full)):
        assert largest_first_step(updates) == pytest.approx(rate, rel=0.05)


def test_what_is_kept_is_the_running_average_of_the_weights():
    fitting = Fitting(FITTING, CPU)
    updated(fitting, 0)  # shifts the bias
    mean = fitting.network.state_dict()[WEIGHT].clone().double()
    for number in range(1, 6):
        updated(fitting)
        decay = min(FITTING.decay, number / (number + 10))
        mean = decay * mean + (1 - decay) * fitting.network.state_dict()[WEIGHT].double()
    own = fitting.average.state_dict()[WEIGHT].double()
    torch.testing.assert_close(own, mean, rtol=1e-4, atol=1e-7)
    assert not torch.allclose(own, fitting.network.state_dict()[WEIGHT].double(), rtol=1e-4, atol=1e-7)


def test_the_autoencoder_term_weighs_as_much_as_it_is_told():
    losses = [updated(Fitting(replace(FITTING, autoencoder=weight), CPU)) for weight in (0.0, 1.0, 3.0)]
    assert losses[1] > losses[0]
    assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]), rel=1e-3)
