"""How many particles the general model sees, before anything is learnt from the labels.

The general model picks the training micrographs (representative ones, if there are
many); candidates with a logit of at least :data:`LOGIT` are counted.  On training micrographs that of conv47
counts 1.0 times the truth on apoferritin and simulated T20S, 1.3 times on the simulated trimer, and 1.6 times the
annotated particles on crowded beta-galactosidase; where noise hides the particles it is far below.  It is a first
guess, worth :data:`PRIOR_LABELS` held-out labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pupicker.core.geometry import Geometry
from pupicker.engine.models.initial_weights import general_network
from pupicker.engine.runtime.device import placed
from pupicker.engine.training.dataset import LabelledMicrograph
from pupicker.engine.training.validation import find_candidates, representative

LOGIT = 1.0
PRIOR_LABELS = 5.0


def general_density(
    micrographs: Sequence[LabelledMicrograph], geometry: Geometry, network: str, device: torch.device
) -> float:
    """Particles per working pixel that the general model of a network sees."""
    some = [micrographs[index] for index in representative(micrographs)]
    none = [torch.zeros((0, 2), dtype=torch.float64) for _ in some]
    found = find_candidates(placed(general_network(network), device), some, none, none, geometry)
    return float((found.scores >= LOGIT).sum()) / found.pixels
