"""Dense scores of a whole micrograph, in tiles, equal to scoring every crop by itself.

The micrograph is padded by half the receptive field of zeros, the background level of normalised micrographs, so that
every pixel, also at the borders, has a score.  Tiles overlap by the receptive field: the result does not depend on
their size, only memory does.  With `output_stride` s the scores of every s-th pixel (0, s, 2s, ...) are computed.

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
    4: ((0, False), (2, False), (1, True), (3, True)),
    8: tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}
"""By their number: the image as it is; a subgroup of the symmetries of the square; all of them."""


@torch.inference_mode()
def score_image(network: Classifier, image: Tensor, output_stride: int = 1, tile_px: int = 512) -> Tensor:
    """Logit of each (s-th) pixel of a normalised micrograph.

    Parameters
    ----------
    network
        In evaluation mode, on the device of `image`.
    image
        ``(h, w)`` float32.
    output_stride
        A divisor of the network's stride.
    tile_px
        Side of a tile in image pixels.

    Returns
    -------
    Tensor
        ``(ceil(h / s), ceil(w / s))`` float32; element (i, j) belongs to pixel (i s, j s).
    """
    if network.training:
        raise ValueError("the network must be in evaluation mode: network.eval()")
    height, width = image.shape
    field, stride = network.receptive_field_px, output_stride
    padded = F.pad(image, (field // 2,) * 4)
    scores = image.new_empty((-(-height // stride), -(-width // stride)))
    step = max(stride, tile_px // stride * stride)
    for top in range(0, height, step):
        for left in range(0, width, step):
            tile = padded[top : top + step + field - 1, left : left + step + field - 1]
            part = network(tile[None, None], stride)[0]
            i, j = top // stride, left // stride
            scores[i : i + part.shape[0], j : j + part.shape[1]] = part
    return scores


@torch.inference_mode()
def score_orientations(network: Classifier, image: Tensor, output_stride: int = 1, orientations: int = 1) -> Tensor:
    """Mean of :func:`score_image` over so many orientations of the image, in the frame of the image.

    With all eight orientations it is equivariant: the map of a turned or mirrored image is the turned or mirrored map
    (of an image with ``(side - 1) % output_stride == 0``, whose grid of scores is symmetric).

    Parameters
    ----------
    orientations
        A key of :data:`ORIENTATIONS`; takes so many times longer than :func:`score_image`.
    """
    rows, columns = -(-image.shape[0] // output_stride), -(-image.shape[1] // output_stride)
    missing = [-(side - 1) % output_stride for side in (image.shape[1], image.shape[0])]
    padded = F.pad(image, (0, missing[0], 0, missing[1]))  # zeros lie beyond the border anyway
    total = image.new_zeros((rows, columns))
    for turns, mirrored in ORIENTATIONS[orientations]:
        view = padded.flip(1) if mirrored else padded
        scores = score_image(network, torch.rot90(view, turns).contiguous(), output_stride)
        scores = torch.rot90(scores, -turns)
        total += (scores.flip(1) if mirrored else scores)[:rows, :columns]
    return total / orientations
