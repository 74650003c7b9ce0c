from __future__ import annotations

import torch

from pupicker.core.detection.candidates import best_near


def test_the_best_score_near_a_place():
    """Within no distance it is that of the nearest position; beyond the border, too."""
    logits = torch.randn((20, 30), generator=torch.Generator().manual_seed(0))
    places = 60 * torch.rand((50, 2), generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 2

    def nearest_of(place):
        return (place[1] / 2).round().clamp(0, 19).long(), (place[0] / 2).round().clamp(0, 29).long()

    assert best_near(logits, 2, places).tolist() == [float(logits[nearest_of(place)]) for place in places]
    rows, columns = torch.meshgrid(2 * torch.arange(20), 2 * torch.arange(30), indexing="ij")
    for place, best in zip(places, best_near(logits, 2, places, 7.0), strict=True):
        near = torch.hypot(columns - place[0], rows - place[1]) <= 7.0
        near[nearest_of(place)] = True
        assert best == logits[near].max()
