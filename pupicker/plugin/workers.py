"""The processes that pick for a run: one a GPU or slot, kept while the run lives; a micrograph is tried twice."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

from pupicker.plugin.outcome import CoreError, worded
from pupicker.shared import options
from pupicker.shared.worker import Answer, Worker, WorkerDied, WorkerError

TRIES = 2
MOST_STARTS = 3  # in a row that fail
MOST_KILLED_STARTS = 12  # in a row that somebody else ended: on a busy machine a start is long enough to be hit often
CLOSE_S = 10.0


class Workers:
    """All of a run; each is made when it is needed, and kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: List[Worker] = []
        self._idle: Dict[str, List[Worker]] = {}

    @contextmanager
    def one(self, where: str, make: Callable[[int], Worker]) -> Iterator[Worker]:
        """One at this place (a GPU, the processor) that nobody else has while the block runs.

        ``make(number)`` makes another one, not started yet; the number tells it from the others.
        """
        with self._lock:
            idle = self._idle.setdefault(where, [])
            if idle:
                worker = idle.pop()
            else:
                worker = make(len(self._all) + 1)
                self._all.append(worker)
        try:
            yield worker
        finally:
            with self._lock:
                self._idle.setdefault(where, []).append(worker)

    def close(self) -> None:
        """End them; each may finish its micrograph."""
        with self._lock:
            every, self._all, self._idle = self._all, [], {}
        for worker in every:
            worker.close(CLOSE_S)


class Batch:
    """One batch with one worker.

    Parameters
    ----------
    worker
        That picks; it is started again when it dies.
    fields
        Of the requests, but for the micrographs.
    tell
        Gets the answer to each micrograph that was picked.
    do
        The request: ``pick``, or ``suggest`` for the general model.
    """

    def __init__(self, worker: Worker, fields: Mapping[str, Any], tell: Callable[[Answer], None],
                 do: str = "pick") -> None:
        self._worker, self._fields, self._tell, self._do = worker, fields, tell, do
        self._tries: Dict[str, int] = {}
        self._waiting: List[str] = []
        self._heard: Set[str] = set()
        self._failed: List[Tuple[str, str]] = []
        self._reports: List[Answer] = []

    def run(self, micrographs: Sequence[str]) -> None:
        """Pick them; those that failed twice stand in the report as quarantined.

        Raises
        ------
        CoreError
            The worker does not start, or a model or an option cannot be used.
        """
        self._waiting, alone, lost = list(micrographs), False, 0
        while self._waiting:
            self._start()
            asked = self._waiting[:1] if alone else list(self._waiting)
            self._heard = set()
            try:
                last = self._worker.ask(self._do, self._hear, micrographs=asked, **self._fields)
            except WorkerDied as error:
                # What it worked on is to blame, or something that was read ahead: from now on one by one.
                alone = True
                for name in [name for name in asked if name not in self._heard][:1]:
                    self._fail(name, str(error))
            except WorkerError as error:
                raise CoreError(worded(_line(error))) from None
            else:
                # A worker that was asked to end from outside leaves what it has not begun; another one takes it up.
                lost = lost + 1 if last["event"] == "cancelled" else 0
                if lost > MOST_STARTS:
                    raise CoreError("pupicker serve is ended from outside again and again; see the error log.")
                if last["event"] == "result":
                    self._reports.append(last)
                    for name in [name for name in asked if name not in self._heard]:
                        self._fail(name, "the process said nothing of it")

    def report(self) -> Dict[str, Any]:
        """As ``pupicker pick --report`` writes it."""
        joined: Dict[str, Any] = {}
        for report in self._reports:
            for key, value in report.items():
                if isinstance(value, dict) and key != "preparation":
                    joined.setdefault(key, {}).update(value)
                elif key not in ("id", "event", "seconds", "warnings", "picks"):
                    joined[key] = value
        return dict(joined, quarantined=[{"micrograph": name, "reason": reason} for name, reason in self._failed])

    def _start(self) -> None:
        failed = killed = 0
        while True:
            try:
                self._worker.start()
                return
            except WorkerDied as error:
                failed, killed = failed + (not error.by_signal), killed + error.by_signal
                if failed == MOST_STARTS or killed == MOST_KILLED_STARTS:
                    raise CoreError(str(error)) from None

    def _hear(self, answer: Answer) -> None:
        name = answer["micrograph"]
        self._heard.add(name)
        if answer["event"] == "quarantined":
            self._fail(name, answer["reason"])
        elif answer["event"] == "micrograph" and name in self._waiting:
            self._waiting.remove(name)
            self._tell(answer)

    def _fail(self, name: str, reason: str) -> None:
        """It is tried again behind the others, or set aside."""
        if name not in self._waiting:
            return
        self._waiting.remove(name)
        self._tries[name] = self._tries.get(name, 0) + 1
        if self._tries[name] < TRIES:
            self._waiting.append(name)
        else:
            self._failed.append((name, reason))


def _line(error: WorkerError) -> str:
    """As the command says it."""
    options = ", ".join("--" + name.replace("_", "-") for name in error.parameters)
    return "pupicker pick: error: %s%s" % (error, " (%s)" % options if options else "")


_OPTIONS = {option.name: option for option in options.TRAINING + options.OTHERS}


def fieldsOf(words: Sequence[str]) -> Dict[str, Any]:
    """Options of the command line as fields of a request."""
    fields: Dict[str, Any] = {}
    left = list(words)
    while left:
        name, equals, value = left.pop(0)[2:].partition("=")
        name = name.replace("-", "_")
        kind = _OPTIONS[name].kind if name in _OPTIONS else str
        if name[:3] == "no_" and name[3:] in _OPTIONS:
            fields[name[3:]] = False
        elif kind is bool:
            fields[name] = True
        else:
            fields[name] = kind(value if equals else left.pop(0))
    return fields
