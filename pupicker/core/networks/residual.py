"""A small residual network on regions of 31×31 pixels.

conv 3×3, 32, stride 2 → residual block, 32 → residual block, 64, stride 2 → conv 3×3, 128 → linear: six convolutions on
top of each other where conv31 has three, with kernels of 3×3 and two shortcuts; receptive field
3 + 2·(2 + 2) + (2·2 + 2·4) + 2·4 = 31 pixels, so that working pixel size and crops are those of conv31.  Source of the
blocks: He et al., Deep residual learning, CVPR 2016; unpadded here, see :class:`.blocks.ResidualBlock`.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pupicker.core.networks.base import Classifier, Pace, check_settings
from pupicker.core.networks.blocks import NORMS, ConvBlock, ResidualBlock


class ResNet31(Classifier):
    """Two residual blocks between two convolutions.

    Parameters
    ----------
    width
        Channels of the first layers; those after the stride have two, the last has four times as many.
    dropout
        Fraction of the last features dropped while training.
    norm
        One of :data:`~pupicker.core.networks.blocks.NORMS`.
    """

    receptive_field_px = 31
    total_stride = 4
    setting_names: ClassVar[tuple[str, ...]] = ("width", "dropout", "norm")

    def __init__(self, width: int = 32, dropout: float = 0.0, norm: str = "batch") -> None:
        super().__init__()
        check_settings(width, dropout, norm, NORMS)
        self.stem = ConvBlock(1, width, 3, 2, norm)
        self.block1 = ResidualBlock(width, width, 1, norm)
        self.block2 = ResidualBlock(width, 2 * width, 2, norm)
        self.last = ConvBlock(2 * width, 4 * width, 3, 1, norm)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(4 * width, 1, 1)

    def features(self, x: Tensor, output_stride: int) -> Tensor:
        """31×31 → 15×15 → 11×11 → 3×3 → 1×1 at the network's own stride."""
        pace = Pace(output_stride)
        for block in (self.stem, self.block1, self.block2, self.last):
            x = block.dense(x, pace)
        out: Tensor = self.dropout(x)
        return out
