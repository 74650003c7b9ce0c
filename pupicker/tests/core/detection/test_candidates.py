from __future__ import annotations

import torch

from pupicker.core.detection.suppression import pick


def test_what_is_excluded_suppresses_nothing_beside_it():
    """A crystal beside a particle, nearer than two picks may be, must not cost the particle."""
    scores = torch.zeros((20, 20))
    scores[10, 8], scores[10, 12] = 9.0, 3.0
    excluded = torch.zeros((20, 20), dtype=torch.bool)
    excluded[:, :10] = True
    positions, found = pick(scores, 6.0, 1.0, excluded)
    assert positions.round().tolist() == [[10, 12]] and found.tolist() == [3.0]
    positions, found = pick(scores, 6.0, 1.0)
    assert positions.round().tolist() == [[10, 8]]
