"""What a serving process did, as JSON and as Prometheus reads it."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json

WINDOW = 100
"""Micrographs, the last ones, of which medians are told."""

_HELP = {
    "requests": "requests that were answered", "errors": "requests that were answered by an error",
    "micrographs": "micrographs that were picked", "empty": "picked micrographs without a pick",
    "quarantined": "micrographs that could not be used", "picks": "picks of all micrographs",
    "trainings": "trainings that ended with a model", "seconds": "seconds of picking",
    "uptime_s": "seconds since the start", "waiting": "requests that wait",
    "seconds_median": "median seconds of a micrograph", "picks_median": "median picks of a micrograph",
    "null_level_median": "median score of the background", "score_median": "median of the micrographs' median scores",
}
_GAUGES = ("uptime_s", "waiting", "seconds_median", "picks_median", "null_level_median", "score_median")


class Counters:
    """Numbers since the start, and medians of the last :data:`WINDOW` micrographs.

    Parameters
    ----------
    path
        File to write after every micrograph: ``.json``, or else the text of Prometheus.
    clock
        Seconds that only go forward.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock, self._start = path, clock, clock()
        self._lock = threading.Lock()
        self._sums: dict[str, float] = dict.fromkeys(
            ("requests", "errors", "micrographs", "empty", "quarantined", "picks", "trainings"), 0) | {"seconds": 0.0}
        self._recent: dict[str, deque[float]] = {
            name: deque(maxlen=WINDOW) for name in ("seconds", "picks", "null_level", "score")}
        self.waiting = 0

    def add(self, name: str, number: float = 1) -> None:
        """Count."""
        with self._lock:
            self._sums[name] += number

    def picked(self, picks: int, seconds: float, null_level: float | None, score: float | None) -> None:
        """Count a micrograph; `score` is the median of its picks."""
        with self._lock:
            for name, number in (("micrographs", 1), ("picks", picks), ("empty", not picks), ("seconds", seconds)):
                self._sums[name] += number
            recent = {"seconds": seconds, "picks": picks, "null_level": null_level, "score": score}
            for name, value in recent.items():
                if value is not None:
                    self._recent[name].append(value)
        self.write()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; a median of nothing is None."""
        with self._lock:
            sums = {name: round(value, 3) if name == "seconds" else int(value) for name, value in self._sums.items()}
            medians = {f"{name}_median": round(statistics.median(values), 4) if values else None
                       for name, values in self._recent.items()}
        return {**sums, "uptime_s": round(self._clock() - self._start, 1), "waiting": self.waiting, **medians}

    def to_prometheus(self) -> str:
        """In the text format of Prometheus."""
        lines = []
        for name, value in self.to_dict().items():
            kind, ending = ("gauge", "") if name in _GAUGES else ("counter", "_total")
            if value is not None:
                full = f"pupicker_{name}{ending}"
                lines += [f"# HELP {full} {_HELP[name]}", f"# TYPE {full} {kind}", f"{full} {value:g}"]
        return "\n".join(lines) + "\n"

    def write(self) -> None:
        """The file, if there is one."""
        if self._path is None:
            return
        if self._path.suffix == ".json":
            write_json(self._path, self.to_dict())
        else:
            write_text(self._path, self.to_prometheus())
