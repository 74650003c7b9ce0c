"""What the weights of a training start from: general ones that come with pupicker, random ones, or those of a model.

The general weights were trained on simulated micrographs of made-up particles (``tools/pretrain.py``).  They know what
most particles have in common, and are worth a number of labels.  Starting from a model goes on learning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from pupicker.engine.errors import InputError, UsageError
from pupicker.engine.model_file import load_model

GENERAL, RANDOM = "general", "random"
GENERAL_SHARE = 0.5
"""How much of the general weights is kept: all of them hold on to what they know, none know nothing."""

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True)
class Start:
    """Where a training starts.

    Attributes
    ----------
    name
        ``general``, ``random``, or the path of a model.
    digest
        Of the weights, empty for random ones; part of what a training is identified by.
    weights
        Named tensors, None for random ones.
    share
        How much of them is kept; see :mod:`pupicker.engine.fitting`.
    """

    name: str = RANDOM
    digest: str = ""
    weights: Mapping[str, Tensor] | None = None
    share: float = 1.0


def load_start(name: str, network: str) -> Start:
    """Read the weights.

    Raises
    ------
    UsageError
        There are no general weights for the network, or the model has another network.
    InputError
        The file cannot be read.
    """
    if name == RANDOM:
        return Start()
    share = 1.0
    if name == GENERAL:
        share = GENERAL_SHARE
        path = WEIGHTS / f"{network}.safetensors"
        if not path.is_file():
            raise UsageError(f"--start general: there are no general weights for the network {network}; give random")
        try:
            weights: Mapping[str, Tensor] = load_file(str(path))
        except Exception as error:  # the library has no common class for a truncated or foreign file
            raise InputError(f"{path}: damaged ({error}); install pupicker again") from error
    else:
        path = Path(name)
        with torch.random.fork_rng(devices=[]):
            model = load_model(path)
        if model.network_name != network:
            raise UsageError(f"--start {name}: is a model of the network {model.network_name}, not {network}")
        weights = model.network.state_dict()
    return Start(name, hashlib.sha256(path.read_bytes()).hexdigest()[:16], weights, share)
