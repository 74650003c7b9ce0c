r"""Autoencoder term: the features of a region should be enough to draw it again.

.. math:: L' = L + \gamma\,\frac1n\sum_{i=1}^{n} \lVert x_i - d(f(x_i))\rVert^2

over all n regions of a minibatch, labelled or not, with any objective L; f are the classifier's features, d a decoder
that is trained along and then thrown away, and the norm is a sum over pixels.  Source: Bepler et al. (2018),
"Autoencoder": :math:`\gamma = 10/N` for N ≤ 250 labels, none for more.

**Decoder.**  Transposed convolutions: 4×4 from one position to 4×4, then 4×4 with stride 2 (to 8, 16, ... pixels), each
followed by batch normalisation and leaky ReLU, and a last 3×3 with stride 2 from m to 2m − 1 pixels: for a network of
31 pixels 1 → 4 → 8 → 16 → 31 with 128, 64, 32 channels.  Larger fields get further doublings (63, 127); where 2m − 1
exceeds the field, the picture is cropped around its centre.

**What is drawn** is the region before the random grey level and noise of the augmentation were added: noise that we add
ourselves need not be remembered.

Limit: pixel noise cannot be drawn, so the term does not fall below the variance of the noise times the pixels (about
10³); its weight must be small.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST_LABELS = 250
"""Beyond so many labels the paper uses no autoencoder."""


def paper_weight(labels: int) -> float:
    r"""The paper's :math:`\gamma`: 10/N up to 250 labels, zero above."""
    return 10.0 / labels if 0 < labels <= MOST_LABELS else 0.0


class Decoder(nn.Module):
    """Features of single regions to pictures of them.

    Parameters
    ----------
    channels
        Of the features.
    size_px
        Side of the regions.
    """

    def __init__(self, channels: int, size_px: int) -> None:
        super().__init__()
        doublings = 0
        while 8 * 2**doublings - 1 < size_px:
            doublings += 1
        layers: list[nn.Module] = []
        wide = 32 * 2**doublings
        for index in range(doublings + 1):
            stride, padding = (1, 0) if index == 0 else (2, 1)
            layers += [
                nn.ConvTranspose2d(channels, wide, 4, stride, padding, bias=False), nn.BatchNorm2d(wide),
                nn.LeakyReLU(0.2),
            ]
            channels, wide = wide, wide // 2
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(channels, 1, 3, 2, 1))
        self.size_px = size_px

    def forward(self, features: Tensor) -> Tensor:
        """Pictures ``(n, 1, size, size)`` of features ``(n, c, 1, 1)``."""
        drawn: Tensor = self.layers(features)
        margin = (drawn.shape[-1] - self.size_px) // 2
        return drawn[..., margin : margin + self.size_px, margin : margin + self.size_px]


def reconstruction_error(drawn: Tensor, regions: Tensor) -> Tensor:
    """Mean over regions ``(n, 1, h, w)`` of the squared distance, a sum over pixels; scalar."""
    return torch.sum((drawn - regions) ** 2) / len(regions)
