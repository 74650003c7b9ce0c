"""Dense scores of a whole micrograph, in tiles, equal to scoring every crop by itself.

The micrograph is padded by half the receptive field of zeros, the background level of normalised micrographs, so that
every pixel, also at the borders, has a score.  Tiles overlap by the receptive field: the result does not depend on
their size, only memory does.  With `output_stride` s the scores of every s-th pixel (0, s, 2s, ...) are computed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pupicker.core.networks import Classifier


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
