"""Parts that the networks are made of: normalisation, convolution block, residual block.

Every normalisation acts on each position by itself, so that a dense map equals the scores of single crops.  That is why
``group`` takes its mean and variance over the channels of a group **at one position**: over the positions of an image,
as group normalisation is often defined, a score would depend on what lies outside of its region.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pupicker.core.networks.activation import PReLU
from pupicker.core.networks.base import Pace, StridedConv
from pupicker.shared import choices

NORMS = choices.NORMS
"""``batch``: statistics of the minibatch while training, stored ones afterwards; ``group``: see above; ``affine``: a
learnt scale and shift of each channel without statistics; ``none``: a bias only."""

GROUP_CHANNELS = 16
"""Channels of a group; a network with fewer, or with another multiple, has a single group."""


class Affine(nn.Module):
    """``scale * x + shift`` for each channel of ``(n, c, h, w)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Any spatial size."""
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class PositionGroupNorm(Affine):
    """Zero mean and unit variance over the channels of a group at each position, then scale and shift."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.groups = channels // GROUP_CHANNELS if channels % GROUP_CHANNELS == 0 else 1

    def forward(self, x: Tensor) -> Tensor:
        """Any spatial size."""
        grouped = x.unflatten(1, (self.groups, -1))
        variance, mean = torch.var_mean(grouped, dim=2, correction=0, keepdim=True)
        return super().forward(((grouped - mean) * (variance + 1e-5).rsqrt()).flatten(1, 2))


def make_norm(kind: str, channels: int) -> nn.Module:
    """A normalisation layer by name; see :data:`NORMS`."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "none":
        return nn.Identity()
    return PositionGroupNorm(channels) if kind == "group" else Affine(channels)


class ConvBlock(nn.Module):
    """Convolution, normalisation, PReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, norm: str) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = StridedConv(channels_in, channels_out, kernel, stride, bias=norm == "none")
        self.norm = make_norm(norm, channels_out)
        self.activation = PReLU()

    def dense(self, x: Tensor, pace: Pace) -> Tensor:
        """The block at the pace of an evaluation."""
        out: Tensor = self.activation(self.norm(self.convolution.dense(x, *pace.take(self.stride))))
        return out


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, and a shortcut that reads the position in their middle.

    Unpadded convolutions shrink the map, so that the shortcut is cropped to the same positions; where the block has a
    stride or more channels, it is a 1×1 convolution.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, norm: str) -> None:
        super().__init__()
        self.stride = stride
        bias = norm == "none"
        self.first = ConvBlock(channels_in, channels_out, 3, stride, norm)
        self.convolution = StridedConv(channels_out, channels_out, 3, bias=bias)
        self.norm = make_norm(norm, channels_out)
        changes = stride > 1 or channels_in != channels_out
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, bias=bias) if changes else nn.Identity()
        self.activation = PReLU()

    def dense(self, x: Tensor, pace: Pace) -> Tensor:
        """The block at the pace of an evaluation."""
        dilation, before = pace.dilation, pace.actual
        main = self.first.dense(x, pace)
        step, second = pace.actual // before, pace.dilation
        main = self.norm(self.convolution.dense(main, *pace.take(1)))
        middle = dilation + step * second  # in pixels of x: where the centre of the two kernels lies
        height, width = main.shape[-2:]
        centre = x[..., middle::step, middle::step][..., :height, :width]
        out: Tensor = self.activation(main + self.shortcut(centre))
        return out
