"""What a training is asked to do: options, the task that they belong to, what it may ask and tell while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.core.networks import Classifier, build
from pupicker.core.networks.autoencoder import paper_weight
from pupicker.engine.models.initial_weights import WEIGHTS, Start, load_start
from pupicker.engine.preparation.task_geometry import training_geometry
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.runtime.processes import ALONE, Processes
from pupicker.engine.training.optimisation import REGIONS_PER_POSITIVE, FittingOptions
from pupicker.engine.training.validation import LabelledCandidates
from pupicker.shared import options
from pupicker.shared.choices import AUTOENCODER_AUTO, START_GENERAL

PSEUDO_LABEL_UPDATES = 200
"""Pseudo-labels hold false ones, which longer training learns too."""

HELD_OUT = 0.25
"""Share of the labels that is held out where only labels can tell how many particles there are."""


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
    validation_fraction
        Share of the labels that is held out; None: as :data:`HELD_OUT` says.
    updates, epoch_updates
        Most updates, None: as many as suit the labels and the start; updates between two validations.
    patience
        Epochs without a better validation before selection ends.
    refit
        Fit once more on everything.
    orientations
        Of a micrograph, over which logits are averaged: those of the finished model, or, if it has a layer for cells,
        those that this layer is fitted to; the curve is made with one.
    ring_negatives
        Take places around labelled particles, where no other centre can be, for negatives.
    """

    fitting: FittingOptions = field(default_factory=FittingOptions)
    class_prior: float | None = options.CLASS_PRIOR.default
    particles_per_micrograph: float | None = options.PARTICLES_PER_MICROGRAPH.default
    validation_fraction: float | None = options.VALIDATION_FRACTION.default
    updates: int | None = options.UPDATES.default
    epoch_updates: int = 100
    patience: int = 6
    refit: bool = options.REFIT.default
    orientations: int = 2
    ring_negatives: bool = options.RING_NEGATIVES.default

    def __post_init__(self) -> None:
        """Raise UsageError at a number that cannot be, or at two that say the same."""
        check_options(vars(self))
        if self.class_prior is not None and self.particles_per_micrograph is not None:
            raise UsageError("the share of the area and the particles per micrograph say the same thing: give one",
                             "class_prior", "particles_per_micrograph")


def options_from(values: Mapping[str, Any], network_settings: Mapping[str, Any]) -> TrainingOptions:
    """What was chosen, by the names of :data:`pupicker.shared.options.TRAINING`; each of them has a value.

    Raises
    ------
    UsageError
        At values that cannot be, or not together.
    """
    check_together(values)
    names = {option.name for option in options.TRAINING}

    def given(kind: type[FittingOptions] | type[TrainingOptions]) -> dict[str, Any]:
        return {field.name: values[field.name] for field in fields(kind) if field.name in names}

    positives = values["batch_size"] // REGIONS_PER_POSITIVE
    fitting = FittingOptions(
        **given(FittingOptions), network_settings=dict(network_settings), positives=positives)
    return TrainingOptions(fitting, **given(TrainingOptions))


