"""A process of the core that stays: it is asked, it answers, it is started again when it has died (docs/serve.md).

Only the standard library, so that any program can use it::

    with Worker(["pupicker", "serve"]) as worker:
        answer = worker.ask("pick", micrographs=["a.mrc"], model="model.pupicker")

A window polls instead of waiting: ``ticket = worker.send("train", ...)``, and now and then ``ticket.poll()``.
"""

from __future__ import annotations

import _thread
import json
import os
import queue
import signal
import subprocess
import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from pupicker.shared.json_files import read_json

PROTOCOL_VERSION = 1
"""Raised when a request or an answer changes so that an older program would misunderstand it."""

LAST = ("result", "error", "cancelled", "died")
"""Events of the last answer to a request; ``died``: the process ended before it gave one."""

START_S = 120.0  # to load torch from a slow disk
CLOSE_S = 3.0

Answer = Dict[str, Any]


class WorkerError(Exception):
    """The process cannot be started, or it refused a request; the message is one line.

    Attributes
    ----------
    parameters
        Names of the fields that are meant.
    """

    def __init__(self, message: str, *parameters: str) -> None:
        Exception.__init__(self, message)
        self.parameters = parameters


class WorkerDied(WorkerError):
    """The process ended before it gave the last answer.

    Attributes
    ----------
    by_signal
        Whether it was ended from outside while it started.
    """

    by_signal = False


class Ticket:
    """The answers to one request.

    Attributes
    ----------
    id
        Of the request: what ``cancel`` takes.
    last
        The last answer, once it was taken; None before.
    """

    def __init__(self, id: int) -> None:
        self.id = id
        self.last: Optional[Answer] = None
        self._answers: Any = queue.Queue()

    def put(self, answer: Answer) -> None:
        """Called by the worker, from another thread."""
        self._answers.put(answer)

    def wait(self, timeout_s: Optional[float] = None) -> Optional[Answer]:
        """The next answer; None if there is none in time, or there comes none any more."""
        if self.last is not None:
            return None
        try:
            answer: Answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if answer["event"] in LAST:
            self.last = answer
        return answer

    def poll(self) -> List[Answer]:
        """All answers that have come since the last time; never waits."""
        found: List[Answer] = []
        while True:
            answer = self.wait(0.0) if not self._answers.empty() else None
            if answer is None:
                return found
            found.append(answer)


class _Process:
    """One start of the process, and who waits for its answers."""

    def __init__(self, command: Sequence[str], environ: Optional[Mapping[str, str]], log: Any,
                 outcome_file: str) -> None:
        self._outcome_file = outcome_file
        self._lock = threading.Lock()  # of what follows; never held while a pipe may be full
        self._tickets: Dict[int, Ticket] = {}
        self._writing = threading.Lock()  # one request at a time goes into the pipe
        self._ended = False
        self._refusal = ""  # why nothing it says can be understood
        self.ready: Answer = {}
        self.begun = threading.Event()  # it is ready, or has ended
        # A session of its own: Ctrl-C of a terminal is for who asks.
        self.child: Any = subprocess.Popen(command, env=None if environ is None else dict(environ),
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                           start_new_session=True)
        # No threading.Thread: Scipion waits at the end of a run for all that it can see, and this one ends later.
        _thread.start_new_thread(self._read, ())

    def is_running(self) -> bool:
        return not self._ended and self.child.poll() is None

    def send(self, ticket: Ticket, content: Answer) -> None:
        """Ask; if the process has ended, that is the answer."""
        line = (json.dumps(content) + "\n").encode("utf-8")
        with self._lock:
            self._tickets[ticket.id] = ticket
        with self._writing:
            try:
                self.child.stdin.write(line)
                self.child.stdin.flush()
            except (OSError, ValueError):  # it has died; the reader answers, if it has not gone
                pass
        if self._ended:
            self._bury()

    def why_it_ended(self) -> str:
        try:
            status = self.child.wait(timeout=CLOSE_S)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        if self._refusal:
            return self._refusal
        error = read_json(self._outcome_file).get("error") if self._outcome_file else ""
        if error:
            return str(error)
        if status < 0:
            return "it was ended from outside (signal %d), perhaps for lack of memory" % -status
        return "exit status %d" % status

    def end(self, wait_s: float) -> None:
        """Let it finish, else end it."""
        if self._writing.acquire(timeout=wait_s):  # else it does not read what is in the pipe, and is told by a signal
            try:
                if self.is_running():
                    self.child.stdin.write(b'{"do": "stop"}\n')
                self.child.stdin.close()
            except (OSError, ValueError):
                pass
            finally:
                self._writing.release()
        for number, seconds in ((None, wait_s), (signal.SIGTERM, CLOSE_S), (signal.SIGKILL, None)):
            try:
                if number is not None and self.child.poll() is None:
                    os.killpg(self.child.pid, number)
                self.child.wait(timeout=seconds)
                return
            except (subprocess.TimeoutExpired, ProcessLookupError):
                pass

    def _read(self) -> None:
        """In a thread: hand the answers out until it ends."""
        for line in self.child.stdout:
            try:
                answer = json.loads(line.decode("utf-8"))
            except ValueError:  # cut off by its death
                continue
            if not isinstance(answer, dict):
                continue
            if not self.begun.is_set():
                self._greeted(answer)
                continue
            with self._lock:
                id: Any = answer.get("id")
                ticket = self._tickets.pop(id, None) if answer.get("event") in LAST else self._tickets.get(id)
            if ticket is not None:
                ticket.put(answer)
        self._ended = True
        self.begun.set()
        self._bury()
        self.child.stdout.close()

    def _greeted(self, answer: Answer) -> None:
        """It has said what it is."""
        if answer.get("protocol") == PROTOCOL_VERSION:
            self.ready = answer
            self.begun.set()
        else:
            self._refusal = "it speaks version %s, this program %d" % (answer.get("protocol"), PROTOCOL_VERSION)
            self.child.kill()

    def _bury(self) -> None:
        """Tell all who wait that nothing comes any more."""
        reason = "pupicker serve ended: %s" % self.why_it_ended()
        with self._lock:
            left, self._tickets = self._tickets, {}
        for ticket in left.values():
            ticket.put({"id": ticket.id, "event": "died", "error": reason})


