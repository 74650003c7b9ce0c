r"""Batch normalisation when a minibatch comes in two parts of different sizes.

The statistics are those of one part, the unlabelled patches, because these look like what is picked.  The labelled
crops are normalised by them too, with

.. math:: y = \gamma\,(x-\mu_U)/\sqrt{\sigma_U^2+\epsilon} + \beta

and the gradient flows through :math:`\mu_U, \sigma_U` as well.  It must: with constants there, training collapses
(average precision 0.70 instead of 0.98 on apoferritin, ten labels).  Statistics of its own would tell each part from
the other.

One pass computes the statistics and normalises by them.  With :math:`r = (\sigma_U^2+\epsilon)^{-1/2}` and N values a
channel, what their gradients :math:`g_\mu, g_r` add to that of a value is

.. math:: \left(g_\mu - g_r\,r^3\,(x-\mu_U)\right)/N.

Limit: a labelled part that is the unlabelled part again gets the same features and the same gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Statistics = dict[_BatchNorm, tuple[Tensor, Tensor]]
"""Mean and reciprocal standard deviation ``(c,)`` that each layer has normalised by, with their history for the
gradient."""


class _Normalized(torch.autograd.Function):
    """Of a layer that is training: what it makes of `x`, the mean and the reciprocal standard deviation."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, layer: _BatchNorm, momentum: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The layer's own running statistics learn."""
        out, mean, reciprocal = torch.native_batch_norm(
            x, weight, bias, layer.running_mean, layer.running_var, True, momentum, layer.eps)
        ctx.save_for_backward(x, weight, mean, reciprocal)
        ctx.eps = layer.eps
        return out, mean, reciprocal

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients with respect to `x`, `weight` and `bias`."""
        x, weight, mean, reciprocal = ctx.saved_tensors
        to_out, to_mean, to_reciprocal = gradients
        wanted = [True, weight is not None, weight is not None]
        to_x, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            to_out, x, weight, None, None, mean, reciprocal, True, ctx.eps, wanted)
        shape, number = (-1, *[1] * (x.ndim - 2)), x.numel() // x.shape[1]
        factor = -to_reciprocal * reciprocal**3 / number
        shift = (to_mean / number - factor * mean).view(shape)
        return to_x.add_(torch.addcmul(shift, x, factor.view(shape))), to_weight, to_bias, None, None


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[Statistics]:
    """Note the statistics of the batch that passes the network within the context."""
    kept: Statistics = {}

    def normalize(layer: _BatchNorm, x: Tensor) -> Tensor:
        """Take the place of the layer's own method."""
        momentum = layer.momentum
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.add_(1)
            momentum = 1 / float(layer.num_batches_tracked) if momentum is None else momentum
        out, *kept[layer] = _Normalized.apply(x, layer.weight, layer.bias, layer, momentum or 0.0)
        return out

    layers = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training]
    with _replaced({layer: partial(normalize, layer) for layer in layers}):
        yield kept


@contextmanager
def statistics_applied(statistics: Statistics) -> Iterator[None]:
    """Let the layers normalise what passes within the context by these statistics, and learn nothing from it."""

    def normalize(layer: _BatchNorm, x: Tensor) -> Tensor:
        """Take the place of the layer's own method."""
        mean, scale = statistics[layer]
        if layer.weight is not None:
            scale = scale * layer.weight
        shift = -mean * scale if layer.bias is None else layer.bias - mean * scale
        shape = (-1, *[1] * (x.ndim - 2))
        return torch.addcmul(shift.view(shape), x, scale.view(shape))

    with _replaced({layer: partial(normalize, layer) for layer in statistics}):
        yield


@contextmanager
def _replaced(forward: dict[_BatchNorm, Any]) -> Iterator[None]:
    """Let each layer compute by another function within the context."""
    try:
        for layer, function in forward.items():
            layer.forward = function  # type: ignore[method-assign]
        yield
    finally:
        for layer in forward:
            vars(layer).pop("forward", None)