def untrained(fitting: FittingOptions) -> Classifier:
    """The network that is asked for, with weights that nobody uses: what it is, before the work begins.

    Raises
    ------
    UsageError
        There is no such network, or it has no such settings.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            return build(fitting.network, **fitting.network_settings)
    except ValueError as error:
        raise UsageError(str(error), "network") from error


def check_together(values: Mapping[str, Any]) -> None:
    """Raise UsageError at values of a training that cannot be together, before any file is read."""
    source, network = values["pseudo_labels"], values["network"]
    if values["pseudo_label_count"] is not None and not source:
        raise UsageError("a number of pseudo-labels without pseudo-labels: choose those, or leave it out",
                         "pseudo_label_count", "pseudo_labels")
    if source == START_GENERAL and not (WEIGHTS / f"{network}.safetensors").is_file():
        known = " and ".join(sorted(path.stem for path in WEIGHTS.glob("*.safetensors")))
        raise UsageError(f"there is a general model for the networks {known} only, not for {network}: choose one"
                         " of those, or other pseudo-labels", "network", "pseudo_labels")


@dataclass(frozen=True)
class Task:
    """Everything about a training but its data.

    Attributes
    ----------
    geometry
        Lengths.
    options
        As chosen.
    start
        What the weights start from.
    device
        Where to compute.
    pixel_size_ang
        Of the micrographs that the lengths follow from, for the record; None: not known.
    processes
        That share the minibatches.
    """

    geometry: Geometry
    options: TrainingOptions = field(default_factory=TrainingOptions)
    start: Start = field(default_factory=Start)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    pixel_size_ang: float | None = None
    processes: Processes = ALONE

    @classmethod
    def of(
        cls, values: Mapping[str, Any], chosen: TrainingOptions, network: Classifier, paths: Sequence[Path],
        device: torch.device, processes: Processes = ALONE,
    ) -> Task:
        """The task that follows from what was chosen, and from the micrographs.

        Parameters
        ----------
        values
            By the names of :data:`pupicker.shared.options.TRAINING`, and ``pixel_size``.
        chosen
            The options among them.
        network
            An untrained one, of these options.
        paths
            Micrographs.

        Raises
        ------
        UsageError, InputError
            Lengths that cannot be together; a start that is not there or does not fit; no pixel size.
        """
        start = load_start(values["start"], chosen.fitting.network, network)
        lengths, pixel_size = training_geometry(paths, values, network.particle_px())
        return cls(lengths, chosen, start, device, pixel_size, processes)

    def resolved(self, labels: int, pseudo: bool = False) -> Task:
        """With numbers for all that follows from the number of labels, pseudo-labels or not, and from the start."""
        chosen, fitting = self.options, self.options.fitting
        updates = chosen.updates or (PSEUDO_LABEL_UPDATES if pseudo else updates_for(labels, self.start))
        weight = paper_weight(labels) if fitting.autoencoder == AUTOENCODER_AUTO else fitting.autoencoder
        fitting = replace(fitting, autoencoder=weight, start_digest=self.start.digest)
        return replace(self, options=replace(
            chosen, fitting=fitting, updates=updates, epoch_updates=min(chosen.epoch_updates, updates)))

    @property
    def max_updates(self) -> int:
        """Most updates of a task that is resolved."""
        if self.options.updates is None:
            raise ValueError("how many updates suit the labels is not known yet: resolve the task first")
        return self.options.updates


@dataclass(frozen=True)
class Hooks:
    """What a training asks and tells while it runs.

    Attributes
    ----------
    stop
        Asked after every update; True ends the training.
    save
        Called with its state after every epoch: named tensors and JSON-able values.
    """

    stop: Callable[[], bool] = lambda: False
    save: Callable[[dict[str, Tensor], dict[str, Any]], None] = lambda tensors, progress: None


@dataclass(frozen=True)
class Snapshot:
    """What is kept of an epoch: averaged weights, and what they found in the held-out micrographs."""

    weights: dict[str, Tensor]
    candidates: LabelledCandidates

    def to_tensors(self) -> dict[str, Tensor]:
        """As named tensors."""
        found = self.candidates
        numbers = torch.tensor([found.labels, found.max_particles, found.pixels], dtype=torch.float64)
        named = {f"weights.{name}": t.contiguous() for name, t in self.weights.items()}
        return {**named, "scores": found.scores.clone(), "hits": found.hits.clone(), "numbers": numbers}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Snapshot:
        """The inverse of :meth:`to_tensors`."""
        labels, max_particles, pixels = tensors["numbers"].tolist()
        weights = {name[len("weights.") :]: t for name, t in tensors.items() if name.startswith("weights.")}
        return cls(weights, LabelledCandidates(
            tensors["scores"], tensors["hits"], int(labels), max_particles, int(pixels)))
