r"""The optimisation of pretraining, and its judge.

With g the probability of a region, the loss is

.. math:: L = w\,\mathrm{mean}(-\log g \text{ over regions on a centre})
              + (1-w)\,\mathrm{mean}(-\log(1-g) \text{ over the others}), \qquad w = 1/4,

that of a minibatch of which a quarter is positive, however many the patches happen to hold; w = 0 would call everything
background.  The step size falls along a cosine, and the running average of the weights is kept.
"""

from __future__ import annotations

import logging
import math
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from pupicker.core.adamw import AdamW
from pupicker.core.detection.candidates import pick_image
from pupicker.core.geometry import MATCH_RADIUS, MIN_DISTANCE
from pupicker.core.networks import Classifier
from pupicker.core.networks.inference import for_inference
from pupicker.core.scores.metrics import match_picks, precision_recall
from pupicker.engine.pretraining.batches import Batches
from pupicker.engine.pretraining.examples import Example
from pupicker.shared import options

POSITIVE_WEIGHT = 0.25
LEARNING_RATE, WARM_UP_UPDATES, DECAY = 2e-3, 100, 0.995
REPORT_UPDATES = 500

_log = logging.getLogger(__name__)


def pretrain(network: Classifier, batches: Batches, updates: int) -> dict[str, Tensor]:
    """Fit and return the average of the weights, on the CPU."""
    state = network.state_dict()
    names = [name for name, value in state.items() if value.is_floating_point()]
    live, mean = [state[name] for name in names], [state[name].clone() for name in names]
    optimizer = AdamW(network.parameters(), options.WEIGHT_DECAY.default)
    total, start = torch.zeros((), device=live[0].device), time.monotonic()
    for update in range(1, updates + 1):
        falling = 0.05 + 0.475 * (1 + math.cos(math.pi * update / updates))
        loss = _loss(network, batches)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(LEARNING_RATE * min(1.0, update / WARM_UP_UPDATES) * falling)
        torch._foreach_lerp_(mean, live, 1 - min(DECAY, update / (update + 10)))
        total += loss.detach()
        if update % REPORT_UPDATES == 0:
            seconds = time.monotonic() - start
            _log.info("%d/%d: loss %.4f, %.0f s", update, updates, float(total) / REPORT_UPDATES, seconds)
            total.zero_()
    averaged = dict(zip(names, mean, strict=True))
    return {name: averaged.get(name, value).cpu() for name, value in network.state_dict().items()}


def _loss(network: Classifier, batches: Batches) -> Tensor:
    """Of one minibatch."""
    patches, on, off = batches.draw()
    logits = network(patches.contiguous(memory_format=torch.channels_last)).flatten(1)
    positive, negative = _mean_where(F.softplus(-logits), on), _mean_where(F.softplus(logits), off)
    return POSITIVE_WEIGHT * positive + (1 - POSITIVE_WEIGHT) * negative


def _mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen ones; no transfer to the processor, unlike an index."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def average_precision(network: Classifier, examples: list[Example], diameter_px: float) -> float:
    """Mean over scenes with particles; the network is in evaluation mode on the CPU."""
    values, ready = [], for_inference(network)
    for image, xy in (example for example in examples if len(example[1])):
        found, logit = pick_image(ready, image.float(), MIN_DISTANCE * diameter_px)
        hits = match_picks(found.numpy(), logit.numpy(), xy.numpy(), MATCH_RADIUS * diameter_px) >= 0
        values.append(precision_recall([hits], [logit.numpy()], len(xy)).average_precision)
    return statistics.mean(values)
