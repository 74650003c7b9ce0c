from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pupicker.core.adamw import BETAS, AdamW


def parameters():
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=generator) for shape in ((4, 3, 5, 5), (4,), (), (7, 2))]
    weights[0] = weights[0].contiguous(memory_format=torch.channels_last)
    return [weight.requires_grad_() for weight in weights]


def set_gradients(weights, update):
    """The third weight has none in the first updates, the last never."""
    generator = torch.Generator().manual_seed(update)
    for number, weight in enumerate(weights):
        given = torch.randn(weight.shape, generator=generator)
        weight.grad = None if number == 3 or (number == 2 and update < 2) else given


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
def test_the_numbers_are_those_of_torch(weight_decay):
    ours, theirs = parameters(), parameters()
    mine, reference = AdamW(ours, weight_decay), torch.optim.AdamW(theirs, betas=BETAS, weight_decay=weight_decay)
    for update in range(6):
        rate = 0.01 * (update + 1)
        set_gradients(ours, update)
        set_gradients(theirs, update)
        mine.step(rate)
        reference.param_groups[0]["lr"] = rate
        reference.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    stored = reference.state_dict()["state"]
    assert mine.state.keys() == stored.keys() == {0, 1, 2}
    for number, slots in stored.items():
        assert mine.state[number].keys() == slots.keys()
        assert all(torch.equal(mine.state[number][name], value) for name, value in slots.items())


def test_what_was_restored_goes_on_alike():
    ours, theirs = parameters(), parameters()
    first = AdamW(ours, 0.05)
    for update in range(3):
        set_gradients(ours, update)
        first.step(0.01)
    with torch.no_grad():
        for a, b in zip(theirs, ours, strict=True):
            a.copy_(b)
    second = AdamW(theirs, 0.05)
    second.restore({number: {name: value.clone() for name, value in slots.items()}
                    for number, slots in first.state.items()})
    for update in range(3, 6):
        for optimizer, weights in ((first, ours), (second, theirs)):
            set_gradients(weights, update)
            optimizer.step(0.01)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_gradients_are_forgotten():
    weights = parameters()
    set_gradients(weights, 5)
    AdamW(weights, 0.0).zero_grad()
    assert all(weight.grad is None for weight in weights)


def test_the_compiler_of_torch_is_not_loaded():
    """It takes longer than a short training."""
    program = ("import sys, torch\nfrom pupicker.core.adamw import AdamW\nw = torch.ones(2, requires_grad=True)\n"
               "w.sum().backward()\nAdamW([w], 0.1).step(0.1)\nassert float(w[0].detach()) < 1\n"
               "print('torch._dynamo' in sys.modules)")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
