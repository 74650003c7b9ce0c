"""What it costs to start a process that does nothing."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.common.runs import process
from benchmarks.speed.inputs import Plan

PART = "start"


def measure(plan: Plan) -> None:
    """Versions, and the library that both load."""
    commands: dict[str, list[object]] = {
        "python, import torch": [sys.executable, "-c", "import torch"],
        "pupicker --version": [sys.executable, "-m", "pupicker", "--version"],
    }
    if plan.topaz is not None:
        commands["topaz --version"] = [plan.topaz.program, "--version"]
    for repeat in range(plan.repeats):
        for program, command in commands.items():
            plan.results.run(PART, "no set", program, partial(process, command, plan.log(PART)), repeat=repeat)
