"""Training, start to model: fit and validate, choose the length, fit on everything, calibrate.

Where the number of particles is known (:mod:`pupicker.engine.training.particle_count`), nothing is held out: the
network is fitted to all labels for as many updates as suit their number, and calibrated by the number of particles.
Else, or if the user wants it:

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
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from pupicker.core.detection.picking_network import picking_network
from pupicker.core.networks import Classifier
from pupicker.core.regions.patches import patch_grid
from pupicker.core.scores.early_stopping import best_epoch, pu_average_precision
from pupicker.engine.models.model_file import Model
from pupicker.engine.models.training_record import Epoch, TrainingRecord, Validation
from pupicker.engine.runtime.errors import PuPickerError, UsageError
from pupicker.engine.runtime.interruption import Stopped
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.training.calibrated_model import Evidence, calibrated_model
from pupicker.engine.training.dataset import LabelledMicrograph, Split, TrainingSet
from pupicker.engine.training.minibatches import Sampler, make_sampler
from pupicker.engine.training.optimisation import Fitting
from pupicker.engine.training.options import Hooks, Snapshot, Task
from pupicker.engine.training.particle_count import FIRST_ESTIMATE, ParticleCount, particle_count
from pupicker.engine.training.suggested_threshold import crowding_warning, number_of_particles
from pupicker.engine.training.validation import LabelledCandidates, find_candidates, representative
from pupicker.shared.plurals import counted

_NONE = Hooks()


class Interrupted(Stopped):
    """Training was asked to stop; its checkpoint is on disk."""


class Training:
    """One training; :meth:`run` returns the model.  :func:`pupicker.engine.training.train.train` is its front.

    Parameters
    ----------
    data, split
        Who trains and who validates.
    task
        As chosen; what follows from the labels is found here.
    hooks
        What is asked and told meanwhile; a stop ends with :class:`Interrupted`.
    count
        Of particles, as far as it is known; None: not at all.
    """

    def __init__(
        self, data: TrainingSet, split: Split, task: Task, hooks: Hooks = _NONE,
        count: ParticleCount | None = None,
    ) -> None:
        self.data, self.split, self._hooks = data, split, hooks
        self.task = task.resolved(data.label_count, data.pseudo_labels is not None)
        self.options, self.geometry, self.max_updates = self.task.options, task.geometry, self.task.max_updates
        self.count = count or particle_count(data.micrographs, task.geometry, task.options)
        self.fitting = self._new_fitting()
        self.stage = "selection"
        self.curve: list[Epoch] = []
        self.best_updates = 0
        self.best_validation: float | None = None
        self._snapshots: dict[int, Snapshot] = {}

    def _new_fitting(self) -> Fitting:
        return Fitting(self.options.fitting, self.task.device, self.task.start.weights, self.task.processes)

    def run(self) -> Model:
        """Train, from where it stands, and return the model."""
        if self.stage == "selection":
            self._select()
            if self.split.validation and self.options.refit:
                self.stage = "refit"
                self.fitting = self._new_fitting()
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
            "stage": self.stage, "curve": [asdict(e) for e in self.curve], "best_updates": self.best_updates,
            "best_validation": self.best_validation, "density": self.count.density,
            "estimates": self.count.estimates, "source": self.count.source,
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
        self.count.density, self.count.source = progress["density"], progress["source"]
        self.count.estimates = list(progress["estimates"])

    # ------------------------------------------------------------------ stages
    def _select(self) -> None:
        chosen = self.split.training
        sampler = self._sampler([self.data.micrographs[i] for i in chosen], [self.split.held_out[i] for i in chosen])
        progress = Progress(math.ceil(self.max_updates / self.options.epoch_updates), "training")
        progress.done = len(self.curve)
        while self.fitting.updates < self.max_updates and not self._out_of_patience():
            loss = self._epoch(sampler, self.max_updates)
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

    def _epoch(self, sampler: Sampler, max_updates: int) -> float:
        """Updates until the next validation, or until there were `max_updates`; their mean loss."""
        before = self.fitting.updates
        wanted = min(self.options.epoch_updates, max_updates - before)
        loss = self.fitting.update_many(sampler, self._unlabelled_prior(sampler), wanted, self._hooks.stop)
        if self.fitting.updates - before < wanted:
            if not self.curve:
                raise Interrupted(f"stopped in the first {counted(wanted, 'update')}, of which nothing is kept: begin"
                                  " anew")
            done = f"{counted(before, 'update')}{' on all labels' if self.stage == 'refit' else ''}"
            raise Interrupted(f"stopped after {done}; the same training, resumed, goes on from there", "resume")
        if not math.isfinite(loss):
            raise PuPickerError(f"the loss became {loss} after {counted(self.fitting.updates, 'update')}: lower the"
                                " learning rate", "learning_rate")
        return loss

    def _sampler(self, micrographs: list[LabelledMicrograph], held_out: list[Tensor]) -> Sampler:
        network = self.fitting.network
        return make_sampler(
            micrographs, held_out, self.geometry.training_radius_px,
            patch_grid(network.receptive_field_px, network.total_stride), self.task.device,
            self.geometry.ring_px if self.options.ring_negatives else None,
        )

    def _unlabelled_prior(self, sampler: Sampler) -> float:
        prior = sampler.prior(self.count.trained_particles(sampler.pixels))
        try:
            return sampler.unlabelled_prior(prior, strict=not self.count.estimated)
        except ValueError as error:
            raise UsageError(f"{error}; raise the share of the area or the particles per micrograph, or give neither",
                             "class_prior", "particles_per_micrograph") from error

    # ------------------------------------------------------------------ validation and calibration
    def _candidates(self, network: Classifier, orientations: int = 1, *, held_out: bool) -> LabelledCandidates:
        """Those of held-out labels in the validation micrographs, or of all labels in representative micrographs."""
        chosen = self.split.validation if held_out else representative(self.data.micrographs)
        micrographs = [self.data.micrographs[i] for i in chosen]
        every = [torch.ones(len(m.labels), dtype=torch.bool) for m in micrographs]
        wanted = [self.split.held_out[i] for i in chosen] if held_out else every
        labels = [m.labels[w] for m, w in zip(micrographs, wanted, strict=True)]
        seen = [m.labels[~w] for m, w in zip(micrographs, wanted, strict=True)]
        return find_candidates(network, micrographs, labels, seen, self.geometry, orientations)

    def _validate(self, loss: float) -> None:
        """Take in an epoch's candidates; all epochs are judged anew by what is now known of the number of particles."""
        found = self._candidates(self.fitting.average, held_out=True)
        self.count.learn(found)
        weights = {name: t.detach().cpu().clone() for name, t in self.fitting.average.state_dict().items()}
        self._snapshots[self.fitting.updates] = Snapshot(weights, found)
        self.curve.append(Epoch(self.stage, self.fitting.updates, loss, None, self._per_micrograph()))
        self._judge()
        best = best_epoch([epoch.validation or 0.0 for epoch in self.curve], found.labels, FIRST_ESTIMATE - 1)
        self.best_validation, self.best_updates = self.curve[best].validation, self.curve[best].updates
        self._hooks.save(*self.state())

    def _judge(self) -> None:
        for number, epoch in enumerate(self.curve):
            if epoch.stage == "selection" and self.split.validation:
                past = self._snapshots[epoch.updates].candidates
                particles = self.count.particles(past.pixels)
                validation = pu_average_precision(past.scores, past.hits, past.labels, particles)
                self.curve[number] = replace(epoch, validation=validation)
                if epoch.updates == self.best_updates:
                    self.best_validation = validation

    def _learn_from_training_labels(self, loss: float) -> None:
        self.best_updates = self.fitting.updates
        if not self.count.known:
            self.count.learn(self._candidates(self.fitting.average, held_out=False))
        self._record(loss, None)

    def _finish(self, network: Classifier) -> Model:
        picking, orientations = self._picking(network)
        held_out = None
        if self.split.validation:
            judged = picking, orientations  # without a refit, the best of the selection itself
            if self.options.refit:
                best = copy.deepcopy(self.fitting.average)
                best.load_state_dict(self._snapshots[self.best_updates].weights)
                judged = self._picking(best)
            held_out = self._candidates(*judged, held_out=True)
        found = self._candidates(picking, orientations, held_out=False)
        self.count.settle(held_out or found)
        self._judge()
        number, interval = number_of_particles(self.count, held_out, self._mean_pixels())
        record = TrainingRecord(
            curve=tuple(self.curve), validation=Validation(self.best_validation, self.best_updates),
            particles_per_micrograph=number, particles_interval=interval, crowding=self.crowding(),
        )
        evidence = Evidence(found, held_out, orientations)
        return calibrated_model(picking, self.data, self.task, self.count, evidence, record)

    def _picking(self, network: Classifier) -> tuple[Classifier, int]:
        """The network as it picks, fitted to what it sees in representative micrographs, and in how many views."""
        images = [self.data.micrographs[i].image for i in representative(self.data.micrographs)]
        try:
            picking = picking_network(network, images, self.options.orientations, self.options.fitting.seed)
        except torch.linalg.LinAlgError as error:
            raise PuPickerError("the network's scores became no numbers that can be used: lower the learning rate",
                                "learning_rate") from error
        return picking, 1 if picking.cell > 1 else self.options.orientations

    # ------------------------------------------------------------------ records
    def crowding(self) -> str | None:
        """A warning if more particles are expected, as known now, than fit side by side."""
        return crowding_warning(self.count, self.geometry, self._mean_pixels())

    def _mean_pixels(self) -> float:
        return sum(m.pixels for m in self.data.micrographs) / len(self.data.micrographs)

    def _per_micrograph(self) -> float:
        return self.count.particles(self._mean_pixels())

    def _note(self) -> str:
        last = self.curve[-1]
        particles = counted(f"{last.particles_per_micrograph:.0f}", "particle")
        text = f"loss {last.loss:.3f}, {particles} a micrograph"
        return text if last.validation is None else f"{text}, validation AP {last.validation:.3f}"

    def _record(self, loss: float, validation: float | None) -> None:
        self.curve.append(Epoch(self.stage, self.fitting.updates, loss, validation, self._per_micrograph()))
        self._hooks.save(*self.state())
