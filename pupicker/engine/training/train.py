"""The one way to train: data and a task in, a model with its record out."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import pupicker
from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates
from pupicker.engine.files.listing import list_micrographs
from pupicker.engine.models.checkpoint import identity_of, load_checkpoint, save_checkpoint
from pupicker.engine.models.initial_weights import GENERAL
from pupicker.engine.models.model_card import doubt
from pupicker.engine.models.model_file import Model
from pupicker.engine.models.training_record import TrainingRecord
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.device import precision_name, resolve_device
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.dataset import Sources, Split, TrainingSet, load_training_set, split_validation
from pupicker.engine.training.initial_count import GeneralCount, general_count
from pupicker.engine.training.options import HELD_OUT, Hooks, Task, TrainingOptions, untrained
from pupicker.engine.training.particle_count import ParticleCount, particle_count
from pupicker.engine.training.status import TrainingStatus
from pupicker.engine.training.trainer import Interrupted, Training
from pupicker.shared.options import PIXEL_SIZE, THREADS, TRAINING

AnyPath = str | os.PathLike[str]

_log = logging.getLogger(__name__)


def train(
    data: TrainingSet, task: Task, checkpoint: Path | None = None, resume: bool = False,
    status: TrainingStatus | None = None, stop: Callable[[], bool] = lambda: False,
) -> Model:
    """Train a model.

    Parameters
    ----------
    data
        Micrographs and labels (:func:`pupicker.engine.training.dataset.load_training_set`).
    task
        What is learnt, and how.
    checkpoint
        File that keeps the state after every epoch; it stays after the training.  None: nothing is kept.
    resume
        Go on from the checkpoint, if there is one.
    status
        Where to write how far the training is.
    stop
        Asked after every update; True ends with :class:`pupicker.engine.training.trainer.Interrupted`.

    Raises
    ------
    InputError
        If the checkpoint is damaged, or that of other data or options.
    UsageError
        If more particles are given than fit, or fewer than are labelled.
    PuPickerError
        If the training diverges or is stopped.
    """
    begin = time.monotonic()
    status = status or TrainingStatus(None)
    task = task.resolved(data.label_count, data.pseudo_labels is not None)
    identity = identity_of(data.digest, task.geometry, task.options, pupicker.__version__)

    def save(tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        if checkpoint is not None:
            save_checkpoint(checkpoint, tensors, {**progress, "identity": identity})
        status.epoch(progress)

    count = particle_count(data.micrographs, task.geometry, task.options, _general_count(data, task))
    split = split_validation(data, _held_out_share(task, count), task.options.fitting.seed)
    if stop():
        raise Interrupted("stopped before the first update; nothing is lost, and nothing can be resumed")
    training = Training(data, split, task, Hooks(stop, save), count)
    if resume and checkpoint is not None and checkpoint.exists():
        _go_on(training, checkpoint, identity)
    if not training.count.estimated:
        _warn(training.crowding(), "particles_per_micrograph")
    status.begin(training.max_updates, bool(split.validation) and task.options.refit)
    model = training.run()
    if training.count.estimated:
        _warn(model.record.crowding, "particles_per_micrograph")
    _warn(doubt(model))
    seconds = round(time.monotonic() - begin, 1)
    return replace(model, record=replace(_recorded(model.record, data, split, task), training_seconds=seconds))


def train_from_files(
    micrographs: AnyPath | Sequence[AnyPath], labels: CoordinateTable | AnyPath, diameter_ang: float,
    options: TrainingOptions | None = None, device: str = "auto", threads: int = 0,
) -> Model:
    """Train a model as ``pupicker train`` does with its defaults; :func:`pupicker.train` of Python programs.

    Parameters
    ----------
    micrographs
        Files, folders of them, or a STAR file that lists them; their pixel sizes are those of their headers.
    labels
        Labelled particles in pixels of the micrographs: a table, or its file.
    diameter_ang
        Longest extent of the particle.
    options
        What is other than the defaults.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    threads
        That read micrographs, 0: one a core, four at most.

    Raises
    ------
    InputError, UsageError
        The labels or all of the micrographs cannot be used, or an option makes no sense.
    """
    check_options({"threads": threads}, [THREADS])
    options = options or TrainingOptions()
    given = [micrographs] if isinstance(micrographs, (str, os.PathLike)) else list(micrographs)
    paths = list_micrographs(given)
    table = labels if isinstance(labels, CoordinateTable) else read_coordinates(labels, paths)
    values = {option.name: option.default for option in (*TRAINING, PIXEL_SIZE)}
    values |= {"diameter": diameter_ang, "ring_negatives": options.ring_negatives}
    task = Task.of(values, options, untrained(options.fitting), paths, resolve_device(device))
    sources = Sources(paths, table, exclusion=Exclusion(contamination=True))
    readers = threads or len(os.sched_getaffinity(0))
    return train(load_training_set(sources, task.geometry, readers, Report("train")), task)


def _go_on(training: Training, checkpoint: Path, identity: str) -> None:
    """Let a training stand where the checkpoint was written."""
    kept = load_checkpoint(checkpoint, identity)
    try:
        training.restore(*kept)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{checkpoint}: not a checkpoint, or damaged ({reason}); delete it and train anew") from error


def _general_count(data: TrainingSet, task: Task) -> GeneralCount | None:
    """What the general model sees; None: training does not start from it, or the user has told the number."""
    start, options = task.start, task.options
    if options.class_prior is not None or options.particles_per_micrograph is not None:
        return None
    if start.name != GENERAL or start.weights is None:
        return None
    return general_count(data.micrographs, task.geometry, options.fitting.network, task.device,
                         data.pseudo_labels is not None)


def _held_out_share(task: Task, count: ParticleCount) -> float:
    """Of the labels: none if there is nothing that only held-out labels tell."""
    if task.options.validation_fraction is not None:
        return task.options.validation_fraction
    return 0.0 if count.known else HELD_OUT


def _recorded(record: TrainingRecord, data: TrainingSet, split: Split, task: Task) -> TrainingRecord:
    """The record of the training itself, with what it learnt from and how."""
    options, fitting = task.options, task.options.fitting
    versions = {"pupicker": pupicker.__version__, "torch": torch.__version__, "python": platform.python_version()}
    return replace(
        record, objective=fitting.objective, start=task.start.name, start_sha256=fitting.start_digest,
        autoencoder=float(fitting.autoencoder), weight_decay=fitting.weight_decay,
        ring_negatives=options.ring_negatives, labels=data.label_count, pseudo_labels=data.pseudo_labels,
        negatives=data.negative_count, micrographs=len(data.micrographs),
        held_out_labels=sum(int(held.sum()) for held in split.held_out),
        refit=bool(split.validation) and options.refit, training_pixel_size_ang=task.pixel_size_ang,
        training_data_sha256=data.digest, seed=fitting.seed, software=versions,
        method_version=pupicker.METHOD_VERSION, precision=precision_name(task.device),
    )


def _warn(text: str | None, *parameters: str) -> None:
    if text:
        _log.warning("%s", text, extra={"parameters": parameters})
