"""Dropout of a minibatch that several processes share.

Each process draws for the whole minibatch, as one process would, and keeps what concerns its own rows: the same seed
drops the same features, whoever computes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupicker.core.networks.statistics import replaced


@contextmanager
def dropout_of_rows(network: nn.Module, rows: slice, number: int) -> Iterator[None]:
    """What passes the network within the context are these rows of `number`."""

    def drop(layer: nn.Dropout, x: Tensor) -> Tensor:
        """Take the place of the layer's own method."""
        whole = torch.empty((number, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=_order(x))
        return x * F.dropout(whole.fill_(1), layer.p)[rows]

    layers = [m for m in network.modules() if isinstance(m, nn.Dropout) and m.training and m.p > 0]
    with replaced({layer: partial(drop, layer) for layer in layers}):
        yield


def _order(x: Tensor) -> torch.memory_format:
    """In which the values lie, and are drawn."""
    last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
