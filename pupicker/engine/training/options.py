"""Options and records of a training."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from pupicker.engine.models.initial_weights import Start
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.training.optimisation import FittingOptions
from pupicker.engine.training.validation import Candidates
from pupicker.shared import options

PSEUDO_LABEL_UPDATES = 200
"""Pseudo-labels hold false ones, which longer training learns too."""


def updates_for(labels: int, start: Start) -> int:
    """Most updates for so many labels, in hundreds; few labels are soon known by heart.

    From given weights 200 for ten, 400 for fifty, 600 for a hundred; from random ones 200, 800, 1,600.
    """
    wanted = 25 * labels**0.9 if start.weights is None else 60 * labels**0.5
    return 100 * round(min(2000.0, max(200.0, wanted)) / 100)


@dataclass(frozen=True)
class TrainingOptions:
    """What a user may choose.

    Attributes
    ----------
    fitting
        Objective, network and numbers of the optimisation.
    class_prior, particles_per_micrograph
        At most one; None: estimated.
    updates, epoch_updates
        Most updates, and updates between two validations.
    patience
        Epochs without a better validation before selection ends.
    refit
        Fit once more on everything.
    views
        Of a micrograph, over which the finished model averages its logits; the curve is made with one.
    ring_negatives
        Take places around labelled particles, where no other centre can be, for negatives.
    """

    fitting: FittingOptions = field(default_factory=FittingOptions)
    class_prior: float | None = options.CLASS_PRIOR.default
    particles_per_micrograph: float | None = options.PARTICLES_PER_MICROGRAPH.default
    updates: int = 1500
    epoch_updates: int = 100
    patience: int = 6
    refit: bool = options.REFIT.default
    views: int = 4
    ring_negatives: bool = options.RING_NEGATIVES.default

    def __post_init__(self) -> None:
        """Raise UsageError at a number that cannot be, or at two that say the same."""
        check_options(vars(self))
        if self.class_prior is not None and self.particles_per_micrograph is not None:
            raise UsageError("the class prior and the particles per micrograph say the same thing: give one",
                             "class_prior", "particles_per_micrograph")


@dataclass
class Epoch:
    """One row of the training curve."""

    stage: str
    updates: int
    loss: float
    validation: float | None
    particles_per_micrograph: float


@dataclass(frozen=True)
class Snapshot:
    """What is kept of an epoch: averaged weights, and what they found in the held-out micrographs."""

    weights: dict[str, Tensor]
    candidates: Candidates

    def to_tensors(self) -> dict[str, Tensor]:
        """As named tensors."""
        found = self.candidates
        numbers = torch.tensor([found.labels, found.most, found.pixels], dtype=torch.float64)
        named = {f"weights.{name}": t.contiguous() for name, t in self.weights.items()}
        return {**named, "scores": found.scores.clone(), "hits": found.hits.clone(), "numbers": numbers}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Snapshot:
        """The inverse of :meth:`to_tensors`."""
        labels, most, pixels = tensors["numbers"].tolist()
        weights = {name[len("weights.") :]: t for name, t in tensors.items() if name.startswith("weights.")}
        return cls(weights, Candidates(tensors["scores"], tensors["hits"], int(labels), most, int(pixels)))
