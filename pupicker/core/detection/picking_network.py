"""The network that picks: the trained one with a last layer for cells, fitted to what the trained one sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pupicker.core.detection.scoring import score_orientations
from pupicker.core.networks import Classifier
from pupicker.core.networks.cell_head import CELL, STEP_PX, CellNetwork, can_have_cell_head, fit_cell_head
from pupicker.core.networks.inference import for_inference

PIXELS = 1_000_000
"""Of all images that are looked at."""


def picking_network(
    network: Classifier, images: Sequence[Tensor], orientations: int, seed: int, pixels: int = PIXELS
) -> Classifier:
    """A network for maps of every second pixel that costs a quarter; itself if it cannot have a layer for cells.

    Parameters
    ----------
    network
        In evaluation mode; it is shared, not copied.
    images
        ``(h, w)`` normalised micrographs like those that will be picked.
    orientations
        Over which the map that it learns is averaged.
    seed
        Of what is looked at.
    pixels
        At most so many are looked at, as many of each image; where is drawn.
    """
    if not can_have_cell_head(network):
        return network
    generator = torch.Generator().manual_seed(seed)
    device = next(network.parameters()).device
    parts = [_part(image, pixels // len(images), generator).to(device) for image in images]
    ready, out = for_inference(network), CellNetwork(network).to(device).eval()
    maps = [score_orientations(ready, part, STEP_PX // CELL, orientations) for part in parts]
    fit_cell_head(out, parts, maps, generator)
    return out


def _part(image: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """The image, or a part of so many pixels with its proportions, which lies anywhere in it."""
    share = min(1.0, (pixels / image.numel()) ** 0.5)
    height, width = (max(STEP_PX, int(side * share)) for side in image.shape)
    top, left = (int(torch.randint(whole - part + 1, (1,), generator=generator))
                 for whole, part in zip(image.shape, (height, width), strict=True))
    return image[top : top + height, left : left + width]
