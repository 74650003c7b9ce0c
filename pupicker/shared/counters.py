"""What a process or a run that picks did, as JSON and as Prometheus reads it, and whether something has changed."""

from __future__ import annotations

import logging
import statistics
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Sequence, Set

from pupicker.shared.atomic import Target, write_text
from pupicker.shared.json_files import write_json

_log = logging.getLogger(__name__)

WINDOW = 100
"""Micrographs, the last ones, of which medians are told."""

COMPARED = 20
"""So many of the first and of the last micrographs are compared."""

FEW_PICKS = 0.2  # of the first median
NULL_SPREADS, NULL_SHARE = 5.0, 0.1  # of the spread and of the size of the first null levels

_HELP = {
    "requests": "requests that were answered", "errors": "requests that were answered by an error",
    "micrographs": "micrographs that were picked", "empty": "picked micrographs without a pick",
    "quarantined": "micrographs that could not be used", "picks": "picks of all micrographs",
    "trainings": "trainings that ended with a model", "seconds": "seconds of picking",
    "uptime_s": "seconds since the start", "waiting": "requests or micrographs that wait",
    "per_minute": "micrographs a minute, of the last ones",
    "seconds_median": "median seconds of a micrograph", "picks_median": "median picks of a micrograph",
    "null_level_median": "median score of the background", "score_median": "median of the micrographs' median scores",
    "latency_s_median": "median seconds from the arrival of a micrograph to its picks",
    "latency_s_99": "seconds from the arrival to the picks of all but one of a hundred micrographs",
    "null_level_shift": "median score of the background of the last micrographs less that of the first",
    "score_shift": "median score of the last micrographs less that of the first", "alarm": "1 if something has changed",
}
_SUMS = ("requests", "errors", "micrographs", "empty", "quarantined", "picks", "trainings", "seconds")
_SERIES = ("seconds", "picks", "null_level", "score", "latency_s")


class Counters:
    """Numbers since the start, medians of the last :data:`WINDOW` micrographs, and shifts since the first ones.

    Parameters
    ----------
    paths
        Files to write after every micrograph: JSON where the name ends with ``.json``, else the text of Prometheus.
    clock
        Seconds that only go forward.
    """

    def __init__(self, paths: Sequence[Target] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._paths, self._clock, self._start = [str(path) for path in paths], clock, clock()
        self._lock = threading.Lock()
        self._unwritten: Set[str] = set()
        self._sums: Dict[str, float] = dict.fromkeys(_SUMS, 0.0)
        self._first: Dict[str, List[float]] = {name: [] for name in _SERIES}
        self._last: Dict[str, Deque[float]] = {name: deque(maxlen=WINDOW) for name in _SERIES}
        self._times: Deque[float] = deque(maxlen=WINDOW)
        self.waiting = 0

    def add(self, name: str, number: float = 1) -> None:
        """Count."""
        with self._lock:
            self._sums[name] += number

    def picked(self, picks: int, seconds: float, null_level: Optional[float], score: Optional[float]) -> None:
        """Count a micrograph; `score` is the median of its picks."""
        with self._lock:
            for name, number in (("micrographs", 1), ("picks", picks), ("empty", not picks), ("seconds", seconds)):
                self._sums[name] += number
            self._times.append(self._clock())
        self.note(seconds=seconds, picks=picks, null_level=null_level, score=score)
        self.write()

    def note(self, **values: Optional[float]) -> None:
        """A value of a series for one more micrograph; None: it has none."""
        with self._lock:
            for name, value in values.items():
                if value is not None:
                    self._last[name].append(value)
                    if len(self._first[name]) < COMPARED:
                        self._first[name].append(value)

    def to_dict(self) -> Dict[str, Any]:
        """JSON-able; what nothing is known of is None, ``alarm`` is a line, empty if nothing has changed."""
        with self._lock:
            told: Dict[str, Any] = {name: round(value, 3) if name == "seconds" else int(value)
                                    for name, value in self._sums.items()}
            told.update(uptime_s=round(self._clock() - self._start, 1), waiting=self.waiting, per_minute=self._rate())
            for name in _SERIES:
                told[name + "_median"] = _median(self._last[name])
            latencies = sorted(self._last["latency_s"])
            told["latency_s_99"] = round(latencies[-1 - len(latencies) // 100], 4) if latencies else None
            recent = {name: list(values)[-COMPARED:] for name, values in self._last.items()}
            for name in ("null_level", "score"):
                whole = len(self._last[name]) >= 2 * COMPARED
                told[name + "_shift"] = round(
                    statistics.median(recent[name]) - statistics.median(self._first[name]), 4) if whole else None
            told["alarm"] = alarm(self._first, recent)
            return told

    def _rate(self) -> Optional[float]:
        lasted = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        return round(60 * (len(self._times) - 1) / lasted, 2) if lasted > 0 else None

    def to_prometheus(self) -> str:
        """In the text format of Prometheus."""
        lines = []
        for name, value in self.to_dict().items():
            kind, ending = ("counter", "_total") if name in _SUMS else ("gauge", "")
            if value is not None:
                full, number = "pupicker_%s%s" % (name, ending), bool(value) if isinstance(value, str) else value
                lines += ["# HELP %s %s" % (full, _HELP[name]), "# TYPE %s %s" % (full, kind),
                          "%s %.15g" % (full, number)]  # a counter of millions grows by one
        return "\n".join(lines) + "\n"

    def write(self) -> None:
        """The files, if there are some; one that cannot be written is said once, and tried again: work goes on."""
        for path in self._paths:
            try:
                if path.endswith(".json"):
                    write_json(path, self.to_dict())
                else:
                    write_text(path, self.to_prometheus())
            except OSError as error:
                if path not in self._unwritten:
                    _log.warning("%s: the counters cannot be written (%s); they are tried again at the next micrograph",
                                 path, error.strerror or error)
                self._unwritten.add(path)
            else:
                self._unwritten.discard(path)


def alarm(first: Mapping[str, Sequence[float]], last: Mapping[str, Sequence[float]]) -> str:
    """A line if picks vanish or the background moves, from the first and the last micrographs; else empty.

    Parameters
    ----------
    first, last
        ``picks`` and ``null_level`` of micrographs; too few of them say nothing.
    """
    if len(first["picks"]) >= COMPARED and len(last["picks"]) >= COMPARED:
        before, now = statistics.median(first["picks"]), statistics.median(last["picks"])
        if now < FEW_PICKS * before:
            return "picks vanish: %g a micrograph (median of the last %d), %g at first" % (now, COMPARED, before)
    null, new = first["null_level"], last["null_level"]
    if len(null) >= COMPARED and len(new) >= COMPARED:
        middle, now = statistics.median(null), statistics.median(new)
        spread = 1.4826 * statistics.median([abs(value - middle) for value in null])
        if abs(now - middle) > max(NULL_SPREADS * spread, NULL_SHARE * abs(middle)):
            return "the background moves: its score is %0.1f now, %0.1f at first" % (now, middle)
    return ""


def _median(values: Sequence[float]) -> Optional[float]:
    return round(statistics.median(values), 4) if values else None
