"""The paper's network: three convolutions on regions of 31×31 pixels.

conv 7×7, 32, stride 2 → conv 5×5, 64, stride 2 → conv 5×5, 128 → linear; batch normalisation and PReLU behind every
convolution; 258,148 parameters with the default width.  Source: Bepler et al. (2018), "Classifier architecture".
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pupicker.core.networks.activation import PReLU
from pupicker.core.networks.base import Classifier, StridedConv


class _Block(nn.Module):
    """Convolution, batch normalisation, PReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = StridedConv(channels_in, channels_out, kernel, stride, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.activation = PReLU()

    def dense(self, x: Tensor, stride: int, dilation: int) -> Tensor:
        """The block with another stride and dilation than its own."""
        out: Tensor = self.activation(self.norm(self.convolution.dense(x, stride, dilation)))
        return out


class Conv31(Classifier):
    """The paper's classifier.

    Parameters
    ----------
    width
        Channels of the first layer; the next have two and four times as many.
    dropout
        Fraction of the last features dropped while training.
    """

    receptive_field_px = 31
    total_stride = 4
    setting_names: ClassVar[tuple[str, ...]] = ("width", "dropout")

    def __init__(self, width: int = 32, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = (_Block(1, width, 7, 2), _Block(width, 2 * width, 5, 2), _Block(2 * width, 4 * width, 5, 1))
        for index, block in enumerate(self.blocks):
            self.add_module(f"block{index}", block)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(4 * width, 1, 1)

    def features(self, x: Tensor, output_stride: int) -> Tensor:
        """31×31 → 13×13 → 5×5 → 1×1 at the network's own stride."""
        nominal = actual = 1  # stride that the strided network, and this evaluation, have accumulated
        for block in self.blocks:
            step, dilation = min(block.stride, output_stride // actual), nominal // actual
            x = block.dense(x, step, dilation)
            nominal *= block.stride
            actual *= step
        out: Tensor = self.dropout(x)
        return out
