"""Downsampling and normalising micrographs, beside the least that this can cost.

pupicker and Topaz downsample by the same factor; Topaz fits its normalisation to all pixels (`--sample 1`), as in the
other benchmarks.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.runs import process
from benchmarks.speed.inputs import Case, Plan, listed

PART = "preprocess"


def measure(plan: Plan) -> None:
    """Both lengths of list of every set, programs in turn."""
    for name, case in plan.cases.items():
        for repeat in range(plan.repeats):
            for count in case.lengths:
                for program, run in programs(plan, name, case).items():
                    length = plan.length(program, count)
                    plan.results.run(PART, name, program, partial(run, length), length, repeat)


def programs(plan: Plan, name: str, case: Case) -> dict[str, Callable[[int], dict[str, Any]]]:
    """Name of the program -> what runs it on so many micrographs."""
    scale, output, log = case.scales[0], plan.folder / "preprocessed", plan.log(PART)
    target = case.chosen.pixel_size_ang * scale

    def links(count: int) -> list[Path]:
        return listed([*case.chosen.test, *case.chosen.training], count, plan.folder / "lists" / name)

    def floor(count: int) -> dict[str, Any]:
        return process([sys.executable, "-m", "benchmarks.speed.floor", scale, *links(count)], log)

    def emptied(command: list[object], count: int) -> dict[str, Any]:
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        try:
            return process([*command, *links(count)], log)
        finally:
            shutil.rmtree(output)

    out: dict[str, Callable[[int], dict[str, Any]]] = {
        "floor": floor,
        "pupicker": partial(emptied, [
            sys.executable, "-m", "pupicker", "preprocess", "--target-pixel-size", target, "--pixel-size",
            case.chosen.pixel_size_ang, "--output", output, "--threads", 1, "--"]),
    }
    if plan.topaz is not None:
        out[f"topaz, scale {scale}"] = partial(emptied, plan.topaz.preprocessing(scale, output))
    return out
