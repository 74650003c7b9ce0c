"""PReLU with a single learnt slope, with a backward pass that is several times faster on a processor.

``y = max(0, x) + a min(0, x)``; ``dL/dx = g`` where ``x > 0``, else ``a g``; ``dL/da = sum(g min(0, x))``.  torch's own
gradient of a scalar slope writes and sums a tensor of the input's size element by element, which took a fifth of a
training step.  On other devices torch's is used: there the slope would have to be copied to the host.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _ScalarPReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        """``max(0, x) + a min(0, x)``."""
        ctx.save_for_backward(x, slope)
        return F.leaky_relu(x, float(slope))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients with respect to the input and the slope."""
        x, slope = ctx.saved_tensors
        (gradient,) = gradients
        to_input = torch.ops.aten.leaky_relu_backward(gradient, x, float(slope), False)
        to_slope = (gradient * x.clamp(max=0)).sum().reshape(slope.shape)
        return to_input, to_slope


class PReLU(nn.PReLU):
    """``nn.PReLU()`` with one parameter; see the module's docstring."""

    def __init__(self) -> None:
        super().__init__(num_parameters=1)

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise, any shape."""
        if x.device.type != "cpu":
            return super().forward(x)
        out: Tensor = _ScalarPReLU.apply(x, self.weight)
        return out
