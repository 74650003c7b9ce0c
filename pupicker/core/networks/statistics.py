r"""Batch normalisation when a minibatch comes in two parts of different sizes.

The statistics are those of one part, the unlabelled patches, because these look like what is picked.  The labelled
crops are normalised by them too, with

.. math:: y = \gamma\,(x-\mu_U)/\sqrt{\sigma_U^2+\epsilon} + \beta

and the gradient flows through :math:`\mu_U, \sigma_U` as well.  It must: with constants there, training collapses
(average precision 0.70 instead of 0.98 on apoferritin, ten labels).  Statistics of its own would tell each part from
the other.

Limit: a labelled part that is the unlabelled part again gets the same features and the same gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Statistics = dict[_BatchNorm, tuple[Tensor, Tensor]]
"""Mean and variance ``(c,)`` that each layer has normalised by, with their history for the gradient."""


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[Statistics]:
    """Note the statistics of the batch that passes the network within the context."""
    kept: Statistics = {}

    def note(layer: nn.Module, given: tuple[Any, ...]) -> None:
        """Called by a layer with what it is about to normalise."""
        x: Tensor = given[0]
        variance, mean = torch.var_mean(x, [d for d in range(x.ndim) if d != 1], correction=0)
        assert isinstance(layer, _BatchNorm)
        kept[layer] = mean, variance

    handles = [m.register_forward_pre_hook(note) for m in network.modules() if isinstance(m, _BatchNorm) and m.training]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def statistics_applied(statistics: Statistics) -> Iterator[None]:
    """Let the layers normalise what passes within the context by these statistics, and learn nothing from it."""

    def normalize(layer: nn.Module, given: tuple[Any, ...], _: Tensor) -> Tensor:
        """Take the place of what a layer has made of its input."""
        x: Tensor = given[0]
        assert isinstance(layer, _BatchNorm)
        mean, variance = statistics[layer]
        scale = (variance + layer.eps).rsqrt()
        shape = (-1, *[1] * (x.ndim - 2))
        out = (x - mean.view(shape)) * scale.view(shape)
        return out if layer.weight is None else out * layer.weight.view(shape) + layer.bias.view(shape)

    handles = [layer.register_forward_hook(normalize) for layer in statistics]
    for layer in statistics:
        layer.eval()  # so that what it has stored does not change
    try:
        yield
    finally:
        for layer in statistics:
            layer.train()
        for handle in handles:
            handle.remove()
