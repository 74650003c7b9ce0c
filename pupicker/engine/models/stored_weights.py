"""Weights as they lie in a file: those of the network, those of its layer for cells, and whether they can be these.

All is checked by names, types and shapes before anything is made of it, so that what is said of a damaged file is a
line of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pupicker.core.networks import NETWORKS, Classifier, build
from pupicker.core.networks.cell_head import can_have_cell_head, empty_head

CELL_HEAD = "cell_head."
"""Before the names of its tensors."""

LARGEST_WEIGHT = 1e6
"""None is larger: a network of such would overflow."""

_VARIANCE = "running_var"


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes of weights, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def without_cell_head(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of the network itself."""
    return {name: t for name, t in tensors.items() if not name.startswith(CELL_HEAD)}


def network_of(name: str, settings: Mapping[str, object], tensors: Mapping[str, Tensor]
               ) -> tuple[Classifier, nn.Conv2d | None]:
    """The network with these weights, in evaluation mode, and its layer for cells, if there is one.

    Raises
    ------
    Unavailable
        There is no such network here.
    ValueError
        It cannot be built, or the tensors are not its own; one line.
    """
    if name in NETWORKS:
        with torch.device("meta"):  # shapes without numbers: a setting that cannot be must not fill the memory
            _check_tensors(_expected(NETWORKS[name].from_settings(dict(settings)), tensors), tensors)
    network = build(name, **settings)
    own, head = with_cell_head(network, tensors)
    network.load_state_dict(own)
    return network.eval(), head


def with_cell_head(network: Classifier, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], nn.Conv2d | None]:
    """The tensors of the network itself, and its last layer for cells, if the others are one.

    Raises
    ------
    ValueError
        They are not; one line.
    """
    _check_tensors(_expected(network, tensors), tensors)
    own = without_cell_head(tensors)
    others = {name.removeprefix(CELL_HEAD): t for name, t in tensors.items() if name.startswith(CELL_HEAD)}
    if not others:
        return own, None
    head = empty_head(network)
    head.load_state_dict(others)
    return own, head.requires_grad_(False)


def _expected(network: Classifier, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a file with a network, and with a layer for cells if there is a tensor of one, has to hold."""
    expected = dict(network.state_dict())
    if any(name.startswith(CELL_HEAD) for name in tensors):
        if not can_have_cell_head(network):
            raise ValueError("a layer for cells, which this network cannot have")
        expected |= {CELL_HEAD + name: t for name, t in empty_head(network).state_dict().items()}
    return expected


def _check_tensors(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    for name, own in expected.items():
        if name not in tensors:
            raise ValueError(f"{name} is missing")
        wanted, found = _described(own), _described(tensors[name])
        if wanted != found:
            raise ValueError(f"{name} is {found}, must be {wanted}")
    for name in tensors:
        if name not in expected:
            raise ValueError(f"{name} belongs to no layer")


def _described(tensor: Tensor) -> str:
    sides = " x ".join(map(str, tensor.shape)) or "one number"
    return f"{sides} of {str(tensor.dtype).removeprefix('torch.')}"


def check_numbers(tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError, one line, if there are weights that no training ends with: a network of them scores nothing."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"its weights {name} are not all finite")
        if tensor.numel() and float(tensor.abs().max()) > LARGEST_WEIGHT:
            raise ValueError(f"its weights {name} are as large as {float(tensor.abs().max()):.3g}")
        if name.endswith(_VARIANCE) and bool((tensor < 0).any()):
            raise ValueError(f"its weights {name} hold a variance below 0")
