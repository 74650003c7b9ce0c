"""Processes of the core for a window: started in the background, polled, stopped with the window."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from typing import Any, Optional, Sequence

from pupicker.plugin.outcome import CoreError, checkOutcome
from pupicker.plugin.plugin import Plugin
from pupicker.shared.worker import Worker


class ChildProcess:
    """One process with a temporary folder of its own; :meth:`close` it in any case.

    Attributes
    ----------
    folder
        For the files of the command; removed by :meth:`close`.
    """

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="pupicker_")
        self._process: Any = None
        self._command = ""

    def getPath(self, name: str) -> str:
        """Path of a file in the folder."""
        return os.path.join(self.folder, name)

    def start(self, command: str, arguments: Sequence[Any], gpu: Optional[str] = None) -> None:
        """Start ``pupicker COMMAND ARGUMENTS`` with the interpreter and environment of the protocols.

        Parameters
        ----------
        gpu
            Number of the GPU for a command that takes ``--device``; "" for the processor, None for other commands.
        """
        self._command, environ = command, Plugin.getEnviron()
        items = [self.getPath("outcome.json"), command] + list(arguments)
        if gpu is not None:
            environ["CUDA_VISIBLE_DEVICES"] = gpu
            items += ["--device", "cuda:0" if gpu else "cpu"]
        line = "exec %s %s" % (Plugin.getProgram(), " ".join(shlex.quote(str(item)) for item in items))
        with open(self.getPath("stdout"), "wb") as stdout, open(self.getPath("stderr"), "wb") as stderr:
            # A session of its own, so that it is stopped together with what it starts.
            self._process = subprocess.Popen(line, shell=True, env=environ, stdin=subprocess.DEVNULL, stdout=stdout,
                                             stderr=stderr, start_new_session=True)

    def isRunning(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def check(self) -> int:
        """Wait for the end; exit code, 0 or 3.

        Raises
        ------
        CoreError
            It failed; the message is one line.
        """
        status = self._process.wait()
        try:
            return checkOutcome(self._command, self.getPath("outcome.json"), " (exit status %d)" % status)
        except CoreError as error:  # a window has no log to look into
            raise CoreError(str(error).replace("; see the error log of this run", "")) from None

    def close(self) -> None:
        """End the process if it still runs, and remove its folder."""
        if self.isRunning():
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def coreWorker(folder: str, arguments: Sequence[Any] = (), gpu: str = "", log: Any = None) -> Worker:
    """``pupicker serve ARGUMENTS`` with the interpreter and environment of the protocols; not started yet.

    Parameters
    ----------
    folder
        Exists; the process notes there how it ended.
    gpu
        Number of its GPU; "" for the processor.
    log
        Where its log goes, an open file; None: to that of this process.
    """
    outcome = os.path.join(folder, "serve_outcome.json")
    environ = Plugin.getEnviron()
    environ["CUDA_VISIBLE_DEVICES"] = gpu
    words = Plugin.getCommand() + [outcome, "serve"] + [str(item) for item in arguments]
    return Worker(words + ["--device", "cuda:0" if gpu else "cpu"], environ, log, outcome)
