"""The two real sets: EMPIAR-10146 (apoferritin) and EMPIAR-10017 (beta-galactosidase); commands run on them."""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LOWEST_THRESHOLD = "-50"  # the whole list of candidates: an average precision needs the low scores too


@dataclass(frozen=True)
class DataSet:
    """Where a set lies and what is told about it."""

    title: str
    folder: str
    micrographs: str
    truth: str
    pixel_size_ang: float
    diameter_ang: float
    match_radius_px: float


SETS = {
    "apoferritin": DataSet("apoferritin (EMPIAR-10146)", "empiar10146_apoferritin", "mrc", "truth/particles_1.5A.txt",
                           1.5, 120, 30),
    "bgal": DataSet("β-galactosidase (EMPIAR-10017)", "empiar10017_bgal", "mrc_bin4", "truth/particles_bin4_7.08A.txt",
                    7.08, 191, 13.5),
}


def pupicker(*arguments: object) -> tuple[str, dict[str, float]]:
    """Run a command; its standard output, and its wall and processor seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "pupicker", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, {"wall_s": round(wall, 1), "cpu_s": round(cpu, 1)}


def micrographs(data: Path, name: str, role: str) -> list[Path]:
    """Files of the split's role."""
    chosen = SETS[name]
    with open(data / "splits.csv", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["data_set"] == chosen.folder and r["role"] == role]
    return [data / chosen.folder / chosen.micrographs / f"{r['micrograph']}.mrc" for r in rows]
