"""Processes of the core that a run has started."""

from __future__ import annotations

import os
from pathlib import Path


def serving(project: str, run: str) -> list[int]:
    """Those that stay and answer, of the run with the folder `run` in the project in the folder `project`."""
    return running("serve", project, run)


def running(command: str, project: str, run: str) -> list[int]:
    """As :func:`serving`, of any command of ``pupicker``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if command.encode() in words and any(run.encode() in word for word in words) \
                    and os.path.samefile(entry / "cwd", project):
                found.append(int(entry.name))
        except OSError:  # it has ended, or is no process
            continue
    return found
