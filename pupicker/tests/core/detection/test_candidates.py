from __future__ import annotations

import torch

from pupicker.core.detection.candidates import best_near
from pupicker.core.detection.suppression import pick


def test_the_best_score_near_a_place():
    """Within no distance it is that of the nearest position; beyond the border, too."""
    logits = torch.randn((20, 30), generator=torch.Generator().manual_seed(0))
    places = 60 * torch.rand((50, 2), generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 2
    row, column = (places[:, 1] / 2).round().clamp(0, 19).long(), (places[:, 0] / 2).round().clamp(0, 29).long()
    assert torch.equal(best_near(logits, 2, places), logits[row, column])
    rows, columns = torch.meshgrid(2 * torch.arange(20), 2 * torch.arange(30), indexing="ij")
    for place, best in zip(places, best_near(logits, 2, places, 7.0), strict=True):
        near = torch.hypot(columns - place[0], rows - place[1]) <= 7.0
        if near.any():
            assert best == logits[near].max()


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
