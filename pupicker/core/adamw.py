"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), by the function that ``torch.optim.AdamW`` is made of.

Why not the class: making it loads torch's compiler, which takes longer than many a training and is used for nothing.
The numbers are the same bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BETAS = 0.9, 0.99
"""Decay of the means a step: those of the gradient and of its square."""
EPSILON = 1e-8


class AdamW:
    """Steps of `parameters` down their gradients, with decoupled weight decay.

    Attributes
    ----------
    parameters
        What is fitted, float32 of any shape.
    state
        By number of the parameter, once it has had a gradient: ``step`` (how many), ``exp_avg`` and ``exp_avg_sq``
        (running means of the gradient and of its square).
    """

    def __init__(self, parameters: Iterable[Tensor], weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.state: dict[int, dict[str, Tensor]] = {}
        self._weight_decay = weight_decay

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One step; parameters without a gradient stay."""
        numbers = [number for number, parameter in enumerate(self.parameters) if parameter.grad is not None]
        for number in numbers:
            if number not in self.state:
                parameter = self.parameters[number]
                self.state[number] = {"step": torch.tensor(0.0), "exp_avg": torch.zeros_like(parameter),
                                      "exp_avg_sq": torch.zeros_like(parameter)}
        slots = [self.state[number] for number in numbers]
        adamw(
            [self.parameters[number] for number in numbers], [_gradient(self.parameters[number]) for number in numbers],
            [slot["exp_avg"] for slot in slots], [slot["exp_avg_sq"] for slot in slots], [],
            [slot["step"] for slot in slots], amsgrad=False, beta1=BETAS[0], beta2=BETAS[1],
            lr=learning_rate, weight_decay=self._weight_decay, eps=EPSILON, maximize=False,
        )

    def restore(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Continue where :attr:`state` was taken; its tensors are copied to where the parameters are."""
        self.state = {
            number: {name: value.clone() if name == "step" else torch.empty_like(self.parameters[number]).copy_(value)
                     for name, value in slots.items()}
            for number, slots in state.items()
        }


def _gradient(parameter: Tensor) -> Tensor:
    """Of a parameter that has one."""
    assert parameter.grad is not None
    return parameter.grad
