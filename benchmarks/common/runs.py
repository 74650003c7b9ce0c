"""What the benchmark programs share: records of finished runs, processes with their processor time, versions.

Every run (one set, method, number of labels, draw) is one line of a JSON-lines file, written as soon as the run is
done.  A program that is started again skips what is recorded, so it can be stopped at any time, go on, and be split
over machines; figures and tables are made from the records that exist.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pupicker as package

RESULTS = Path(__file__).resolve().parents[1] / "results"
#: Where networks run, as `--device` of pupicker takes it; records of a GPU carry its name, and no time of them is used.
DEVICE = os.environ.get("PUPICKER_BENCHMARK_DEVICE", "cpu")
UNIT = ("set", "method", "labels", "draw", "settings", "labels_sha256")  # two runs that agree in these are the same
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_POLL_S = 0.5
FIRST_METHOD = "da6866c0f35b"
"""Name under which records carry version 1 of the method."""


class Failure(RuntimeError):
    """A child process did not do what was asked; the text says which and shows the end of its output."""


def attempt(title: str, recorded: bool, measure: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What is measured; None if it is recorded already or failed, which is told under the title."""
    if recorded:
        print(f"{title}: recorded", flush=True)
        return None
    try:
        return measure()
    except Failure as problem:
        print(f"{title}: FAILED\n{problem}", flush=True)
        return None


class Records:
    """Records of one experiment in a JSON-lines file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> list[dict[str, Any]]:
        """All records, the last one of each unit."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return list({unit_key(r): r for r in map(json.loads, filter(str.strip, lines))}.values())

    def missing(self, unit: dict[str, Any]) -> bool:
        """Whether there is no record of the unit."""
        return all(unit_key(r) != unit_key(unit) for r in self.load())

    def append(self, record: dict[str, Any]) -> None:
        """Add one record: a whole line or nothing, also with several programs writing at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.write((json.dumps(record) + "\n").encode())

    def run(self, unit: dict[str, Any], measure: Callable[[], dict[str, Any]], common: dict[str, Any]) -> None:
        """Measure the unit and record it, unless it is recorded; a failure is told and recorded nowhere."""
        title = f"{unit['set']} {unit['method']} {unit['labels']} labels, draw {unit['draw']}"
        result = attempt(title, not self.missing(unit), measure)
        if result is None:
            return
        finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.append({**unit, **result, **common, "finished": finished})
        short = "training" in result
        told = f"AP {result['average_precision']:.4f}, training {result['training']}" if short else result
        print(f"{title}: {told}", flush=True)


def unit_key(record: dict[str, Any]) -> str:
    """What makes a run the same as another."""
    return json.dumps({name: record.get(name) for name in UNIT}, sort_keys=True)


def process(
    command: Sequence[object], log: Path, stop: Callable[[float], bool] | None = None, threads: int = 1,
) -> dict[str, float]:
    """Run a command, usually on one thread, with its output in `log`; its wall and processor seconds, its memory.

    Parameters
    ----------
    command
        Program and arguments.
    log
        File for what it prints.
    stop
        Asked twice a second, with the processor seconds so far, whether to end the process; that is no failure.
    threads
        1: numerical libraries use one; more: they use what they like.

    Returns
    -------
    dict
        ``wall_s``, ``cpu_s`` (user and system, also of processes that it started and waited for) and ``rss_mb``, the
        largest resident memory of any of these.

    Raises
    ------
    Failure
        The command ended with a status other than 0.
    """
    start, stopped, used = time.perf_counter(), False, 0.0
    own = ONE_THREAD if threads == 1 else {}
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD} | own
    with open(log, "wb") as stream:
        child = subprocess.Popen([str(part) for part in command], stdout=stream, stderr=subprocess.STDOUT,
                                 env=environment)
        while True:
            pid, status, usage = os.wait4(child.pid, 0 if stop is None else os.WNOHANG)
            if pid:
                break
            used = processor_seconds(child.pid, used)
            if stop is not None and not stopped and stop(used):
                stopped = True
                child.kill()
            time.sleep(_POLL_S)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode and not stopped:
        end = log.read_text(errors="replace")[-1500:]
        raise Failure(f"{Path(str(command[0])).name} {command[1]} ended with status {child.returncode}:\n{end}")
    return {"wall_s": round(wall, 3), "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
            "rss_mb": round(usage.ru_maxrss / 1024, 1)}


def processor_seconds(pid: int, last: float) -> float:
    """Of a running process so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return last
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sha256(path: Path) -> str:
    """First twelve digits of the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def hardware(threads: int = 1) -> dict[str, Any]:
    """Processor, number of cores, Python, and the GPU if networks run on it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    out = {"processor": processor, "cores": os.cpu_count(), "threads": threads, "python": platform.python_version()}
    if DEVICE != "cpu":
        import torch

        out["gpu"] = torch.cuda.get_device_name(DEVICE)
    return out


def pupicker_code() -> dict[str, str]:
    """Version and commit of pupicker, and what tells whether two commits pick alike: the version of the method.

    Version 1 has the name under which records carry it since before the versions were counted.
    """
    root = Path(package.__file__).resolve().parent
    git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    method = FIRST_METHOD if package.METHOD_VERSION == 1 else f"method-{package.METHOD_VERSION}"
    return {"version": package.__version__, "commit": commit or "unknown", "code": method}
