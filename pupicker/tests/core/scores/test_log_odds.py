from __future__ import annotations

import math

import pytest
import torch

from pupicker.core.scores.log_odds import shift_to_mean


@pytest.mark.parametrize("share", [1e-4, 0.003, 0.5, 0.98])
@pytest.mark.parametrize("scale", [0.0, 1.0, 40.0])
def test_probabilities_have_the_mean_that_was_asked_for(share, scale):
    logits = torch.randn(999, generator=torch.Generator().manual_seed(1)) * scale + 3
    shift = shift_to_mean(logits, share)
    assert float(torch.sigmoid(logits.double() + shift).mean()) == pytest.approx(share, rel=1e-9)
    assert shift_to_mean(logits.double() + shift, share) == pytest.approx(0, abs=1e-9)


def test_equal_logits_take_the_log_odds():
    assert shift_to_mean(torch.full((7,), -2.0), 0.01) == pytest.approx(math.log(0.01 / 0.99) + 2, abs=1e-9)


@pytest.mark.parametrize(("count", "share"), [(0, 0.5), (3, 0.0), (3, 1.0)])
def test_what_has_no_shift(count, share):
    with pytest.raises(ValueError, match="no shift"):
        shift_to_mean(torch.zeros(count), share)
