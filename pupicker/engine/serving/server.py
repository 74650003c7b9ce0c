"""Requests in, answers out: one queue for what is quick, one for trainings, each worked off by a thread.

Every request gets exactly one last answer, with the event ``result``, ``error`` or ``cancelled``, whatever happens;
other answers may come before.  No request ends the process but ``stop``.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pupicker
from pupicker.engine.runtime.errors import PuPickerError, out_of_memory
from pupicker.engine.serving import picking
from pupicker.engine.serving.picking import Answer, Cancelled, Job, Work
from pupicker.engine.serving.requests import REQUESTS, Id, Refused, Request, read_request, schema
from pupicker.engine.serving.training import train
from pupicker.engine.serving.turns import Turns
from pupicker.shared.worker import PROTOCOL_VERSION

Reply = Callable[[Answer], None]

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Task:
    """A request with where its answers go."""

    request: Request
    reply: Reply
    cancelled: threading.Event = field(default_factory=threading.Event)


class Server:
    """Answers requests until it is told to end.

    Parameters
    ----------
    work
        What the handlers share.
    turns
        Between the training and everything else.
    """

    def __init__(self, work: Work, turns: Turns) -> None:
        self.work, self._turns = work, turns
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._tasks: list[_Task] = []  # that wait or run
        self._answered = threading.Condition(self._lock)  # one of them less
        self._queues: dict[str, queue.Queue[_Task | None]] = {"quick": queue.Queue(), "training": queue.Queue()}
        self._threads = [threading.Thread(target=self._work_off, args=(name,), name=name, daemon=True)
                         for name in self._queues]
        self._heard = _Heard()

    def start(self) -> None:
        """Begin to work."""
        logging.getLogger("pupicker").addHandler(self._heard)
        for thread in self._threads:
            thread.start()

    def ready(self) -> Answer:
        """What a client is told first."""
        pickers = self.work.pickers
        return {"event": "ready", "protocol": PROTOCOL_VERSION, "version": pupicker.__version__,
                "device": str(pickers.device), "threads": self.work.threads, "requests": list(REQUESTS),
                "models": pickers.loaded()}

    def take(self, line: str, reply: Reply) -> None:
        """Answer a line, now or later; `reply` is called from several threads."""
        try:
            request = read_request(line)
        except Refused as error:
            self._last(reply, error.id, _error(error))
            return
        except Exception as error:  # a fault of ours: this line is answered, and those after it are still read
            self._last(reply, None, _fault(error))
            return
        self.ask(request, reply)

    def ask(self, request: Request, reply: Reply) -> None:
        """Answer a request, now or later."""
        if self.ending.is_set():
            self._last(reply, request.id, {"event": "error", "error": "the process ends; ask another one"})
            return
        task = _Task(request, reply)
        at_once = self._at_once(task)
        if at_once is not None:
            self._last(reply, request.id, at_once)
            return
        with self._lock:
            self._tasks.append(task)
            self.work.counters.waiting = len(self._tasks)
        self._queues["training" if request.do == "train" else "quick"].put(task)

    def end(self) -> None:
        """Finish the micrographs that are being picked, answer what waits, end the training; begin nothing else."""
        self.ending.set()

    def cancel(self, reply: Reply) -> None:
        """End what is asked by one client, which has gone."""
        with self._lock:
            for task in self._tasks:
                if task.reply is reply:
                    task.cancelled.set()

    def wait_for(self, reply: Reply) -> None:
        """Until all that one client has asked is answered."""
        with self._answered:
            self._answered.wait_for(lambda: all(task.reply is not reply for task in self._tasks))

    def close(self) -> None:
        """Nothing more will be asked: the threads end when everything is answered."""
        for waiting in self._queues.values():
            waiting.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait so long for the end that :meth:`close` announced; whether it has come."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            return False
        logging.getLogger("pupicker").removeHandler(self._heard)
        self.work.counters.write()
        return True

    # ------------------------------------------------------------------ requests that take no time
    def _at_once(self, task: _Task) -> Answer | None:
        do, values = task.request.do, task.request.values
        if do == "stop":
            self.end()
            return {}
        if do == "cancel":
            return self._cancelled(values["request"])
        if do == "metrics":
            return self.work.counters.to_dict()
        if do == "schema":
            return schema()
        if do == "info" and values["file"] is None:
            return {**self.ready(), "event": "result"}
        return None

    def _cancelled(self, id: Id) -> Answer:
        with self._lock:
            found = [task for task in self._tasks if task.request.id == id]
        for task in found:
            task.cancelled.set()
        return {"cancelled": len(found)}

    # ------------------------------------------------------------------ work
    def _work_off(self, name: str) -> None:
        while True:
            task = self._queues[name].get()
            if task is None:
                return
            answer = self._answer(task)
            with self._lock:
                self.work.counters.waiting = len(self._tasks) - 1
            self._last(task.reply, task.request.id, answer)
            with self._answered:
                self._tasks.remove(task)
                self.work.counters.waiting = len(self._tasks)
                self._answered.notify_all()

    def _answer(self, task: _Task) -> Answer:
        def stop() -> bool:
            return task.cancelled.is_set() or self.ending.is_set()

        def tell(answer: Answer) -> None:
            _say(task.reply, {"id": task.request.id, **answer})

        job = Job(task.request, tell, stop)
        try:
            if stop():
                raise Cancelled("ended before it began")
            with self._heard.of_this_thread() as warnings:
                answer = self._handle(job)
            return {**answer, "warnings": warnings}
        except Cancelled as error:
            return {"event": "cancelled", "error": str(error)}
        except PuPickerError as error:
            return _error(error)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return {"event": "error", "error": f"{where}{error.strerror or error}", "parameters": []}
        except Exception as error:  # a fault of ours or of a library: this request fails, the others do not
            return _fault(error)

    def _handle(self, job: Job) -> Answer:
        if job.request.do == "train":
            answer = train(job, self.work, self._turns)
            self.work.counters.add("trainings")
            return answer
        handlers = {"pick": picking.pick, "suggest": picking.pick, "score": picking.score, "info": picking.info}
        with self._turns.request():
            return handlers[job.request.do](job, self.work)

    def _last(self, reply: Reply, id: Id, answer: Answer) -> None:
        full = {"event": "result", **answer}
        self.work.counters.add("errors" if full["event"] == "error" else "requests")
        try:
            _say(reply, {"id": id, **full})
        except ValueError as error:  # a number that JSON has not
            _say(reply, {"id": id, **_fault(error)})


def _say(reply: Reply, answer: Answer) -> None:
    try:
        reply(answer)
    except OSError as error:  # the client has gone
        _log.info("an answer reaches nobody: %s", error)


def _fault(error: Exception) -> Answer:
    """Of an exception that is being handled."""
    if not out_of_memory(error):
        _log.error("%s", traceback.format_exc())
    return {"event": "error", "error": " ".join(f"{type(error).__name__}: {error}".split()), "parameters": [],
            "fault": True}


def _error(error: PuPickerError) -> Answer:
    return {"event": "error", "error": str(error), "parameters": list(error.parameters)}


class _Heard(logging.Handler):
    """Warnings of the library that belong to a request: those of its thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lists: dict[int, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        text = record.getMessage()
        if record.thread in self._lists and not text.startswith("quarantined: "):
            self._lists[record.thread].append(text)

    @contextmanager
    def of_this_thread(self) -> Iterator[list[str]]:
        """Yield the list to which warnings of this thread go while the block runs."""
        lines: list[str] = []
        self._lists[threading.get_ident()] = lines
        try:
            yield lines
        finally:
            del self._lists[threading.get_ident()]
