"""The file of results: one JSON that grows by a run at a time, so that the program can be stopped and started again.

A run is known by its unit: part, set, program, number of micrographs or labels, repetition, and the version of the
program (the commit of pupicker).  What is recorded is not measured again.  Times of two machines are not mixed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.common.runs import attempt, hardware, pupicker_code
from pupicker.shared.json_files import read_json, write_json

UNIT = ("part", "set", "program", "count", "repeat", "version")
SAME_MACHINE = ("processor", "cores", "torch")


def machine() -> dict[str, Any]:
    """Processor, cores, Python and torch."""
    import torch

    return {**hardware(), "torch": torch.__version__}


class Measured:
    """Runs that were recorded in a file, and new ones.

    Parameters
    ----------
    path
        The file; made with the first run.
    topaz
        Version of Topaz, empty without one.

    Raises
    ------
    SystemExit
        The file holds runs of another machine.
    """

    def __init__(self, path: Path, topaz: str = "") -> None:
        self.path, self._topaz = path, topaz
        self.content: dict[str, Any] = read_json(path) if path.is_file() else {}
        self.content.setdefault("commands", [])
        self.content.setdefault("runs", [])
        here, there = machine(), self.content.setdefault("machine", machine())
        if any(here[name] != there.get(name) for name in SAME_MACHINE):
            raise SystemExit(f"{path}: holds runs of another machine, {_described(there)}; this one is"
                             f" {_described(here)}: give another file (--output)")

    @property
    def runs(self) -> list[dict[str, Any]]:
        """All of them."""
        return list(self.content["runs"])

    def run(self, part: str, name: str, program: str, measure: Callable[[], dict[str, Any]], count: int = 1,
            repeat: int = 0) -> None:
        """Measure and record, unless it is recorded; a failure is told and recorded nowhere.

        Parameters
        ----------
        part, name
            What is asked, and on which set.
        program
            ``topaz...`` is Topaz, everything else depends on the commit of pupicker.
        measure
            Gives what is recorded.
        count
            Micrographs or labels.
        repeat
            Which of several equal runs.
        """
        version = self._topaz if program.startswith("topaz") else pupicker_code()["commit"]
        unit = dict(zip(UNIT, (part, name, program, count, repeat, version), strict=True))
        title = f"{part}, {name}, {program}, {count}, run {repeat + 1}"
        found = attempt(title, bool(self.find(unit)), measure)
        if found is None:
            return
        finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
        load = round(os.getloadavg()[0], 1)
        self.content["runs"].append({**unit, **found, "load_average": load, "finished": finished})
        self._write()
        print(f"{title}: " + ", ".join(f"{k} {v}" for k, v in found.items() if not isinstance(v, (list, dict))),
              flush=True)

    def find(self, unit: dict[str, Any]) -> dict[str, Any] | None:
        """The record of a unit, if there is one."""
        return next((r for r in self.content["runs"] if all(r[name] == unit[name] for name in UNIT)), None)

    def _write(self) -> None:
        command = " ".join(["python -m benchmarks.speed", *sys.argv[1:]])
        if command not in self.content["commands"]:
            self.content["commands"].append(command)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, self.content)


def _described(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {found.get(name)}" for name in SAME_MACHINE)
