"""Plain convolutional networks: the paper's on regions of 31×31 pixels, and deeper ones of its kind.

conv31: conv 7×7, 32, stride 2 → conv 5×5, 64, stride 2 → conv 5×5, 128 → linear; normalisation and PReLU behind every
convolution; 258,148 parameters with the default settings.  Source: Bepler et al. (2018), "Classifier architecture".

conv47 has stride 2 in the third layer too, and a fourth, 3×3, 256: a receptive field of 7 + 4·2 + 4·4 + 2·8 = 47
pixels.  The particle is 22 of them wide, as in conv31; the rest shows what lies beside it.

conv63 and conv127 have one and two more 5×5 convolutions of stride 2, each with twice the channels: receptive fields of
7 + 4·2 + 4·4 + 4·8 = 63 and + 4·16 = 127 pixels, as the networks of these names that the authors' program has.  In them
the particle fills half of the field, so that they see finer detail and all of the surroundings that a neighbour can lie
in; see docs/method.md, section 4.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pupicker.core.networks.base import Classifier, Pace, check_settings
from pupicker.core.networks.blocks import NORMS, ConvBlock

DEEPER_FRACTION = 0.5


class ConvNet(Classifier):
    """Convolutions one after the other.

    Parameters
    ----------
    width
        Channels of the first layer; each of the next has twice as many as the one before.
    dropout
        Fraction of the last features dropped while training.
    norm
        One of :data:`~pupicker.core.networks.blocks.NORMS`.
    """

    layers: ClassVar[tuple[tuple[int, int], ...]]
    """Kernel size and stride of each."""
    setting_names: ClassVar[tuple[str, ...]] = ("width", "dropout", "norm")

    def __init__(self, width: int = 32, dropout: float = 0.0, norm: str = "batch") -> None:
        super().__init__()
        check_settings(width, dropout, norm, NORMS)
        channels = [1, *(width << index for index in range(len(self.layers)))]
        self.blocks = tuple(
            ConvBlock(channels[index], channels[index + 1], kernel, stride, norm)
            for index, (kernel, stride) in enumerate(self.layers)
        )
        for index, block in enumerate(self.blocks):
            self.add_module(f"block{index}", block)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(channels[-1], 1, 1)

    def features(self, x: Tensor, output_stride: int) -> Tensor:
        """conv31 at its own stride: 31×31 → 13×13 → 5×5 → 1×1."""
        pace = Pace(output_stride)
        for block in self.blocks:
            x = block.dense(x, pace)
        out: Tensor = self.dropout(x)
        return out


class Conv31(ConvNet):
    """The paper's classifier."""

    receptive_field_px = 31
    total_stride = 4
    layers = ((7, 2), (5, 2), (5, 1))


class Conv47(ConvNet):
    """One convolution more, 3×3, and the surroundings of the particle."""

    receptive_field_px = 47
    total_stride = 8
    particle_fraction = 22 / 47
    layers = ((7, 2), (5, 2), (5, 2), (3, 1))


class Conv63(ConvNet):
    """One convolution more."""

    receptive_field_px = 63
    total_stride = 8
    particle_fraction = DEEPER_FRACTION
    layers = ((7, 2), (5, 2), (5, 2), (5, 1))


class Conv127(ConvNet):
    """Two convolutions more."""

    receptive_field_px = 127
    total_stride = 16
    particle_fraction = DEEPER_FRACTION
    layers = ((7, 2), (5, 2), (5, 2), (5, 2), (5, 1))
