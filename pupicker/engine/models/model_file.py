"""The model file: weights as safetensors, everything else as one JSON text in its header.

Nothing in the file is executed when it is read.  ``schema_version`` counts changes that older programs cannot read; a
newer program reads all older versions.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from pupicker.core.detection.map_levels import UsualLevels
from pupicker.core.detection.scoring import ORIENTATIONS
from pupicker.core.geometry import Geometry
from pupicker.core.image.normalization import Mixture
from pupicker.core.networks import Classifier, Unavailable, provider
from pupicker.core.networks.cell_head import CellNetwork
from pupicker.core.scores.likelihood import Calibration
from pupicker.engine.files.tensors import write_tensors
from pupicker.engine.models.header_schema import check_header, is_schema_number, known_details, known_fields
from pupicker.engine.models.other_files import what_it_is
from pupicker.engine.models.stored_weights import CELL_HEAD, check_numbers, network_of, weights_digest
from pupicker.engine.models.training_record import TrainingRecord
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.model_header import HEADER_KEY, ModelError, digest_problem

SCHEMA_VERSION = 3
"""2: with a last layer for cells; 3: the calibration has a bound, and the layer may be there."""

_OWN_DIGEST = "header_sha256"

LONGEST_REASON = 300
"""Letters; the errors of others may go on for pages."""


@dataclass(frozen=True)
class Model:
    """A trained picker.

    Attributes
    ----------
    network, network_name
        As it was trained, on the CPU, in evaluation mode; its registered name.
    mixture
        Normalisation of new micrographs.
    geometry
        Working pixel size, radii, distances.
    calibration
        Meaning of the logits.
    class_prior
        Area fraction of positive pixels used in training.
    suggested_threshold
        Log-likelihood ratio with the best expected F1.
    record
        Of the training, for people; ``details`` in the file.
    orientations
        Of a micrograph, over which logits are averaged; the calibration holds for this number only.  ``views`` in the
        file.
    cell_head
        Last layer with which it picks (:mod:`pupicker.core.networks.cell_head`); None: its own.
    exclusion
        Where training looked for nothing (:meth:`pupicker.engine.preparation.exclusion.Exclusion.to_header`); None: it
        looked everywhere.
    usual_levels
        Of the maps of the training micrographs (:mod:`pupicker.core.detection.map_levels`); None: not known.
    """

    network: Classifier
    network_name: str
    mixture: Mixture
    geometry: Geometry
    calibration: Calibration
    class_prior: float
    suggested_threshold: float
    record: TrainingRecord = field(default_factory=TrainingRecord)
    orientations: int = 1
    exclusion: dict[str, Any] | None = None
    cell_head: nn.Conv2d | None = None
    usual_levels: UsualLevels | None = None

    @property
    def schema_version(self) -> int:
        """The oldest that can hold it."""
        if self.calibration.bound is not None:
            return 3
        return 1 if self.cell_head is None else 2

    @property
    def picking_network(self) -> Classifier:
        """The network with the layer that it picks with."""
        return self.network if self.cell_head is None else CellNetwork(self.network, self.cell_head).eval()

    def header(self) -> dict[str, Any]:
        """The JSON header."""
        return {
            "schema_version": self.schema_version,
            "network": {
                "name": self.network_name, "settings": self.network.settings, "package": provider(self.network_name),
            },
            "normalization": asdict(self.mixture),
            "geometry": self.geometry.to_dict(),
            "calibration": self.calibration.to_dict(),
            "class_prior": self.class_prior,
            "suggested_threshold": self.suggested_threshold,
            "views": self.orientations,
            "details": self.record.to_dict(),
            **({"exclusion": self.exclusion} if self.exclusion else {}),
            **({"usual_levels": asdict(self.usual_levels)} if self.usual_levels else {}),
        }


def save_model(path: str | os.PathLike[str], model: Model) -> None:
    """Write a model atomically."""
    tensors = dict(model.network.state_dict())
    if model.cell_head is not None:
        tensors |= {CELL_HEAD + name: t for name, t in model.cell_head.state_dict().items()}
    tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    header = {**model.header(), "weights_sha256": weights_digest(tensors)}
    header[_OWN_DIGEST] = _header_digest(header)
    write_tensors(path, tensors, {HEADER_KEY: json.dumps(header)})


def _header_digest(header: Mapping[str, Any]) -> str:
    """SHA-256 of the header without this digest."""
    text = json.dumps({name: value for name, value in header.items() if name != _OWN_DIGEST})
    return hashlib.sha256(text.encode()).hexdigest()


def _check_digests(path: Path, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """InputError if header or weights are not those that were written, or no numbers.

    Models of before have no digest of their weights, or none of their header.
    """
    if header.get(_OWN_DIGEST, "") not in ("", _header_digest(header)):
        raise InputError(f"{path}: damaged: its header is not the one that was written; copy it again")
    stored = header.get("weights_sha256")
    if stored is not None and stored != weights_digest(tensors):
        raise InputError(f"{path}: damaged: its weights are not those that were written; copy it again")
    try:
        check_numbers(tensors)
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}; copy it again, or train anew") from error


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model.

    Raises
    ------
    InputError
        If it is no model file, is damaged, or was written by a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such model file")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: no permission to read it")
    try:
        with safe_open(str(path), framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dictionary)
        header = json.loads(metadata[HEADER_KEY])
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        kind, reason = what_it_is(path), " ".join(str(error).split())[:LONGEST_REASON]
        if kind:
            raise InputError(
                f"{path}: not a pupicker model: it is {kind}; give the file that a training wrote") from error
        raise InputError(f"{path}: not a pupicker model, or damaged ({reason})") from error
    except KeyError as error:
        raise InputError(f"{path}: a safetensors file, but not a pupicker model") from error
    version = header.get("schema_version") if isinstance(header, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: has model format {version}, this version reads up to {SCHEMA_VERSION}; update pupicker"
        )
    if not is_schema_number(version, SCHEMA_VERSION):
        raise InputError(f"{path}: damaged: there is no model format {version!r}")
    try:
        check_header(header)
        model = _from_header(header, tensors)
    except Unavailable as error:
        maker = header["network"].get("package") or "another version of pupicker"
        raise InputError(f"{path}: {error}; the network of this model is that of {maker}: install it") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise InputError(f"{path}: damaged: its header and weights do not fit together ({reason}); copy it again, or"
                         " train it again") from error
    _check_digests(path, header, tensors)
    _check_card(path)
    return model


def _check_card(path: Path) -> None:
    """InputError if a model that was published is no longer what was."""
    try:
        problem = digest_problem(path)
    except ModelError as error:
        raise InputError(str(error)) from error
    if problem:
        raise InputError(problem)


def _from_header(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Model:
    network, cell_head = network_of(header["network"]["name"], header["network"]["settings"], tensors)
    version, calibration = header["schema_version"], Calibration(**known_fields(Calibration, header["calibration"]))
    if version < 3 and (version == 2) != (cell_head is not None):
        raise ValueError(f"format {version} {'without' if cell_head is None else 'with'} a layer for cells")
    if (version == 3) != (calibration.bound is not None):
        raise ValueError(f"format {version} {'without' if version == 3 else 'with'} a bound of the calibration")
    normalization = header["normalization"]
    mixture = Mixture(
        weight=tuple(normalization["weight"]), mean=tuple(normalization["mean"]), std=tuple(normalization["std"]),
        form=normalization["form"],
    )
    levels = header.get("usual_levels")
    return Model(
        network, header["network"]["name"], mixture, Geometry(**known_fields(Geometry, header["geometry"])),
        calibration, float(header["class_prior"]), float(header["suggested_threshold"]),
        TrainingRecord.from_dict(known_details(header["details"])), _orientations(header), header.get("exclusion"),
        cell_head, UsualLevels(**known_fields(UsualLevels, levels)) if levels else None,
    )


def _orientations(header: dict[str, Any]) -> int:
    """One in the models of versions that knew no other number."""
    number = header.get("views", 1)
    if not isinstance(number, int) or number not in ORIENTATIONS:
        raise ValueError(f"views is {number!r}, known are {', '.join(map(str, ORIENTATIONS))}")
    return int(number)
