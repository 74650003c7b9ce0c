"""A network being fitted: weights, their running average, optimiser and random numbers, all of it resumable.

The average of the weights (exponential, decay 0.99 a step, faster in the beginning) is what is validated and kept: it
is as good as a decayed learning rate at any moment, so that the length of training can be chosen afterwards.

Start.  Random weights, or given ones as they are but for the last bias, which is shifted so that the network expects
the class prior of what it is trained on (:mod:`pupicker.core.scores.log_odds`).

Autoencoder.  With a weight above zero a decoder is fitted along (:mod:`pupicker.core.networks.autoencoder`).  It
belongs to the state, not to the model: picking does not need it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch
from torch import Tensor

from pupicker.core.adamw import AdamW
from pupicker.core.networks import Classifier, build
from pupicker.core.networks.autoencoder import Decoder, reconstruction_error
from pupicker.core.networks.dropout import dropout_of_rows
from pupicker.core.networks.statistics import Total, statistics_applied, statistics_kept
from pupicker.core.objectives import OBJECTIVES, Loss
from pupicker.core.regions.patches import patch_grid
from pupicker.core.scores.log_odds import shift_to_mean
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.device import on_device, precision_name, set_precision, set_threads
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.runtime.processes import ALONE, Processes
from pupicker.engine.training.minibatches import Sampler
from pupicker.shared import options

WARM_UP_UPDATES = 50
START_MINIBATCHES = 8
REGIONS_PER_POSITIVE = 16
"""As in the paper."""

START, DATA, BEGIN, UPDATE = "start", "data", "begin", "update"
"""What a leading process tells those that help it: START, then DATA for each stage, BEGIN for each epoch, UPDATE."""


@dataclass(frozen=True)
class FittingOptions:
    """Numbers of the optimisation.

    Attributes
    ----------
    objective, network, network_settings
        Registered names; settings of the network.
    learning_rate, weight_decay, decay
        Of AdamW, after :data:`WARM_UP_UPDATES` of linear increase; decay of the weights' average.
    batch_size, positives
        Regions of a minibatch and how many of them are labelled positives (one of :data:`REGIONS_PER_POSITIVE`); as
        many are labelled negatives if there are any. A few of the unlabelled ones do not count, see
        :mod:`pupicker.engine.training.minibatches`.
    seed
        Of weights, minibatches and augmentation.
    start_digest
        Digest of the weights that are given to :class:`Fitting`, empty for random ones.
    autoencoder
        Weight of the autoencoder term, 0 for none; ``"auto"``: as the paper has it for the number of labels, which a
        :class:`Fitting` has to be told as a number.
    """

    objective: str = options.OBJECTIVE.default
    network: str = options.NETWORK.default
    network_settings: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = options.LEARNING_RATE.default
    weight_decay: float = options.WEIGHT_DECAY.default
    decay: float = 0.99
    batch_size: int = options.BATCH_SIZE.default
    positives: int = options.BATCH_SIZE.default // REGIONS_PER_POSITIVE
    seed: int = options.SEED.default
    start_digest: str = ""
    autoencoder: float | str = options.AUTOENCODER.default

    def __post_init__(self) -> None:
        """Raise UsageError at a number that cannot be."""
        check_options(vars(self))


class Fitting:
    """State of a training; :meth:`update_many` goes on with it.

    `weights` is what the network starts from; None: random weights.
    """

    def __init__(
        self, options: FittingOptions, device: torch.device, weights: Mapping[str, Tensor] | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.options = options
        self.device = device
        self._processes = processes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            network = build(options.network, **options.network_settings)
            decoder = Decoder(network.head.in_channels, network.receptive_field_px) if options.autoencoder else None
        if weights is not None:
            network.load_state_dict(weights)
        self.network: Classifier = on_device(network, device).channels_last()
        self.average: Classifier = copy.deepcopy(self.network).eval()
        self.decoder = decoder.to(device) if decoder is not None else None
        decoded = list(self.decoder.parameters()) if self.decoder is not None else []
        self._optimizer = AdamW([*self.network.parameters(), *decoded], options.weight_decay)
        self._generator = torch.Generator().manual_seed(options.seed)
        self.updates = 0
        self._helped_with: Sampler | None = None

    def update_many(self, sampler: Sampler, prior: float, count: int, stop: Callable[[], bool]) -> float:
        """Do `count` updates (fewer if `stop` says so) and return the mean loss.

        `prior` is the fraction of positives among the unlabelled regions.
        """
        if not self.updates:
            self._start_at(sampler, prior)
        self._call_helpers(sampler, prior)
        losses = []
        with torch.random.fork_rng(devices=[]):
            self._begin()
            for _ in range(count):
                if stop():
                    break
                self._processes.tell(UPDATE)
                losses.append(self._differentiated(sampler, prior))
                self._step()
        return float(torch.stack(losses).mean()) if losses else float("nan")

    def _begin(self) -> None:
        self.network.train()
        torch.manual_seed(self.options.seed * 1_000_003 + self.updates)  # dropout draws from the global generator

    def _differentiated(self, sampler: Sampler, prior: float) -> Tensor:
        """The loss of one minibatch, whose gradients the parameters have then."""
        self._processes.spread(self._optimizer.parameters)
        loss = self._loss(sampler, prior)
        self._optimizer.zero_grad()
        loss.objective.backward()
        self._processes.sum_gradients(self._optimizer.parameters)
        return loss.value.detach()

    def _call_helpers(self, sampler: Sampler, prior: float) -> None:
        """Give the other processes, if there are any, what they need for the next updates."""
        if self._processes and self._helped_with is not sampler:
            pixels = sampler.stack.buffer.cpu()
            bare = sampler.with_pixels(pixels[:0])
            self._processes.tell(DATA, options=self.options, sampler=bare, pixels=len(pixels))
            self._processes.spread([pixels])
            self._helped_with = sampler
        self._processes.tell(BEGIN, updates=self.updates, generator=self._generator.get_state(), prior=prior)

    def help(self, sampler: Sampler) -> tuple[str, dict[str, Any]]:
        """Compute the own share of the leading process's updates, and return its word after the last of them."""
        word, content = self._processes.hear()
        while word == BEGIN:
            self.updates = content["updates"]
            self._generator.set_state(content["generator"])
            self._begin()
            prior = content["prior"]
            word, content = self._processes.hear()
            while word == UPDATE:
                self._differentiated(sampler, prior)
                word, content = self._processes.hear()
        return word, content

    def _loss(self, sampler: Sampler, prior: float) -> Loss:
        """Of one minibatch."""
        positives, stride = self.options.positives, self.network.total_stride
        negatives = positives if sampler.has_negatives else 0
        unlabelled = self.options.batch_size - positives - negatives
        together = self._processes
        batch = sampler.draw(positives, unlabelled, self._generator, negatives, together.rows)
        crops, patches = positives + negatives, len(batch.unlabelled)
        with statistics_kept(self.network, self._total) as statistics, self._dropout_of(patches):
            maps = self.network.precise_features(batch.patches, stride)
        with statistics_applied(statistics), self._dropout_of(crops):
            labelled = self.network.precise_features(batch.crops, stride)
        rest = together.whole(self.network.logits(maps).flatten(1), patches)[batch.unlabelled.to(self.device)]
        logits = together.whole(self.network.logits(labelled)[:, 0, 0], crops)
        positive, negative = logits.split([positives, negatives])
        loss = OBJECTIVES[self.options.objective](positive, rest, prior, negative)
        if self.decoder is None:
            return loss
        regions = torch.cat([batch.crop_originals, sampler.grid.windows(batch.patch_originals)])
        features = torch.cat([labelled, maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1], 1, 1)])
        with statistics_kept(self.decoder, self._total) if together else nullcontext():
            error = reconstruction_error(self.decoder(features), regions)
        error = together.averaged(error, len(regions), crops + patches * sampler.grid.regions)
        term = float(self.options.autoencoder) * error
        return Loss(loss.objective + term, loss.value + term)

    @property
    def _total(self) -> Total | None:
        """Sum over the processes that share a minibatch; None: there is one."""
        return self._processes.total if self._processes else None

    def _dropout_of(self, number: int) -> AbstractContextManager[None]:
        """Of the own share of so many crops or patches."""
        if not self._processes:
            return nullcontext()
        return dropout_of_rows(self.network, self._processes.rows(number), number)

    def _start_at(self, sampler: Sampler, prior: float) -> None:
        """Let the network expect the class prior of what it will be trained on.

        The general model comes from scenes in which a quarter is positive, random ones expect one half.  The objectives
        that tie the mean to a prior of some thousandths would push everything down first, and what was known is lost.
        """
        generator = torch.Generator().manual_seed(self.options.seed)
        probe = copy.deepcopy(self.network).train()  # statistics of patches as in training; the network's own stay
        logits = []
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.seed)
            for _ in range(START_MINIBATCHES):
                batch = sampler.draw(1, self.options.batch_size, generator)
                maps = probe.logits(probe.precise_features(batch.patches, probe.total_stride)).flatten(1)
                logits.append(maps[batch.unlabelled.to(self.device)].cpu())
            shift = shift_to_mean(torch.cat(logits), prior)
            for network in (self.network, self.average):
                if network.head.bias is not None:
                    network.head.bias.add_(shift)

    def _step(self) -> None:
        self.updates += 1
        self._optimizer.step(self.options.learning_rate * min(1.0, self.updates / WARM_UP_UPDATES))
        decay = min(self.options.decay, self.updates / (self.updates + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)

    def state(self) -> dict[str, Tensor]:
        """Everything that :meth:`restore` needs, as named tensors."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        if self.decoder is not None:
            tensors |= {f"decoder.{k}": v for k, v in self.decoder.state_dict().items()}
        for number, slots in self._optimizer.state.items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in slots.items()}
        tensors["generator"] = self._generator.get_state()
        tensors["updates"] = torch.tensor(self.updates)
        return {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continue exactly where :meth:`state` was taken."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.average.load_state_dict(part("average."))
        if self.decoder is not None:
            self.decoder.load_state_dict(part("decoder."))
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in part("optimizer.").items():
            number, slot = name.split(".", 1)
            slots.setdefault(int(number), {})[slot] = value
        self._optimizer.restore(slots)
        self._generator.set_state(tensors["generator"])
        self.updates = int(tensors["updates"])


def lead_fitting(processes: Processes, device: torch.device, threads: int) -> None:
    """Tell the processes that help, if there are any, where and with how many threads (0: all) to compute."""
    processes.tell(START, kind=device.type, threads=threads, precision=precision_name(device))


def help_fitting(processes: Processes) -> None:
    """Share in the updates of the leading process, in another one, until it says that there are no more."""
    word, content = processes.hear()
    if word == START:
        set_threads(content["threads"])
        set_precision(content["precision"])
        device = processes.device(content["kind"])
        word, content = processes.hear()
    while word == DATA:
        pixels = torch.empty(content["pixels"])
        processes.spread([pixels])
        sampler = content["sampler"].with_pixels(pixels.to(device))
        word, content = Fitting(content["options"], device, None, processes).help(sampler)


def check_shares(options: FittingOptions, network: Classifier, processes: int) -> None:
    """Raise UsageError if a minibatch is too small for so many processes to have some of each part of it."""
    def smallest(batch_size: int) -> int:
        positives = batch_size // REGIONS_PER_POSITIVE
        regions = patch_grid(network.receptive_field_px, network.total_stride).regions
        return min(positives, max(1, (batch_size - 2 * positives) // regions))

    if processes > 1 and smallest(options.batch_size) < processes:
        enough = next(size for size in count(options.batch_size) if smallest(size) >= processes)
        raise UsageError(f"a minibatch of {options.batch_size} regions is too small to be shared by {processes}"
                         f" processes: start fewer, or give at least {enough}", "batch_size")
