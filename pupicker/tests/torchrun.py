"""Programs started by torchrun with two processes on this machine, which talk over its loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

LONGEST_WAIT_S = 900


def start_together(*program: object, processes: int = 2) -> subprocess.Popen[str]:
    """``torchrun --nproc-per-node N PROGRAM``.

    A module is ``-m -- MODULE``: without the dashes torchrun takes ``--start`` for an abbreviation of its own options.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [*command, *map(str, program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def run_together(*program: object, processes: int = 2) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    return ended(start_together(*program, processes=processes))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of what was started."""
    try:
        out, err = process.communicate(timeout=LONGEST_WAIT_S)
    finally:
        process.kill()
    return process.returncode, out, err


def said_by_pupicker(err: str) -> list[str]:
    """Its error lines; torchrun has a summary of its own, "pupicker FAILED" among it."""
    return [line for line in err.splitlines() if re.match(r"pupicker [a-z-]+: ", line)]


def process_of_rank(rank: int, process: subprocess.Popen[str]) -> int:
    """Process number of one of those that torchrun has started."""
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            own = parent == process.pid and f"RANK={rank}" in (folder / "environ").read_text().split("\0")
        except (OSError, ValueError, IndexError):
            continue
        if own:
            return int(folder.name)
    raise AssertionError(f"no process of rank {rank}")
