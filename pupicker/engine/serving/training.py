"""The answer to ``train``: a model, and progress on the way; picks that are asked for meanwhile go first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates
from pupicker.engine.files.listing import list_micrographs
from pupicker.engine.files.targets import check_kind, check_output_file
from pupicker.engine.models.model_card import card
from pupicker.engine.models.model_file import Model, save_model
from pupicker.engine.preparation.exclusion import exclusion_for
from pupicker.engine.runtime.errors import PuPickerError, UsageError
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.serving.picking import Answer, Cancelled, Job, Work
from pupicker.engine.serving.turns import Turns
from pupicker.engine.training.dataset import Sources, load_training_set
from pupicker.engine.training.options import Task, TrainingOptions, options_from, untrained
from pupicker.engine.training.pseudo_labels import with_pseudo_labels
from pupicker.engine.training.status import TrainingStatus
from pupicker.engine.training.train import train as train_model
from pupicker.engine.training.trainer import Interrupted

_SILENT_S = 1.0


def train(job: Job, work: Work, turns: Turns) -> Answer:
    """Train, as ``pupicker train`` does with the same choices.

    Raises
    ------
    PuPickerError
        Something that was given cannot be used, the training diverges; :class:`Cancelled`.
    """
    values, begin, report = job.values, time.monotonic(), Report("train")
    _check_output(Path(values["output"]))
    steps = _Steps(job, turns)
    status = TrainingStatus(None, tell=steps.state)
    chosen = options_from(values, values["network_settings"] or {})
    sources, task = _task(values, chosen, work)
    status.reading()
    data = load_training_set(sources, task.geometry, work.threads, report)
    try:
        with turns.training():
            if values["pseudo_labels"]:
                data = with_pseudo_labels(data, values["pseudo_labels"], task, values["pseudo_label_count"])
            model = train_model(data, task, status=status, stop=steps.stop)
    except Interrupted:
        raise Cancelled("the training was ended; no model is kept") from None
    return _written(model, Path(values["output"]), {**report.to_dict(), "seconds": round(time.monotonic() - begin, 1)})


def _check_output(path: Path) -> None:
    """Raise where no model can be written, or something else would be lost: now, not after the training."""
    try:
        check_output_file(path, "output")
        check_kind("model", "output", path)
    except PuPickerError as error:
        raise type(error)(str(error), "output") from error


def _written(model: Model, path: Path, answer: Answer) -> Answer:
    save_model(path, model)
    return {**answer, "model": str(path), "card": card(model)}


class _Steps:
    """Between two updates: make room for requests, tell how far it is."""

    def __init__(self, job: Job, turns: Turns) -> None:
        self._job, self._turns = job, turns
        self._since, self._told = 0, time.monotonic()
        self._last: dict[str, Any] = {"stage": "selection", "updates": 0}

    def stop(self) -> bool:
        """Asked before every update."""
        self._turns.step()
        updates, self._since = self._last["updates"] + self._since, self._since + 1
        # of the stage after the selection only its end is known: it may begin early
        if time.monotonic() - self._told >= _SILENT_S and updates <= self._last.get("updates_total", updates):
            self._tell({**self._last, "updates": updates})
        return self._job.stop()

    def state(self, content: dict[str, Any]) -> None:
        """An epoch is over, or a stage begins."""
        if "updates" in content:
            self._last, self._since = content, 0
        self._tell(content)

    def _tell(self, content: dict[str, Any]) -> None:
        self._told = time.monotonic()
        self._job.tell({"event": "progress", **content})


def _task(values: dict[str, Any], chosen: TrainingOptions, work: Work) -> tuple[Sources, Task]:
    if (values["labels"] is None) == (values["pseudo_labels"] is None):
        raise UsageError("give either labels or pseudo_labels", "labels", "pseudo_labels")
    network = untrained(chosen.fitting)
    paths = list_micrographs(values["micrographs"])
    task = Task.of(values, chosen, network, paths, work.pickers.device)
    labels, negatives = (_table(values[name], name, paths) for name in ("labels", "negatives"))
    masks = Path(values["masks"]) if values["masks"] else None
    exclusion = exclusion_for(None, values["margin"], masks, values["exclude_contamination"], paths)
    sources = Sources(paths, labels, negatives, values["pixel_size"], values["keep_borders"], exclusion)
    return sources, task


def _table(given: str | Mapping[str, Any] | None, name: str, paths: list[Path]) -> CoordinateTable | None:
    """A file, or places by micrograph; what is empty is no table of negatives."""
    if given is None:
        return None
    if isinstance(given, str):
        return read_coordinates(given, paths)
    known = {str(path) for path in paths}
    unknown = [micrograph for micrograph in given if micrograph not in known]
    if unknown:
        raise UsageError(f"{name} of {unknown[0]}, which is none of the micrographs; the first of these is {paths[0]}",
                         name)
    rows = np.array([place for places in given.values() for place in places], dtype=np.float64).reshape(-1, 2)
    names = np.repeat(np.array(list(given), dtype=object), [len(places) for places in given.values()])
    table = CoordinateTable(names, rows[:, 0], rows[:, 1])
    return None if name == "negatives" and not len(table) else table
