"""Trainings, pickings and preprocessings that are ended at random moments: the same command then gives the same."""

from __future__ import annotations

import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
from safetensors.torch import load_file

from benchmarks.torture.processes import command
from benchmarks.torture.scene import Scene

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM}
MOST_TIMES = 3
"""One job is ended so often at most, before it may come to its end."""


@dataclass(frozen=True)
class Job:
    """Words of a command for an output, what it does to go on, and what its result is."""

    words: Callable[[Path], tuple[object, ...]]
    goes_on: tuple[object, ...]
    result: Callable[[Path], Any]


def _tables(output: Path) -> dict[str, bytes]:
    if output.is_file():
        return {"": output.read_bytes()}
    return {file.name: file.read_bytes() for file in sorted(output.glob("[!.]*.tsv"))}


def _weights(output: Path) -> dict[str, Any]:
    return {name: tensor.numpy().tobytes() for name, tensor in load_file(output).items()}


def _pixels(output: Path) -> dict[str, bytes]:
    return {file.name: mrcfile.read(file).tobytes() for file in sorted(output.glob("[!.]*.mrc"))}


def jobs(scene: Scene) -> dict[str, Job]:
    """All kinds; what a picking goes on with is that there are many micrographs."""
    many = list(scene.folder.joinpath("many").iterdir())
    pick = ("pick", *sorted(many), "--model", scene.model, "--threads", 2)
    return {
        "train": Job(scene.train, ("--resume",), _weights),
        "pick, folder": Job(lambda output: (*pick, "--output", output, "--format", "tsv"), (), _tables),
        "pick, table": Job(lambda output: (*pick, "--output", output.with_suffix(".tsv")), ("--skip-done",),
                           lambda output: _tables(output.with_suffix(".tsv"))),
        "preprocess": Job(lambda output: ("preprocess", *sorted(many), "--output", output, "--target-pixel-size", 9,
                                          "--threads", 2), (), _pixels),
    }


def torture(scene: Scene, rounds: int, seed: int) -> dict[str, Any]:
    """End jobs so many times; counts, and what went wrong in words."""
    draw, counts, wrong = random.Random(seed), Counter[str](), []
    folder = scene.folder / "many"
    folder.mkdir(exist_ok=True)
    for number in range(40):
        shutil.copy(scene.micrographs[number % len(scene.micrographs)], folder / f"m{number:02d}.mrc")
    whole: dict[str, tuple[float, Any]] = {}
    for name, job in jobs(scene).items():
        output = scene.folder / "whole" / name.replace(", ", "_")
        ended = scene.must(*job.words(output))
        whole[name] = (ended.seconds, job.result(output))
    for turn in range(rounds):
        name, signal_name = list(whole)[turn % len(whole)], draw.choice(list(SIGNALS))
        output = scene.folder / "ended" / str(turn) / "out"
        problem = _round(scene, jobs(scene)[name], output, whole[name], draw, SIGNALS[signal_name], counts)
        counts[f"{name}, {signal_name}"] += 1
        if problem:
            wrong.append(f"{name}, {signal_name}, round {turn}: {problem}")
        else:
            shutil.rmtree(output.parent)
    return {"rounds": rounds, "counts": dict(sorted(counts.items())), "wrong": wrong}


def _round(
    scene: Scene, job: Job, output: Path, whole: tuple[float, Any], draw: random.Random, number: int,
    counts: Counter[str],
) -> str:
    """End a job once or more, let it finish; what went wrong."""
    output.parent.mkdir(parents=True)
    for time in range(draw.randint(1, MOST_TIMES)):
        words = (*job.words(output), *(job.goes_on if time else ()))
        ended = command(words, scene.log, draw.uniform(0, 0.9 * whole[0]), number)
        counts["ended by a signal" if ended.code else "came to the end first"] += 1
        if "Traceback" in ended.text or (ended.code == 1 and ": error: " not in ended.text):
            return f"no line when it was ended: {ended.error}"
    last = scene.run(*job.words(output), *job.goes_on)
    if last.code:
        return f"the same command ended with {last.code}: {last.error}"
    if job.result(output) != whole[1]:
        return "the result is another one than without the end"
    left = [path.name for path in output.parent.rglob("*") if path.name.startswith(".") or "unfinished" in path.name
            or path.name.endswith(".checkpoint")]
    return f"left behind: {', '.join(left)}" if left else ""
