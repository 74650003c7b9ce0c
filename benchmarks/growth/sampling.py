"""What is measured while a run goes on: a line a chunk of micrographs; when each arrived and was done."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.growth.processes import Usage

LOOK_S = 0.25
ARRIVALS_LOOK_S = 0.1


def done_ids(folder: Path) -> list[int]:
    """Micrographs of the run in this folder that are in its output."""
    path = folder / "extra" / "DONE" / "all.TXT"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def ids_in(path: Path) -> list[int]:
    """Ids of the items of a set."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return [row[0] for row in database.execute("SELECT id FROM Objects")]
    except sqlite3.Error:  # it is being written, or there is none
        return []


def visible(folder: Path, ending: str) -> list[str]:
    """Names of the files with this ending, without those that are being written."""
    names = os.listdir(folder) if folder.exists() else []
    return [name for name in names if name.endswith(ending) and not name.startswith(".")]


def number_of(name: str) -> int:
    """Id of the micrograph that a run calls ``mic000123``, whatever follows."""
    return int(Path(name).stem.removeprefix("mic"))


def sizes(folder: Path) -> dict[str, Any]:
    """KB of the databases, number and KB of the other files of the run in this folder."""
    databases = {"output_kb": "coordinates.sqlite", "steps_kb": "logs/steps.sqlite", "run_kb": "logs/run.db"}
    found: dict[str, Any] = {}
    for name, file in databases.items():
        path = folder / file
        found[name] = round(path.stat().st_size / 1024) if path.exists() else 0
    own = [os.path.join(place, name) for place, _, names in os.walk(folder / "extra") for name in names]
    log = folder / "logs" / "run.stdout"
    return {**found, "own_files": len(own), "log_kb": round(log.stat().st_size / 1024) if log.exists() else 0,
            "own_kb": round(sum(map(_bytes, own)) / 1024)}


def _bytes(path: str) -> int:
    """Of a file or link; the run takes its own away while one looks."""
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


class Chunks(threading.Thread):
    """Notes what a run has used, whenever so many micrographs more are in its output."""

    def __init__(self, project: Path, folder: str, chunk: int) -> None:
        super().__init__(daemon=True)
        self._project, self._folder, self._chunk = project, folder, chunk
        self._usage, self._ended, self._start = Usage(folder, project), threading.Event(), time.monotonic()
        self.rows: list[dict[str, Any]] = []

    def run(self) -> None:
        """Look until :meth:`end`."""
        noted = -self._chunk  # the first line is that of the start
        while not self._ended.is_set():
            number, used = len(done_ids(self._project / self._folder)), self._usage.look()
            if number - noted >= self._chunk and used["protocol_mb"] and (number == 0 or used["core_mb"]):
                self._note(number, used)
                noted = number
            self._ended.wait(LOOK_S)

    def _note(self, done: int, used: dict[str, float]) -> None:
        self.rows.append({"done": done, "wall_s": round(time.monotonic() - self._start, 2), **used,
                          **sizes(self._project / self._folder), "load": round(os.getloadavg()[0], 2)})

    def end(self) -> dict[str, Any]:
        """The lines, the last of them of the whole run, and the largest memory of each kind of process."""
        self._ended.set()
        self.join()
        whole = {"wall_s": round(time.monotonic() - self._start, 2), **sizes(self._project / self._folder)}
        return {"rows": self.rows, "end": whole, "largest_mb": self._usage.largest_mb}


class Arrivals(threading.Thread):
    """When each micrograph was first seen in the input set, in a batch that is picked, as a table, and in the output.

    From set to batch and from table to output Scipion's loop has to come by, which looks every few seconds; what lies
    between is ours.

    Parameters
    ----------
    inputs
        File of the input set.
    folder
        Of the run.
    """

    def __init__(self, inputs: Path, folder: Path) -> None:
        super().__init__(daemon=True)
        self._inputs, self._folder, self._ended = inputs, folder, threading.Event()
        self._records: set[str] = set()
        self.arrived: dict[int, float] = {}
        self.begun: dict[int, float] = {}
        self.picked: dict[int, float] = {}
        self.done: dict[int, float] = {}
        self.backlog: list[int] = []

    def run(self) -> None:
        """Look until :meth:`end`."""
        while not self._ended.wait(ARRIVALS_LOOK_S):
            self.look()

    def look(self) -> None:
        """Once."""
        tables = visible(self._folder / "extra" / "picks", ".tsv")
        for seen, ids in ((self.arrived, ids_in(self._inputs)), (self.begun, self._in_new_batches()),
                          (self.picked, [number_of(name) for name in tables]), (self.done, done_ids(self._folder))):
            for number in ids:
                seen.setdefault(number, time.monotonic())
        self.backlog.append(len(self.arrived) - len(self.done))

    def _in_new_batches(self) -> list[int]:
        """Micrographs of the batches that have begun since the last look: each writes its record at once."""
        folder = self._folder / "extra" / "batches"
        new = set(visible(folder, ".json")) - self._records
        self._records |= new
        return [number_of(stem) for name in new for stem in json.loads((folder / name).read_text())["names"]]

    def end(self) -> dict[str, list[float]]:
        """Seconds of each micrograph, in the order of arrival: from the input set to the output, and its parts."""
        self._ended.set()
        self.join()
        self.look()
        moments = {"set_to_batch": (self.arrived, self.begun), "batch_to_table": (self.begun, self.picked),
                   "table_to_output": (self.picked, self.done), "set_to_output": (self.arrived, self.done)}
        return {name: [round(max(0.0, later[number] - earlier[number]), 2) for number in self.arrived
                       if number in earlier and number in later] for name, (earlier, later) in moments.items()}
