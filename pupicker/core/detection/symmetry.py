r"""How much a score depends on the orientation in which the image is read: a measure of its uncertainty.

A particle turned by a quarter of a turn, or mirrored, is a view that is as likely, but the network is symmetric only
as far as it has learnt to be. For the crop :math:`x` around a pick and the eight symmetries :math:`g` of the square,
which move pixels and interpolate nothing, the standard deviation of :math:`f(g x)` over :math:`g` is reported. Only
crops at the picks are evaluated, because eight dense maps would cost eight times as much.

Limit: it is the spread of one network over views, not over networks trained on other labels; where all eight views are
wrong alike, it is small.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pupicker.core.networks import Classifier
from pupicker.core.regions.crops import gather, margin_for, stack_micrographs

SYMMETRIES = 8
_BATCH = 2048


@torch.inference_mode()
def symmetry_logits(network: Classifier, image: Tensor, xy: Tensor) -> Tensor:
    """Logits of the eight symmetric views of the crop around each position.

    Parameters
    ----------
    network
        In evaluation mode, on the device of `image`.
    image
        ``(h, w)`` normalised micrograph.
    xy
        ``(n, 2)`` x, y in its pixels; the crop's centre is the nearest pixel.

    Returns
    -------
    Tensor
        ``(n, 8)`` float64 on the CPU; the first column is the image as it is.
    """
    if network.training:
        raise ValueError("the network must be in evaluation mode: network.eval()")
    field = network.receptive_field_px
    stack = stack_micrographs([image], margin_for(field))
    stack = stack.to(image.device)
    last = torch.tensor([image.shape[0] - 1, image.shape[1] - 1])
    pixel = xy.flip(1).round().long().clamp(min=0).minimum(last)
    where = torch.cat([torch.zeros(len(pixel), 1, dtype=torch.long), pixel], dim=1)
    parts = []
    for some in where.split(_BATCH // SYMMETRIES):
        crops = gather(stack, some, field)
        views = [torch.rot90(side, quarter, (2, 3)) for quarter in range(4) for side in (crops, crops.flip(3))]
        logits = network(torch.cat(views))[:, 0, 0]
        parts.append(logits.view(SYMMETRIES, len(some)).T.double().cpu())
    return torch.cat(parts) if parts else torch.zeros((0, SYMMETRIES), dtype=torch.float64)
