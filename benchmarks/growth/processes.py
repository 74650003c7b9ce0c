"""Processor time and memory of the processes of a run."""

from __future__ import annotations

import os
from pathlib import Path

PROTOCOL, CORE, OTHERS = "protocol", "core", "others"
_TICKS = os.sysconf("SC_CLK_TCK")


def of_run(folder: str, project: Path) -> dict[int, str]:
    """Numbers of the processes of the run with this folder in the project, and what each is.

    The protocol is Scipion's process, the core the one that stays and picks; others are commands that end.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            mine = any(folder.encode() in word for word in words) and os.path.samefile(entry / "cwd", project)
        except OSError:  # it has ended, or is no process
            continue
        if mine and words[0].rsplit(b"/", 1)[-1].startswith(b"python"):
            is_protocol = any(b"pw_protocol_run" in word for word in words)
            found[int(entry.name)] = PROTOCOL if is_protocol else CORE if b"serve" in words else OTHERS
    return found


class Usage:
    """Of all processes that a run has had: those that have ended count as when they were last seen."""

    def __init__(self, folder: str, project: Path) -> None:
        self._folder, self._project = folder, project
        self._seconds: dict[tuple[str, int], float] = {}
        self.largest_mb: dict[str, float] = {}

    def look(self) -> dict[str, float]:
        """Processor seconds so far, and MB of memory now, of each kind."""
        memory: dict[str, float] = dict.fromkeys((PROTOCOL, CORE), 0.0)
        for pid, kind in of_run(self._folder, self._project).items():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            self._seconds[kind, pid] = (int(fields[11]) + int(fields[12])) / _TICKS
            memory[kind] = memory.get(kind, 0.0) + int(fields[21]) * os.sysconf("SC_PAGESIZE") / 2**20
        for kind, value in memory.items():
            self.largest_mb[kind] = round(max(value, self.largest_mb.get(kind, 0.0)), 1)
        seconds = {f"{kind}_cpu_s": round(sum(s for (k, _), s in self._seconds.items() if k == kind), 2)
                   for kind in (PROTOCOL, CORE, OTHERS)}
        return {**seconds, **{f"{kind}_mb": round(memory[kind], 1) for kind in (PROTOCOL, CORE)}}
