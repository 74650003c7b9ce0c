"""Training, start to model: fit and validate, choose the length, fit on everything, calibrate.

1. **Selection.**  Fit on the micrographs that are not held out.  After every epoch the averaged network picks the
   held-out ones; the estimate of its average precision (:mod:`pupicker.core.scores.early_stopping`) is the validation
   curve. It ends when the best epoch is `patience` epochs old, or at the most updates.
2. **Refit.**  The same network from the same start, on all micrographs and labels, for as many updates as the best
   epoch had: with few labels those held out are too many to lose.  (``refit=False`` keeps the best epoch itself.)
3. **Calibration** on the candidates of the best epoch in the held-out micrographs.

Whatever happens, the state after the last epoch is on disk, and a training that goes on from it ends with the same
model.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from pupicker.core.geometry import Geometry
from pupicker.core.networks import Classifier
from pupicker.core.regions.patches import patch_grid
from pupicker.core.scores.early_stopping import best_epoch, pu_average_precision
from pupicker.engine.models.model_file import Model
from pupicker.engine.runtime.errors import PuPickerError, UsageError
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.training.calibrated_model import complete
from pupicker.engine.training.dataset import LabelledMicrograph, Split, TrainingSet
from pupicker.engine.training.minibatches import Sampler, make_sampler
from pupicker.engine.training.optimisation import Fitting
from pupicker.engine.training.options import Epoch, Snapshot, TrainingOptions
from pupicker.engine.training.particle_count import FIRST_ESTIMATE, particle_count
from pupicker.engine.training.suggested_threshold import crowding_warning, number_of_particles
from pupicker.engine.training.validation import Candidates, find_candidates, representative


class Interrupted(PuPickerError):
    """Training was asked to stop; its checkpoint is on disk."""


class Training:
    """One training; :meth:`run` returns the model.

    Parameters
    ----------
    stop
        Asked after every update; True ends with :class:`Interrupted`.
    save
        Called with :meth:`state` after every epoch.
    weights
        What the network starts from; None: random weights.
    general
        Particles per working pixel that the general weights see, if they are known.
    """

    def __init__(
        self, data: TrainingSet, split: Split, geometry: Geometry, options: TrainingOptions, device: torch.device,
        stop: Callable[[], bool] = lambda: False,
        save: Callable[[dict[str, Tensor], dict[str, Any]], None] = lambda tensors, progress: None,
        weights: Mapping[str, Tensor] | None = None, general: float | None = None,
    ) -> None:
        self.data, self.split, self.geometry, self.options = data, split, geometry, options
        self.device, self._stop, self._save = device, stop, save
        self.expected = particle_count(data.micrographs, geometry, options, general)
        self._weights = weights
        self.fitting = Fitting(options.fitting, device, weights)
        self.stage = "selection"
        self.curve: list[Epoch] = []
        self.best_updates = 0
        self.best_validation: float | None = None
        self._snapshots: dict[int, Snapshot] = {}

    def run(self) -> Model:
        """Train, from where it stands, and return the model."""
        if self.stage == "selection":
            self._select()
            if self.split.validation and self.options.refit:
                self.stage = "refit"
                self.fitting = Fitting(self.options.fitting, self.device, self._weights)
            else:
                self.stage = "done"
        if self.stage == "refit":
            self._refit()
            self.stage = "done"
        network = self.fitting.average
        if self.split.validation and not self.options.refit:
            network.load_state_dict(self._snapshots[self.best_updates].weights)
        return self._finish(network.eval())

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All of it, for :meth:`restore`: tensors and JSON-able values."""
        tensors = self.fitting.state()
        for updates, snapshot in self._snapshots.items():
            tensors |= {f"snapshot.{updates}.{name}": t for name, t in snapshot.to_tensors().items()}
        return tensors, {
            "stage": self.stage, "curve": [vars(e) for e in self.curve], "best_updates": self.best_updates,
            "best_validation": self.best_validation, "density": self.expected.density,
            "estimates": self.expected.estimates, "source": self.expected.source,
        }

    def restore(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Stand where :meth:`state` was taken."""
        self.fitting.restore(tensors)
        self._snapshots = {}
        for updates in sorted({int(name.split(".")[1]) for name in tensors if name.startswith("snapshot.")}):
            prefix = f"snapshot.{updates}."
            own = {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
            self._snapshots[updates] = Snapshot.from_tensors(own)
        self.stage = progress["stage"]
        self.curve = [Epoch(**e) for e in progress["curve"]]
        self.best_updates, self.best_validation = progress["best_updates"], progress["best_validation"]
        self.expected.density, self.expected.source = progress["density"], progress["source"]
        self.expected.estimates = list(progress["estimates"])

    # ------------------------------------------------------------------ stages
    def _select(self) -> None:
        chosen = self.split.training
        sampler = self._sampler([self.data.micrographs[i] for i in chosen], [self.split.held_out[i] for i in chosen])
        progress = Progress(math.ceil(self.options.updates / self.options.epoch_updates), "training")
        progress.done = len(self.curve)
        while self.fitting.updates < self.options.updates and not self._out_of_patience():
            loss = self._epoch(sampler, self.options.updates)
            if self.split.validation:
                self._validate(loss)
            else:
                self._learn_from_training_labels(loss)
            progress.advance(1, self._note())

    def _out_of_patience(self) -> bool:
        waited = self.fitting.updates - self.best_updates
        return bool(self.split.validation) and waited >= self.options.patience * self.options.epoch_updates

    def _refit(self) -> None:
        none_hidden = [torch.zeros(len(m.labels), dtype=torch.bool) for m in self.data.micrographs]
        sampler = self._sampler(self.data.micrographs, none_hidden)
        progress = Progress(self.best_updates, "training on all labels")
        progress.done = self.fitting.updates
        while self.fitting.updates < self.best_updates:
            self._record(self._epoch(sampler, self.best_updates), None)
            progress.advance(self.fitting.updates - progress.done, self._note())

    def _epoch(self, sampler: Sampler, most: int) -> float:
        """Updates until the next validation, or until there were `most`; their mean loss."""
        before = self.fitting.updates
        wanted = min(self.options.epoch_updates, most - before)
        loss = self.fitting.update_many(sampler, self._unlabelled_prior(sampler), wanted, self._stop)
        if self.fitting.updates - before < wanted:
            raise Interrupted(f"stopped after {before} updates; the same command with --resume goes on from there")
        if not math.isfinite(loss):
            raise PuPickerError(f"the loss became {loss} after {self.fitting.updates} updates: lower --learning-rate")
        return loss

    def _sampler(self, micrographs: list[LabelledMicrograph], held_out: list[Tensor]) -> Sampler:
        network = self.fitting.network
        return make_sampler(
            micrographs, held_out, self.geometry.training_radius_px,
            patch_grid(network.receptive_field_px, network.total_stride), self.device,
            self.geometry.ring_px if self.options.ring_negatives else None,
        )

    def _unlabelled_prior(self, sampler: Sampler) -> float:
        prior = sampler.prior(self.expected.trained_particles(sampler.pixels))
        try:
            return sampler.unlabelled_prior(prior, strict=not self.expected.estimated)
        except ValueError as error:
            raise UsageError(f"{error}; raise --class-prior or --particles-per-micrograph, or give neither") from error

    # ------------------------------------------------------------------ validation and calibration
    def _candidates(self, network: Classifier, held_out: bool, views: int = 1) -> Candidates:
        """Those of held-out labels in the validation micrographs, or of all labels in representative micrographs."""
        chosen = self.split.validation if held_out else representative(self.data.micrographs)
        micrographs = [self.data.micrographs[i] for i in chosen]
        every = [torch.ones(len(m.labels), dtype=torch.bool) for m in micrographs]
        wanted = [self.split.held_out[i] for i in chosen] if held_out else every
        labels = [m.labels[w] for m, w in zip(micrographs, wanted, strict=True)]
        seen = [m.labels[~w] for m, w in zip(micrographs, wanted, strict=True)]
        return find_candidates(network, micrographs, labels, seen, self.geometry, views)

    def _validate(self, loss: float) -> None:
        """Take in an epoch's candidates; all epochs are judged anew by what is now known of the number of particles."""
        found = self._candidates(self.fitting.average, held_out=True)
        self.expected.learn(found)
        weights = {name: t.detach().cpu().clone() for name, t in self.fitting.average.state_dict().items()}
        self._snapshots[self.fitting.updates] = Snapshot(weights, found)
        self.curve.append(Epoch(self.stage, self.fitting.updates, loss, None, self._per_micrograph()))
        self._judge()
        best = best_epoch([epoch.validation or 0.0 for epoch in self.curve], found.labels, FIRST_ESTIMATE - 1)
        self.best_validation, self.best_updates = self.curve[best].validation, self.curve[best].updates
        self._save(*self.state())

    def _judge(self) -> None:
        for epoch in self.curve:
            if epoch.stage == "selection" and self.split.validation:
                past = self._snapshots[epoch.updates].candidates
                expected = self.expected.particles(past.pixels)
                epoch.validation = pu_average_precision(past.scores, past.hits, past.labels, expected)
                if epoch.updates == self.best_updates:
                    self.best_validation = epoch.validation

    def _learn_from_training_labels(self, loss: float) -> None:
        self.best_updates = self.fitting.updates
        if self.expected.estimated:
            self.expected.learn(self._candidates(self.fitting.average, held_out=False))
        self._record(loss, None)

    def _finish(self, network: Classifier) -> Model:
        held_out = None
        if self.split.validation:
            best = copy.deepcopy(self.fitting.average)
            best.load_state_dict(self._snapshots[self.best_updates].weights)
            held_out = self._candidates(best, held_out=True, views=self.options.views)
        found = self._candidates(network, held_out=False, views=self.options.views)
        self.expected.settle(held_out or found)
        self._judge()
        details = {
            "curve": [vars(e) for e in self.curve],
            "validation": {"average_precision": self.best_validation, "best_updates": self.best_updates},
            **number_of_particles(self.expected, held_out, self._mean_pixels()),
            "crowding": self.crowding(),
        }
        return complete(
            network, self.options.fitting.network, self.data.mixture, self.geometry, self.expected,
            found, held_out, details, self.options.views, self.data.exclusion.to_header(),
        )

    # ------------------------------------------------------------------ records
    def crowding(self) -> str | None:
        """A warning if more particles are expected, as known now, than fit side by side."""
        return crowding_warning(self.expected, self.geometry, self._mean_pixels())

    def _mean_pixels(self) -> float:
        return sum(m.pixels for m in self.data.micrographs) / len(self.data.micrographs)

    def _per_micrograph(self) -> float:
        return self.expected.particles(self._mean_pixels())

    def _note(self) -> str:
        last = self.curve[-1]
        text = f"loss {last.loss:.3f}, {last.particles_per_micrograph:.0f} particles a micrograph"
        return text if last.validation is None else f"{text}, validation AP {last.validation:.3f}"

    def _record(self, loss: float, validation: float | None) -> None:
        self.curve.append(Epoch(self.stage, self.fitting.updates, loss, validation, self._per_micrograph()))
        self._save(*self.state())
