"""The worker is killed at random moments; whether anything is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth.processes import CORE, of_run
from benchmarks.growth.project import DISTINCT, pupicker

WAIT_S = 0.05


class Killer(threading.Thread):
    """Kills the process that picks, at moments drawn over so many seconds; where none runs then, the next one."""

    def __init__(self, project: Path, folder: str, kills: int, lasts_s: float, seed: int) -> None:
        super().__init__(daemon=True)
        draw = random.Random(seed)
        self._moments = sorted(draw.uniform(0.0, lasts_s) for _ in range(kills))
        self._project, self._folder, self._ended = project, folder, threading.Event()
        self.kills: list[dict[str, Any]] = []

    def run(self) -> None:
        """Wait for each moment."""
        start = time.monotonic()
        for moment in self._moments:
            if self._ended.wait(max(0.0, start + moment - time.monotonic())):
                return
            while not self._kill(time.monotonic() - start):
                if self._ended.wait(WAIT_S):
                    return

    def _kill(self, moment: float) -> bool:
        pids = [pid for pid, kind in of_run(self._folder, self._project).items() if kind == CORE]
        killed = {kill["pid"] for kill in self.kills}
        if not pids or pids[0] in killed:  # it is gone, but not buried yet
            return False
        busy = any((self._project / self._folder / "extra").glob("batch_*"))
        os.kill(pids[0], signal.SIGKILL)
        self.kills.append({"at_s": round(moment, 2), "pid": pids[0], "while_it_picked": busy})
        return True

    def end(self) -> list[dict[str, Any]]:
        """What was killed."""
        self._ended.set()
        self.join()
        return [{name: value for name, value in kill.items() if name != "pid"} for kill in self.kills]


def rows_of(table: Path) -> list[tuple[str, ...]]:
    """Rows of a table of picks, without the name of the micrograph."""
    return [tuple(line.split("\t")[1:]) for line in table.read_text().splitlines()[1:]]


def reference(distinct: Sequence[Path], model: Path, folder: Path) -> list[list[tuple[str, ...]]]:
    """What the command line picks on the distinct micrographs."""
    pupicker("pick", *distinct, "--model", model, "--output", folder, "--format", "tsv", "--device", "cpu",
             "--threads", 1)
    return [rows_of(folder / f"{path.stem}.tsv") for path in distinct]


def lost_and_doubled(run: Any, expected: Sequence[list[tuple[str, ...]]], tables: Path) -> dict[str, int]:
    """Compare what a run has made with what the command line picks, micrograph by micrograph.

    Parameters
    ----------
    run
        A picking that has ended, of micrographs that are named ``mic_NUMBER``.
    expected
        Rows of the distinct micrographs, of which number k is the one with the number k modulo :data:`DISTINCT`.
    tables
        Folder of the tables of the run.
    """
    numbers = {mic.getObjId(): int(mic.getMicName().split("_")[1].split(".")[0]) for mic in run.getInputMicrographs()}
    places = Counter((coordinate.getMicId(), *coordinate.getPosition()) for coordinate in run.outputCoordinates)
    in_output = Counter(mic_id for mic_id, *_ in places.elements())
    lost = other = 0
    for mic_id, number in numbers.items():
        table = tables / f"mic{mic_id:06d}.tsv"
        wanted = expected[number % DISTINCT]
        lost += not table.exists() or (bool(wanted) and not in_output[mic_id])
        other += table.exists() and rows_of(table) != wanted
    return {"micrographs": len(numbers), "picks": sum(places.values()),
            "picks_by_the_command_line": sum(len(expected[number % DISTINCT]) for number in numbers.values()),
            "lost_micrographs": lost, "doubled_picks": sum(count - 1 for count in places.values()),
            "other_tables": other, "quarantined": len(run._getQuarantined())}
