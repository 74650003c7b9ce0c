"""What a model remembers of its training: for people, reports and tables; nothing that picking needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

P = TypeVar("P", "Epoch", "Validation", "ParticleInterval")


@dataclass(frozen=True)
class Epoch:
    """One row of the training curve.

    Attributes
    ----------
    stage
        ``selection`` or ``refit``.
    updates, loss
        Updates so far; mean loss of those of the epoch.
    validation
        Average precision estimated from held-out labels; None: none are held out.
    particles_per_micrograph
        As known then.
    """

    stage: str
    updates: int
    loss: float
    validation: float | None
    particles_per_micrograph: float


@dataclass(frozen=True)
class Validation:
    """The epoch that was kept: its estimated average precision (None: nothing held out), and its updates."""

    average_precision: float | None = None
    best_updates: int | None = None


@dataclass(frozen=True)
class ParticleInterval:
    """Particles on an average micrograph: the true number lies between with probability `level`."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class TrainingRecord:
    """All of it; what an older model did not record is None.

    Attributes
    ----------
    objective, autoencoder, weight_decay, ring_negatives, seed
        As they were chosen; the autoencoder's weight as a number.
    start, start_sha256
        ``general``, ``random`` or the path of a model; digest of the weights, empty for random ones.
    labels, held_out_labels, negatives, micrographs
        How many; held out while the length of the training was chosen.
    pseudo_labels
        What took the place of labels; None: there were labels.
    refit
        Whether all labels were learnt from in the end.
    training_pixel_size_ang
        Of the micrographs.
    training_data_sha256
        Digest of what was learnt from.
    training_seconds
        Of the training alone.
    software
        Versions.
    precision
        Numbers that features were computed in: float32 or bfloat16.
    method_version
        :data:`pupicker.METHOD_VERSION`.
    curve
        One row an epoch.
    validation
        Of the epoch that was kept.
    particles_per_micrograph, particles_interval
        On an average micrograph; no interval for a number that was given.
    class_prior_source
        Where the number comes from, in words.
    crowding
        A warning, if more particles are expected than fit side by side.
    expected_curve
        Rows (threshold, precision, recall).
    expected_precision, expected_recall
        At the suggested threshold.
    expected_average_precision
        Of all thresholds.
    others
        What a newer version recorded; kept, so that a model is not made poorer.
    """

    objective: str | None = None
    start: str | None = None
    start_sha256: str | None = None
    autoencoder: float | None = None
    weight_decay: float | None = None
    ring_negatives: bool | None = None
    labels: int | None = None
    pseudo_labels: str | None = None
    negatives: int | None = None
    micrographs: int | None = None
    held_out_labels: int | None = None
    refit: bool | None = None
    training_pixel_size_ang: float | None = None
    training_data_sha256: str | None = None
    seed: int | None = None
    training_seconds: float | None = None
    software: dict[str, str] | None = None
    precision: str | None = None
    method_version: int | None = None
    curve: tuple[Epoch, ...] | None = None
    validation: Validation | None = None
    particles_per_micrograph: float | None = None
    particles_interval: ParticleInterval | None = None
    class_prior_source: str | None = None
    crowding: str | None = None
    expected_curve: list[list[float]] | None = None
    expected_precision: float | None = None
    expected_recall: float | None = None
    expected_average_precision: float | None = None
    others: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with the keys of the model file; what is not known is left out."""
        values = {_STORED.get(f.name, f.name): getattr(self, f.name) for f in fields(self) if f.name != "others"}
        if self.curve is not None:
            values["curve"] = [asdict(epoch) for epoch in self.curve]
        for name, part in (("validation", self.validation), ("particles_interval", self.particles_interval)):
            values[name] = None if part is None else asdict(part)
        return {**self.others, **{name: value for name, value in values.items() if value is not None}}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TrainingRecord:
        """The inverse of :meth:`to_dict`; what a newer version added to a part, or a damaged part, is left out.

        An objective that has another name since is given that.
        """
        if not isinstance(stored, Mapping):
            return cls()
        own = {_STORED.get(f.name, f.name): f.name for f in fields(cls) if f.name != "others"}
        values = {own[name]: value for name, value in stored.items() if name in own}
        if values.get("curve") is not None:
            epochs = [_part(Epoch, row) for row in values["curve"]] if isinstance(values["curve"], list) else []
            values["curve"] = tuple(epoch for epoch in epochs if epoch is not None)
        for name, kind in (("validation", Validation), ("particles_interval", ParticleInterval)):
            if values.get(name) is not None:
                values[name] = _part(kind, values[name])
        version = values.get("method_version")
        if values.get("objective") == "ge-kl" and (version is None or version < _GE_KL_AS_IN_THE_PAPER):
            values["objective"] = "ge-kl-forward"
        return cls(**values, others={name: value for name, value in stored.items() if name not in own})


def _part(kind: type[P], stored: Any) -> P | None:
    """A part from the entries that it knows; None if it lacks one that it cannot do without."""
    known = {f.name for f in fields(kind)}
    try:
        return kind(**{name: value for name, value in stored.items() if name in known})
    except (AttributeError, TypeError):
        return None


_GE_KL_AS_IN_THE_PAPER = 4
"""Version of the method from which "ge-kl" is the paper's divergence; before, it was what "ge-kl-forward" is now."""

_STORED = {"pseudo_labels": "proposals"}
"""Fields whose key in the file is another one: that of the first versions."""
