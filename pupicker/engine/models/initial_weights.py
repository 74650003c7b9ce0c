"""What the weights of a training start from: pretrained ones, random ones, or those of a model.

``auto``: the pretrained weights of the general model, which come with pupicker, if there are some that fit the network
and its settings, else random ones, which is said in one note.

The general model was trained on simulated micrographs of made-up particles (``tools/pretrain.py``).  It knows what
most particles have in common, and is worth a number of labels.  Starting from a model goes on learning.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from pupicker.core.networks import Classifier, build
from pupicker.core.networks.cell_head import CellNetwork
from pupicker.engine.models.library import model_file
from pupicker.engine.models.model_file import load_model
from pupicker.engine.models.stored_weights import with_cell_head, without_cell_head
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.shared import choices

_log = logging.getLogger(__name__)

AUTO, GENERAL, RANDOM = choices.START_AUTO, choices.START_GENERAL, choices.START_RANDOM
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


@dataclass(frozen=True)
class Start:
    """Where a training starts.

    Attributes
    ----------
    name
        ``general``, ``random``, or the path of a model; never ``auto``.
    digest
        Of the weights, empty for random ones; part of what a training is identified by.
    weights
        Named tensors of the network, None for random ones.
    """

    name: str = RANDOM
    digest: str = ""
    weights: Mapping[str, Tensor] | None = None


def load_start(name: str, network_name: str, network: Classifier) -> Start:
    """Read the weights for a network with its settings.

    Raises
    ------
    UsageError
        There is no general model for the network, or the model has another network.
    InputError
        The file cannot be read.
    """
    if name == RANDOM:
        return Start()
    if name not in (AUTO, GENERAL):
        return _of_model(model_file(name), network_name, network)
    path = WEIGHTS / f"{network_name}.safetensors"
    weights = without_cell_head(_read(path)) if path.is_file() else None
    if weights is not None and _fits(weights, network):
        return _start(GENERAL, path, weights)
    reason = f"there is no general model for the network {_described(network_name, network)}"
    if name == GENERAL:
        raise UsageError(f"{reason}; choose random, or auto, which takes random weights then", "start")
    _log.info("%s; training starts from random weights, which takes more labels and updates", reason)
    return Start()


def _of_model(path: Path, network_name: str, network: Classifier) -> Start:
    with torch.random.fork_rng(devices=[]):
        model = load_model(path)
    if model.network_name != network_name:
        raise UsageError(f"{path}: is a model of the network {model.network_name}, not {network_name}; choose"
                         f" {model.network_name} to start from it", "start", "network")
    weights = model.network.state_dict()
    if not _fits(weights, network):
        raise UsageError(
            f"{path}: is a model of the network {_described(network_name, model.network)}, not"
            f" {_described(network_name, network)}; choose the same settings to start from it", "start",
        )
    return _start(str(path), path, weights)


def _start(name: str, path: Path, weights: Mapping[str, Tensor]) -> Start:
    return Start(name, hashlib.sha256(path.read_bytes()).hexdigest()[:16], weights)


def general_network(name: str) -> Classifier:
    """The general model of a network, as it picks.

    Raises
    ------
    UsageError
        There is none for it.
    """
    with torch.random.fork_rng(devices=[]):  # the random weights that are replaced at once are nobody's business
        network = build(name)
    weights = load_start(GENERAL, name, network).weights
    network.load_state_dict(dict(weights or {}))
    _, head = with_cell_head(network, _read(WEIGHTS / f"{name}.safetensors"))
    return (network if head is None else CellNetwork(network, head)).eval()


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(str(path))
    except Exception as error:  # the library has no common class for a truncated or foreign file
        raise InputError(f"{path}: damaged ({error}); install pupicker again") from error


def _fits(weights: Mapping[str, Tensor], network: Classifier) -> bool:
    """Whether the weights have the names and shapes of the network's."""
    own = network.state_dict()
    return own.keys() == weights.keys() and all(own[name].shape == value.shape for name, value in weights.items())


def _described(name: str, network: Classifier) -> str:
    settings = ", ".join(f"{key}={value}" for key, value in network.settings.items())
    return f"{name} ({settings})" if settings else name
