r"""A second last layer, with which a network scores four positions at each step: the map of picking for a quarter.

Neighbouring positions share nearly all of their pixels.  So the features c of a network at every fourth pixel hold
nearly all that the scores of every second pixel depend on, and what is missing is a linear map: 3×3 of them to the
scores of the 2×2 positions of a cell (:mod:`.base`).  It is fitted to the map m that the network itself gives at twice
the resolution, averaged over orientations if wanted, by least squares,

.. math:: \min_{W,b} \sum_k w_k\,\lVert W c_k + b - m_k\rVert^2
          + \lambda\,\overline{(C^\top w C)_{jj}}\,\lVert W\rVert^2, \qquad
          w_k = 1 + 4\,\overline{\sigma(m_k + 1)},

over cells k drawn at random: high scores, which decide, weigh more.  Labels are not needed, and the network stays as
it is.

Limits: for cells in general position and :math:`\lambda\to0` a map that is linear in the features is found exactly;
for :math:`\lambda\to\infty` the mean of the scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupicker.core.networks.base import Classifier

STEP_PX, CELL, KERNEL = 4, 2, 3
REGULARIZATION = 0.1
CELLS = 16000
"""That are fitted: seven for each number of the default network's map."""
BLOCK, COLUMNS = 2000, 256
"""Cells and columns whose products are computed at a time."""


def can_have_cell_head(network: Classifier) -> bool:
    """Whether the network can be evaluated at every fourth pixel, and has not cells of its own."""
    return network.cell == 1 and network.total_stride % STEP_PX == 0


class CellNetwork(Classifier):
    """A network with a last layer for cells.

    Parameters
    ----------
    network
        Any that :func:`can_have_cell_head`; shared, not copied.
    head
        Its layer for cells; None: one that is still to be fitted.
    """

    cell = CELL

    def __init__(self, network: Classifier, head: nn.Conv2d | None = None) -> None:
        super().__init__()
        self.base = network
        self.head = head or empty_head(network)
        self.settings, self.precision = network.settings, network.precision
        self.total_stride = STEP_PX
        self.receptive_field_px = network.receptive_field_px + STEP_PX * (KERNEL - 1)

    def features(self, x: Tensor, output_stride: int) -> Tensor:
        """Those of the network."""
        return self.base.features(x, output_stride)


def empty_head(network: Classifier) -> nn.Conv2d:
    """A layer of zeros for a network's features."""
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and not wanted
        layer = nn.Conv2d(network.head.in_channels, CELL**2, KERNEL)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


@torch.no_grad()
def fit_cell_head(
    network: CellNetwork, images: Sequence[Tensor], maps: Sequence[Tensor], generator: torch.Generator,
    cells: int = CELLS, regularization: float = REGULARIZATION,
) -> None:
    r"""Fit the layer for cells, in place.

    Parameters
    ----------
    network
        In evaluation mode.
    images
        ``(h, w)`` normalised.
    maps
        ``(ceil(h / 2), ceil(w / 2))`` scores of every second pixel of each.
    generator
        On the CPU; draws the cells, as many of each image as its area says.
    cells
        Largest number of them.
    regularization
        :math:`\lambda`.
    """
    total = sum(image.numel() for image in images)
    features, scores = [], []
    for image, target in zip(images, maps, strict=True):
        rows, columns = image.shape[0] // STEP_PX, image.shape[1] // STEP_PX  # cells that lie in it as a whole
        drawn = torch.randperm(rows * columns, generator=generator)[: max(1, cells * image.numel() // total)]
        row, column = (drawn // columns).to(image.device), (drawn % columns).to(image.device)
        around = network.precise_features(network.padded(image)[None, None], STEP_PX)[0].permute(1, 2, 0).contiguous()
        near = [around[row + i, column + j] for i in range(KERNEL) for j in range(KERNEL)]
        features.append(torch.cat(near, dim=1))
        inner = target[: rows * CELL, : columns * CELL]
        scores.append(F.pixel_unshuffle(inner[None], CELL)[:, row, column].T)
    weight, bias = _least_squares(torch.cat(features), torch.cat(scores), regularization)
    network.head.weight.copy_(weight.T.unflatten(1, (KERNEL, KERNEL, -1)).permute(0, 3, 1, 2))
    assert network.head.bias is not None
    network.head.bias.copy_(bias)


def _least_squares(features: Tensor, scores: Tensor, regularization: float) -> tuple[Tensor, Tensor]:
    """Weights ``(n, 4)`` and biases ``(4,)`` for features ``(cells, n)`` and scores ``(cells, 4)``.

    Products of a block are float32, their sums and the solution in double precision.  The largest and the smallest
    direction of features differ by a factor of thousands; regularized, the scores of two processors, and those of
    double precision throughout, differ by 1e-5.
    """
    scores = scores.double()
    weight = 1 + 4 * torch.sigmoid(scores + 1).mean(1, keepdim=True)
    share = weight / weight.sum()
    mean = (share * scores).sum(0)
    square = features.new_zeros(features.shape[1], features.shape[1], dtype=torch.float64)
    product, middle = square.new_zeros(len(square), scores.shape[1]), square.new_zeros(len(square))
    parts = [slice(first, first + BLOCK) for first in range(0, len(features), BLOCK)]
    for part in parts:
        middle += share[part].T[0] @ features[part].double()
    for part in parts:
        root = weight[part].sqrt()
        weighted = (features[part] - middle.float()) * root.float()
        for first in range(0, len(square), COLUMNS):  # the lower triangle: it is symmetric
            columns = slice(first, first + COLUMNS)
            square[first:, columns] += weighted[:, first:].T @ weighted[:, columns]
        product.addmm_(weighted.T.double(), (scores[part] - mean) * root)
    square = square.tril() + square.tril(-1).T
    square.diagonal().add_(regularization * square.diagonal().mean())
    solution = torch.cholesky_solve(product, torch.linalg.cholesky(square))
    return solution.float(), (mean - middle @ solution).float()
