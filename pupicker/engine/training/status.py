"""How far a training is, as a small JSON file that other programs read while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pupicker.engine.models.training_record import TrainingRecord
from pupicker.shared.json_files import write_json


class TrainingStatus:
    """Writes the file, or tells, at the start of each stage and after every epoch; does nothing without either.

    Parameters
    ----------
    path
        File to write, each time whole.
    clock
        Seconds that only go forward.
    tell
        Called with what would be written.

    Notes
    -----
    Keys: ``stage`` (``"reading"``, ``"selection"``, ``"refit"``, ``"done"``), ``updates`` and ``updates_total`` of
    that stage (the selection may end earlier if a refit follows: ``stages`` is 2), ``eta_s`` (seconds left in all
    stages, at most), ``loss``, ``validation_average_precision`` (of the last epoch),
    ``best_validation_average_precision``, ``particles_per_micrograph``.
    """

    def __init__(
        self, path: Path | None, clock: Callable[[], float] = time.monotonic,
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._path, self._clock, self._tell = path, clock, tell
        self._updates, self._refit = 0, False
        self._start, self._epochs = clock(), 0
        self._last: dict[str, Any] = {}

    def reading(self) -> None:
        """Micrographs are being read."""
        self._write({"stage": "reading"})

    def begin(self, updates: int, refit: bool) -> None:
        """Training begins: most updates of the selection, and whether a refit of the best length follows."""
        self._updates, self._refit = updates, refit
        self._start, self._epochs = self._clock(), 0

    def epoch(self, state: dict[str, Any]) -> None:
        """An epoch is over; `state` as :meth:`pupicker.engine.training.trainer.Training.state` gives it."""
        if self._path is None and self._tell is None:
            return
        last = state["curve"][-1]
        selecting = last["stage"] == "selection"
        total = self._updates if selecting else state["best_updates"]
        left = max(0, total - last["updates"]) + (state["best_updates"] if selecting and self._refit else 0)
        self._epochs += 1  # of this process: what a resumed training did before says nothing of this machine
        epoch_s = (self._clock() - self._start) / self._epochs
        eta_s = left / state["curve"][0]["updates"] * epoch_s
        validation = next((e["validation"] for e in reversed(state["curve"]) if e["validation"] is not None), None)
        self._write({
            "stage": last["stage"], "stages": 2 if self._refit else 1, "updates": last["updates"],
            "updates_total": total, "eta_s": round(eta_s, 1),
            "loss": last["loss"], "validation_average_precision": validation,
            "best_validation_average_precision": state["best_validation"],
            "particles_per_micrograph": last["particles_per_micrograph"],
        })

    def done(self, record: TrainingRecord) -> None:
        """The model is written; its record holds the numbers as they were settled at the end."""
        self._write({
            **self._last, "stage": "done", "eta_s": 0.0,
            "best_validation_average_precision": record.validation.average_precision if record.validation else None,
            "particles_per_micrograph": record.particles_per_micrograph,
        })

    def _write(self, content: dict[str, Any]) -> None:
        self._last = content
        if self._path is not None:
            write_json(self._path, content)
        if self._tell is not None:
            self._tell(content)