class Worker:
    """One process of ``pupicker serve``; :meth:`close` it in any case.

    Parameters
    ----------
    command
        Words that start it.
    environ
        Its environment; None: that of this process.
    log
        Where its standard error goes, an open file; None: to that of this process.
    outcome_file
        In which the launcher notes why it ended; empty: nobody does.

    Attributes
    ----------
    starts
        How often it was started.
    """

    def __init__(self, command: Sequence[str], environ: Optional[Mapping[str, str]] = None, log: Any = None,
                 outcome_file: str = "") -> None:
        self._command, self._environ, self._log, self._outcome_file = list(command), environ, log, outcome_file
        self._process: Optional[_Process] = None
        self._lock = threading.RLock()
        self._number = 0
        self.starts = 0

    # ------------------------- requests -------------------------
    def ask(self, do: str, tell: Optional[Callable[[Answer], None]] = None, **fields: Any) -> Answer:
        """Wait for the last answer to a request; `tell` gets those before it.

        Raises
        ------
        WorkerDied
            The process ended meanwhile, or does not start.
        WorkerError
            It answers with an error.
        """
        ticket = self.send(do, **fields)
        while True:
            answer = ticket.wait()
            assert answer is not None  # the last one has not come yet
            if ticket.last is not None:
                break
            if tell is not None:
                tell(answer)
        if answer["event"] == "died":
            raise WorkerDied(answer["error"])
        if answer["event"] == "error":
            raise WorkerError(answer["error"], *answer.get("parameters", ()))
        return answer

    def send(self, do: str, **fields: Any) -> Ticket:
        """Ask; the process is started if it does not run.  Never waits: a process that does not start has died.

        Raises
        ------
        WorkerDied
            There is no such program, or it cannot be run.
        """
        with self._lock:
            process = self._running()
            self._number += 1
            ticket = Ticket(self._number)
        process.send(ticket, dict(fields, do=do, id=ticket.id, protocol=PROTOCOL_VERSION))
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """End what was asked, if it is not answered yet; its last answer says so."""
        if self.is_running() and ticket.last is None:
            self.send("cancel", request=ticket.id)

    # ------------------------- process -------------------------
    def start(self) -> Answer:
        """Start the process if it does not run, wait until it is ready, and return what it says of itself.

        Raises
        ------
        WorkerDied
            It ends before it is.
        """
        with self._lock:
            process = self._running()
        if not process.begun.wait(START_S):
            process.end(0.0)
            raise WorkerDied("pupicker serve does not start: it said nothing for %d s" % START_S)
        if not process.ready:
            error = WorkerDied("pupicker serve does not start: %s" % process.why_it_ended())
            error.by_signal = process.child.returncode is not None and process.child.returncode < 0
            raise error
        return process.ready

    def _running(self) -> _Process:
        """The process that runs, or a new one."""
        if self._process is None or not self._process.is_running():
            if self._outcome_file and os.path.exists(self._outcome_file):
                os.remove(self._outcome_file)
            try:
                self._process = _Process(self._command, self._environ, self._log, self._outcome_file)
            except OSError as error:  # the program is not there, or cannot be run
                raise WorkerDied("pupicker serve does not start: %s: %s" % (
                    error.filename or self._command[0], error.strerror or error)) from error
            self.starts += 1
        return self._process

    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running()

    def pid(self) -> Optional[int]:
        """Of the process that runs; None if none does."""
        return int(self._process.child.pid) if self._process is not None and self._process.is_running() else None

    def close(self, wait_s: float = CLOSE_S) -> None:
        """Let it finish the micrograph and end; after `wait_s` seconds it is ended."""
        if self._process is not None:
            self._process.end(wait_s)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
