r"""A network as it is best evaluated: less to do for the same scores.

Batch normalisation with stored statistics is a scale and a shift of each channel, :math:`y = a\,(w * x) + b`, and goes
into the weights and the bias of the convolution before it: :math:`w' = a w`, :math:`b` its bias.  Activations overwrite
their input.  Weights are rounded to the network's precision once, not for every image.

Limit: scores are the same up to rounding.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pupicker.core.networks.activation import PReLU
from pupicker.core.networks.base import Classifier, StridedConv


def for_inference(network: Classifier) -> Classifier:
    """A copy in evaluation mode whose map is that of `network`; not to be trained.

    Parameters
    ----------
    network
        Any; normalisation and activation of layers that are not pupicker's own stay as they are.
    """
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    for module in ready.modules():
        convolution, norm = getattr(module, "convolution", None), getattr(module, "norm", None)
        if isinstance(convolution, StridedConv) and isinstance(norm, nn.BatchNorm2d):
            _fold(convolution, norm)
            module.norm = nn.Identity()
        if isinstance(convolution, StridedConv) and ready.precision != torch.float32:
            convolution.to(ready.precision)
        activation = getattr(module, "activation", None)
        if isinstance(activation, PReLU):
            module.activation = nn.LeakyReLU(float(activation.weight), inplace=True)
    return ready.channels_last()


def _fold(convolution: StridedConv, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
