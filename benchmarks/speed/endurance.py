"""Memory with large micrographs and several readers, and a long list of small micrographs on all cores.

The long list is watched from outside while it is picked: processor seconds, resident memory and number of finished
tables, a few times a second.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import BenchmarkSet
from benchmarks.common.methods import Topaz, extraction_radius_px
from benchmarks.common.runs import ONE_THREAD, Failure, process, processor_seconds
from benchmarks.speed.inputs import Plan, first_of, listed, tiled
from benchmarks.speed.picking import SHIPPED
from benchmarks.speed.training import model_of

MEMORY, LONG = "memory", "long list"
WATCH_S = 0.25
MOST_POINTS = 120
PARTS = 10

Point = tuple[float, float, float, int]  # seconds since the start, processor seconds, MB, finished micrographs


def measure_memory(plan: Plan) -> None:
    """Peak memory of picking large micrographs, by one and by several readers; of Topaz one after the other."""
    case = list(plan.cases.values())[-1]
    side, count, chosen = plan.extent.memory_side_px, plan.extent.memory_readers, case.chosen
    file = tiled(chosen.test[0], side, plan.folder / "tiled" / f"{chosen.name}_{side}.mrc")
    name = f"{side} × {side} pixels"

    def own(readers: int) -> dict[str, Any]:
        model, links = model_of(plan, chosen), listed([file], count, plan.folder / "lists" / MEMORY)
        return process([sys.executable, "-m", "pupicker", "pick", *links, "--model", model, "--output",
                        plan.folder / "picks.tsv", "--pixel-size", chosen.pixel_size_ang, "--threads", readers,
                        "--device", "cpu"], plan.log(MEMORY), threads=readers)

    for readers in dict.fromkeys((1, count)):
        plan.results.run(MEMORY, name, f"pupicker pick, {readers} readers", partial(own, readers), count)
    if plan.topaz is not None:
        for program, run in (("topaz preprocess", _preprocess), (f"topaz extract, {SHIPPED}", _extract)):
            plan.results.run(MEMORY, name, program, partial(run, plan, plan.topaz, chosen, case.scales[0], file))


def _preprocess(plan: Plan, topaz: Topaz, chosen: BenchmarkSet, scale: int, file: Path) -> dict[str, Any]:
    folder = plan.folder / "tiled" / f"topaz-{scale}"
    folder.mkdir(parents=True, exist_ok=True)
    return process([*topaz.preprocessing(scale, folder), file], plan.log(MEMORY))


def _extract(plan: Plan, topaz: Topaz, chosen: BenchmarkSet, scale: int, file: Path) -> dict[str, Any]:
    ready = plan.folder / "tiled" / f"topaz-{scale}" / file.name
    if not ready.is_file():
        _preprocess(plan, topaz, chosen, scale, file)
    command = topaz.extraction(chosen, SHIPPED, scale, plan.folder / "picks.txt")
    return {**process([*command, ready], plan.log(MEMORY)), "radius_px": extraction_radius_px(chosen, scale)}


def measure_long_list(plan: Plan) -> None:
    """Pick many small micrographs on two cores into a folder, a table each."""
    def own() -> dict[str, Any]:
        model = model_of(plan, first_of(small, len(small.training), 20))
        output = plan.folder / "long-list"
        shutil.rmtree(output, ignore_errors=True)
        command = [sys.executable, "-m", "pupicker", "pick", *small.test, "--model", model, "--output", output,
                   "--format", "tsv", "--pixel-size", small.pixel_size_ang, "--threads", cores, "--device", "cpu"]
        points = watched(command, output, plan.log("long-list"))
        shutil.rmtree(output)
        return {**summary(points, len(small.test), cores), "curve": thinned(points)}

    small = plan.make_small()
    cores = min(2, os.cpu_count() or 1)
    plan.results.run(LONG, small.title, f"pupicker, {cores} cores", own, len(small.test))


def watched(command: list[Any], output: Path, log: Path) -> list[Point]:
    """Run a command that writes a table for each micrograph into a folder; what was seen of it, the end last.

    Raises
    ------
    Failure
        It ended with a status other than 0.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    start, points, used = time.perf_counter(), [], 0.0
    with open(log, "wb") as stream:
        child = subprocess.Popen([str(part) for part in command], stdout=stream, stderr=subprocess.STDOUT,
                                 env=environment)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            used = processor_seconds(child.pid, used)
            points.append((time.perf_counter() - start, used, _resident_mb(child.pid), _finished(output)))
            time.sleep(WATCH_S)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failure(f"pupicker pick ended with status {child.returncode}:\n{log.read_text(errors='replace')[-1500:]}")
    points.append((wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, _finished(output)))
    return points


def summary(points: list[Point], total: int, cores: int) -> dict[str, Any]:
    """Share of the cores that was busy, memory, and what the first and the last tenth of the micrographs cost."""
    wall, cpu, peak, _ = points[-1]
    begun = next((p for p in points if p[3]), points[-1])  # start-up does not count
    working = [p for p in points[:-1] if p[0] >= begun[0]] or [points[-1]]
    tenth = max(1, total // PARTS)
    first = _between(points, begun[3], begun[3] + tenth)
    last = _between(points, total - tenth, total)
    early, late = (mean_memory([p for p in working if low <= p[3] <= high]) for low, high in (
        (0, max(tenth, begun[3])), (total - tenth, total)))
    spent, passed = working[-1][1] - begun[1], working[-1][0] - begun[0]
    return {
        "wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "rss_mb": round(peak, 1),
        "busy_share": round(cpu / wall / cores, 3),
        "busy_share_after_start": round(spent / passed / cores, 3) if passed else None,
        "first_tenth_wall_s": first[0], "first_tenth_cpu_s": first[1], "last_tenth_wall_s": last[0],
        "last_tenth_cpu_s": last[1], "first_tenth_rss_mb": early, "last_tenth_rss_mb": late,
    }


def mean_memory(points: list[Point]) -> float | None:
    """Mean memory."""
    return round(sum(p[2] for p in points) / len(points), 1) if points else None


def _between(points: list[Point], low: int, high: int) -> tuple[float, float]:
    """Wall and processor seconds from `low` to `high` finished micrographs, interpolated between what was seen."""
    (begin, at_begin), (end, at_end) = (_when(points, count) for count in (low, high))
    return round(end - begin, 3), round(at_end - at_begin, 3)


def _when(points: list[Point], count: float) -> tuple[float, float]:
    """Wall and processor seconds at which so many micrographs were finished."""
    for before, after in pairwise(points):
        if before[3] <= count <= after[3] and after[3] > before[3]:
            part = (count - before[3]) / (after[3] - before[3])
            return before[0] + part * (after[0] - before[0]), before[1] + part * (after[1] - before[1])
    return points[-1][:2]


def thinned(points: list[Point]) -> list[list[float]]:
    """Some of the points, for the figure; not the last one, whose memory is the largest there was."""
    step = max(1, len(points) // MOST_POINTS)
    return [[round(value, 2) for value in point] for point in points[:-1:step]]


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _finished(folder: Path) -> int:
    return sum(entry.name.endswith(".tsv") for entry in os.scandir(folder)) if folder.is_dir() else 0
