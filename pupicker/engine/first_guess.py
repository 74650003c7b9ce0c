"""How many particles the general weights see, before anything is learnt from the labels.

The network with the whole of the general weights picks all training micrographs; candidates with a logit of at least
:data:`LOGIT` are counted.  On 30 simulated scenes that number is 1.2 times the truth in the median, at most three times
it, and far below where noise hides the particles; on training micrographs of apoferritin it was 1.0 times, on crowded
beta-galactosidase 1.6 times the number of annotated particles.  It is a first guess, worth :data:`WORTH` held-out
labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.core.networks import build
from pupicker.engine.dataset import LabelledMicrograph
from pupicker.engine.validation import find_candidates

LOGIT = 1.0
WORTH = 5.0


def general_density(
    micrographs: Sequence[LabelledMicrograph], geometry: Geometry, network: str, weights: Mapping[str, Tensor],
    device: torch.device,
) -> float:
    """Particles per working pixel that a network with general weights sees."""
    with torch.random.fork_rng(devices=[]):  # the random weights that are replaced at once are nobody's business
        general = build(network)
    general.load_state_dict(weights)
    none = [torch.zeros((0, 2), dtype=torch.float64) for _ in micrographs]
    found = find_candidates(general.to(device).eval(), micrographs, none, none, geometry)
    return float((found.scores >= LOGIT).sum()) / found.pixels
