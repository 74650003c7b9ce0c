"""Dense scores of a whole micrograph, in tiles, equal to scoring every crop by itself.

The micrograph is padded by half the field of zeros, the background level of normalised micrographs, so that every
pixel, also at the borders, has a score.  Tiles overlap by the field and begin on whole cells: the result does not
depend on their size, only memory does.  With output stride s the scores of every s-th pixel (0, s, 2s, ...) are
computed.

A particle has no preferred direction in the image, a network that was trained on few labels has.  Its logit is
therefore averaged over orientations of the image, some or all of the eight symmetries of the square
(:data:`ORIENTATIONS`): they move pixels without interpolation, so that nothing is softened.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pupicker.core.networks import Classifier

View = tuple[int, bool]
"""Quarter turns, and whether the image is mirrored before."""

ORIENTATIONS: dict[int, tuple[View, ...]] = {
    1: ((0, False),),
    2: ((0, False), (1, True)),
    4: ((0, False), (2, False), (1, True), (3, True)),
    8: tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}
"""By their number: the image as it is; a subgroup of the symmetries of the square; all of them."""


TILE_PX = 512
"""Side of a tile, of a network without cells; one with cells keeps less of each pixel in memory."""


@torch.inference_mode()
def score_image(
    network: Classifier, image: Tensor, output_stride: int | None = None, tile_px: int | None = None
) -> Tensor:
    """Logit of each (s-th) pixel of a normalised micrograph.

    Parameters
    ----------
    network
        In evaluation mode, on the device of `image`.
    image
        ``(h, w)`` float32.
    output_stride
        s, one that the network can have; None: 1, or the only one of a network with cells.
    tile_px
        Side of a tile in image pixels; None: :data:`TILE_PX` times the side of a cell.

    Returns
    -------
    Tensor
        ``(ceil(h / s), ceil(w / s))`` float32; element (i, j) belongs to pixel (i s, j s).
    """
    if network.training:
        raise ValueError("the network must be in evaluation mode: network.eval()")
    stride = network.output_stride_for(1) if output_stride is None else output_stride
    field, unit = network.map_field_px, stride * network.cell
    height, width = image.shape
    padded = network.padded(image, stride)
    step = max(unit, (tile_px or TILE_PX * network.cell) // unit * unit)
    scores = image.new_empty(tuple((side - field + 1) // stride for side in padded.shape))
    for top in range(0, height, step):
        for left in range(0, width, step):
            tile = padded[top : top + step + field - 1, left : left + step + field - 1]
            part = network(tile[None, None], stride)[0]
            i, j = top // stride, left // stride
            scores[i : i + part.shape[0], j : j + part.shape[1]] = part
    return scores[: -(-height // stride), : -(-width // stride)]


@torch.inference_mode()
def score_orientations(
    network: Classifier, image: Tensor, output_stride: int | None = None, orientations: int = 1
) -> Tensor:
    """Mean of :func:`score_image` over so many orientations of the image, in the frame of the image.

    With all eight orientations it is equivariant: the map of a turned or mirrored image is the turned or mirrored map
    (of an image with ``(side - 1) % s == 0`` for an output stride s, whose grid of scores is symmetric; with cells:
    ``(side + s - 1) % total_stride == 0``).

    Parameters
    ----------
    orientations
        A key of :data:`ORIENTATIONS`; takes so many times longer than :func:`score_image`.
    """
    stride = network.output_stride_for(1) if output_stride is None else output_stride
    if orientations == 1:
        return score_image(network, image, stride)
    rows, columns = -(-image.shape[0] // stride), -(-image.shape[1] // stride)
    missing = [-(side + stride - 1) % (stride * network.cell) for side in (image.shape[1], image.shape[0])]
    padded = F.pad(image, (0, missing[0], 0, missing[1]))  # zeros lie beyond the border anyway
    total = image.new_zeros((rows, columns))
    for turns, mirrored in ORIENTATIONS[orientations]:
        view = padded.flip(1) if mirrored else padded
        scores = score_image(network, torch.rot90(view, turns).contiguous(), stride)
        scores = torch.rot90(scores, -turns)
        total += (scores.flip(1) if mirrored else scores)[:rows, :columns]
    return total / orientations
