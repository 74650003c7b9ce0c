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
        files = [*case.chosen.test, *case.chosen.training]
        for repeat in range(plan.repeats):
            for count in case.lengths:
                links = listed(files, count, plan.folder / "lists" / name)
                for program, run in programs(plan, case, links).items():
                    plan.results.run(PART, name, program, run, count, repeat)


def programs(plan: Plan, case: Case, links: list[Path]) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name of the program -> what runs it."""
    scale, output, log = case.scales[0], plan.folder / "preprocessed", plan.log(PART)
    target = case.chosen.pixel_size_ang * scale

    def emptied(command: list[object]) -> dict[str, Any]:
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        try:
            return process(command, log)
        finally:
            shutil.rmtree(output)

    out: dict[str, Callable[[], dict[str, Any]]] = {
        "floor": partial(process, [sys.executable, "-m", "benchmarks.speed.floor", scale, *links], log),
        "pupicker": partial(emptied, [
            sys.executable, "-m", "pupicker", "preprocess", *links, "--target-pixel-size", target, "--pixel-size",
            case.chosen.pixel_size_ang, "--output", output, "--threads", 1]),
    }
    if plan.topaz is not None:
        out[f"topaz, scale {scale}"] = partial(emptied, [*plan.topaz.preprocessing(scale, output), *links])
    return out
