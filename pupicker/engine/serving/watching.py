"""A folder in place of requests: what appears in it is picked, once each.

A file that is still being written is left alone: it has to keep its size and time for some seconds.  One that cannot be
used is set aside, and tried again when it has changed; after another error (a full disk, a model that is gone) it is
tried again a while later.  What has a table is done, also after a restart; of two files with one name and different
endings the first one is picked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pupicker.engine.files.listing import beside_micrographs
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.serving.picking import Answer
from pupicker.engine.serving.requests import Request
from pupicker.engine.serving.server import Reply, Server
from pupicker.shared.digests import file_state
from pupicker.shared.names import MICROGRAPH_SUFFIXES, micrograph_key, micrograph_suffix

POLL_S = 0.5
AGAIN_S = 30.0
"""So long micrographs wait after an error that is not said to be theirs."""

MOST = 16
"""Micrographs of one request: the next ones are read meanwhile, and the end is near when it is asked for."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """What is watched.

    Attributes
    ----------
    folder, output
        Of the micrographs, of their tables.
    do, values
        Name and fields of the requests, but for the micrographs.
    settle_s
        So long a file has to be as it is.
    """

    folder: Path
    output: Path
    do: str
    values: dict[str, Any]
    settle_s: float = 2.0


class Watch(threading.Thread):
    """Asks a server to pick what appears in a folder.

    Parameters
    ----------
    watched
        What and how.
    server
        That picks.
    reply
        Gets its answers.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self, watched: Watched, server: Server, reply: Reply, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(name="watch", daemon=True)
        self._watched, self._server, self._reply, self._clock = watched, server, reply, clock
        self._seen: dict[Path, tuple[list[int], float]] = {}  # state of a file, and since when
        self._done: set[Path] = set()
        self._failed: dict[Path, list[int]] = {}  # state in which it could not be used
        self._asked: list[Path] = []  # and not answered
        self._later: dict[Path, float] = {}  # when those that an error has met are asked again
        self._suspect: dict[Path, int] = {}  # how often it was met at them: they go last
        self._left_out: set[str] = set()  # kinds of files that are no micrographs, and were said
        self._answered = threading.Event()

    def run(self) -> None:
        """Look, ask, wait for the answer, until the server ends."""
        gone = False
        while not self._server.ending.wait(POLL_S):
            try:
                ready = self.ready()
            except OSError as error:  # an unmounted disk comes back
                if not gone:
                    _log.warning("%s: %s; waiting until it can be read again", self._watched.folder,
                                 error.strerror or error)
                gone = True
                continue
            gone = False
            if ready:
                self._ask(ready[:MOST])

    def ready(self) -> list[Path]:
        """Files that are whole as far as can be seen, and not picked yet; the oldest first, then those with trouble."""
        now, found = self._clock(), []
        for path in self._watched.folder.iterdir():
            if path in self._done or path.name.startswith(".") or micrograph_suffix(path) not in MICROGRAPH_SUFFIXES:
                continue
            if self._is_left_out(path):
                continue
            state = file_state(str(path))
            before, since = self._seen.get(path, ([], now))
            if state != before:
                since = now
                self._seen[path] = (state, since)
            if not state or not state[0] or now - since < self._watched.settle_s or self._failed.get(path) == state:
                continue
            if self.table_of(path).exists():
                self._done.add(path)
            elif now >= self._later.get(path, now):
                found.append((self._suspect.get(path, 0), state[1], path))
        return [path for _, _, path in sorted(found)]

    def _is_left_out(self, path: Path) -> bool:
        """Whether it is none of the micrographs by its name; said once of each kind."""
        kind = beside_micrographs(path)
        if kind and kind not in self._left_out:
            self._left_out.add(kind)
            _log.warning("%s: looks like %s and is left out, as are others of this kind", path, kind)
        return bool(kind)

    def table_of(self, path: Path) -> Path:
        """Where its picks go."""
        return self._watched.output / f"{micrograph_key(path)}.{self._watched.values['format']}"

    def _ask(self, paths: list[Path]) -> None:
        owners: dict[Path, Path] = {}
        for path in paths:
            owners.setdefault(self.table_of(path), path)
        chosen = list(owners.values())
        self._asked = list(chosen)
        self._answered.clear()
        content = {**self._watched.values, "do": self._watched.do, "id": "watch",
                   "micrographs": [str(path) for path in chosen], "output": str(self._watched.output)}
        self._server.ask(Request.of(content), self._take)
        self._answered.wait()

    def _take(self, answer: Answer) -> None:
        path = Path(answer.get("micrograph", ""))
        if path in self._asked:
            self._asked.remove(path)
        if answer["event"] == "micrograph":
            self._done.add(path)
            self._seen.pop(path, None)
        elif answer["event"] == "quarantined":
            self._failed[path] = self._seen[path][0]
        try:
            self._reply(answer)
        finally:
            if answer["event"] in ("result", "error", "cancelled"):
                if answer["event"] == "error" and self._asked:  # it may be the fault of the first: not in front again
                    self._suspect[self._asked[0]] = self._suspect.get(self._asked[0], 0) + 1
                    self._later |= dict.fromkeys(self._asked, self._clock() + AGAIN_S)
                self._answered.set()


def check_watched(folder: Path) -> None:
    """Raise InputError if there is nothing to watch."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder to watch", "watch")
