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

**A batch that several processes share.**  Each has its own rows of it, :math:`n_r` values a channel with mean
:math:`\mu_r` and variance :math:`v_r`.  The statistics are those of the whole batch, from sums over the processes,

.. math:: N = \sum_r n_r,\quad \mu = \frac1N\sum_r n_r\mu_r,\quad
          \sigma^2 = \frac1N\sum_r n_r\left(v_r+\mu_r^2\right) - \mu^2

in double precision, where the difference loses nothing that matters.  Backward, with :math:`\hat x=r(x-\mu)` and the
gradient :math:`g` of what the layer gives, a value gets

.. math:: r\gamma\left(g - \frac1N\sum g - \frac{\hat x}N\sum g\hat x\right)
          + \frac1N\left(g_\mu - g_r\,r^3\,(x-\mu)\right)

where both sums, :math:`g_\mu` and :math:`g_r` are those of all processes.

Limits: a labelled part that is the unlabelled part again gets the same features and the same gradients; one process
with all rows gets what it would get by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Statistics = dict[_BatchNorm, tuple[Tensor, Tensor]]
"""Mean and reciprocal standard deviation ``(c,)`` that each layer has normalised by, with their history for the
gradient."""

Total = Callable[[Tensor], Tensor]
"""Sum of a tensor over all processes that share a batch."""


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


class _NormalizedTogether(torch.autograd.Function):
    """As :class:`_Normalized`, of a batch of which other processes have other rows."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, layer: _BatchNorm, weight: Tensor, bias: Tensor, total: Total
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The layer's own running statistics learn."""
        scratch = torch.zeros_like(weight), torch.ones_like(weight)  # of float32: so are the statistics then
        mean, variance = (t.double() for t in torch.batch_norm_update_stats(x, *scratch, 0.0))
        number = x.numel() // x.shape[1]
        sums = total(torch.cat([number * mean, number * (variance + mean**2), mean.new_tensor([number])]))
        mean, square = (sums[:-1] / sums[-1]).chunk(2)
        variance = (square - mean**2).clamp(min=0)
        if layer.running_mean is not None and layer.running_var is not None:
            momentum = _momentum(layer)
            layer.running_mean.lerp_(mean.float(), momentum)
            layer.running_var.lerp_((variance * sums[-1] / (sums[-1] - 1)).float(), momentum)
        reciprocal = (variance + layer.eps).rsqrt().float()
        mean, variance = mean.float(), variance.float()
        out = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, layer.eps)[0]
        ctx.save_for_backward(x, weight, mean, variance, reciprocal, sums[-1].float())
        ctx.eps, ctx.total = layer.eps, total
        return out, mean, reciprocal

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients with respect to `x`, and what these rows add to those of `weight` and `bias`."""
        x, weight, mean, variance, reciprocal, number = ctx.saved_tensors
        to_x, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True])
        sums = ctx.total(torch.cat([to_weight, to_bias, *gradients[1:]]).double()).float()
        along, across, to_mean, to_reciprocal = sums.chunk(4)
        shape = (-1, *[1] * (x.ndim - 2))
        factor = -(to_reciprocal * reciprocal + weight * along) * reciprocal**2 / number
        shift = ((to_mean - weight * reciprocal * across) / number - factor * mean).view(shape)
        return to_x.add_(torch.addcmul(shift, x, factor.view(shape))), None, to_weight, to_bias, None


@contextmanager
def statistics_kept(network: nn.Module, total: Total | None = None) -> Iterator[Statistics]:
    """Note the statistics of the batch that passes the network within the context.

    `total`: other processes have other rows of that batch; None: this one has all.
    """
    kept: Statistics = {}

    def normalize(layer: _BatchNorm, x: Tensor) -> Tensor:
        """Take the place of the layer's own method."""
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.add_(1)
        if total is None:
            out, *kept[layer] = _Normalized.apply(x, layer.weight, layer.bias, layer, _momentum(layer))
        else:
            weight, bias = _affine(layer, x)
            out, *kept[layer] = _NormalizedTogether.apply(x, layer, weight, bias, total)
        return out

    layers = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training]
    with replaced({layer: partial(normalize, layer) for layer in layers}):
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

    with replaced({layer: partial(normalize, layer) for layer in statistics}):
        yield


def _momentum(layer: _BatchNorm) -> float:
    """Share of this batch in the running statistics; without one, these are means over all batches so far."""
    if layer.momentum is None and layer.num_batches_tracked is not None:
        return 1 / float(layer.num_batches_tracked)
    return layer.momentum or 0.0


def _affine(layer: _BatchNorm, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of a layer, which may have none."""
    if layer.weight is not None:
        return layer.weight, layer.bias
    return torch.ones(x.shape[1], device=x.device), torch.zeros(x.shape[1], device=x.device)


@contextmanager
def replaced(forward: Mapping[nn.Module, Any]) -> Iterator[None]:
    """Let each layer compute by another function within the context."""
    try:
        for layer, function in forward.items():
            layer.forward = function
        yield
    finally:
        for layer in forward:
            vars(layer).pop("forward", None)
