"""Picking with a model, and the first picks without one.

`pupicker pick` takes micrographs as they are; `topaz extract` takes those that `topaz preprocess` wrote, which is not
counted here.  Both pick at the threshold that they have by default, and suppress picks as in the other benchmarks.
First picks: one micrograph with the general model, the process and its start included; of Topaz `preprocess` and
`extract` with the network that it takes by default.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.methods import Topaz, extraction_radius_px
from benchmarks.common.runs import process
from benchmarks.speed.inputs import Case, Plan, listed
from benchmarks.speed.training import average_precision, model_of, topaz_model_of

PART, FIRST, ACCURACY = "pick", "first picks", "accuracy"
SHIPPED, FIRST_SHIPPED = "resnet8_u64", "resnet16"

Run = Callable[[], dict[str, Any]]


def measure(plan: Plan) -> None:
    """Both lengths of list of every set, programs in turn; average precisions once."""
    for name, case in plan.cases.items():
        for repeat in range(plan.repeats):
            for count in case.lengths:
                for program, run in programs(plan, name, case, count).items():
                    plan.results.run(PART, name, program, run, plan.length(program, count), repeat)
        for program, run in accuracies(plan, case).items():
            plan.results.run(ACCURACY, name, program, run)


def programs(plan: Plan, name: str, case: Case, count: int) -> dict[str, Run]:
    """Name of the program -> what runs it on a list of micrographs; models are trained when they are needed."""
    chosen, folder, log = case.chosen, plan.folder / "lists", plan.log(PART)

    def own() -> dict[str, Any]:
        model = model_of(plan, chosen)
        links = listed([*chosen.test, *chosen.training], plan.length("pupicker", count), folder / name)
        return process([sys.executable, "-m", "pupicker", "pick", *links, "--model", model, "--output",
                        plan.folder / "picks.tsv", "--pixel-size", chosen.pixel_size_ang, "--threads", 1, "--device",
                        "cpu"], log)

    def other(topaz: Topaz, network: str, scale: int) -> dict[str, Any]:
        model: Path | str = topaz_model_of(plan, topaz, case, "topaz-conv31") if network == "conv31" else network
        ready = topaz.preprocessed(chosen, scale)
        files = [ready / path.name for path in (*chosen.test, *chosen.training)]
        links = listed(files, count, folder / f"{name}-{scale}")
        return process([*topaz.extraction(chosen, model, scale, plan.folder / "picks.txt"), *links], log)

    out: dict[str, Run] = {"pupicker": own}
    if plan.topaz is not None:
        for scale in case.scales:
            for network in ("conv31", SHIPPED):
                out[topaz_name(case, network, scale)] = partial(other, plan.topaz, network, scale)
    return out


def topaz_name(case: Case, network: str, scale: int) -> str:
    """What Topaz does: network, factor of downsampling, radius of suppression."""
    return f"topaz {network}, -s {scale} -r {extraction_radius_px(case.chosen, scale)}"


def accuracies(plan: Plan, case: Case) -> dict[str, Run]:
    """Name of the program -> average precision on the test micrographs; conv31 at the scale that it has learnt."""
    def own() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            return {"average_precision": average_precision(case.chosen, model_of(plan, case.chosen), Path(folder),
                                                           plan.log(ACCURACY))}

    def other(topaz: Topaz, network: str, scale: int) -> dict[str, Any]:
        model: Path | str = topaz_model_of(plan, topaz, case, "topaz-conv31") if network == "conv31" else network
        with tempfile.TemporaryDirectory() as folder:
            return {"average_precision": topaz.pick(case.chosen, model, scale, Path(folder))["average_precision"]}

    out: dict[str, Run] = {"pupicker": own}
    if plan.topaz is not None:
        out[topaz_name(case, "conv31", case.scales[0])] = partial(other, plan.topaz, "conv31", case.scales[0])
        for scale in case.scales:
            out[topaz_name(case, SHIPPED, scale)] = partial(other, plan.topaz, SHIPPED, scale)
    return out


def measure_first(plan: Plan) -> None:
    """The general models on one micrograph, programs in turn; average precisions once."""
    for name, case in plan.cases.items():
        chosen = case.chosen
        own = [sys.executable, "-m", "pupicker", "baseline", "general", chosen.test[0], "--diameter",
               chosen.diameter_ang, "--pixel-size", chosen.pixel_size_ang, "--output", plan.folder / "picks.tsv",
               "--threads", 1, "--device", "cpu"]
        for repeat in range(plan.repeats):
            plan.results.run(FIRST, name, "pupicker", partial(process, own, plan.log(FIRST)), repeat=repeat)
            if plan.topaz is not None:
                other = partial(_first_of_topaz, plan, plan.topaz, case)
                plan.results.run(FIRST, name, f"topaz {FIRST_SHIPPED}", other, repeat=repeat)
        plan.results.run(ACCURACY, name, "pupicker, general model", partial(_general, plan, case))
        if plan.topaz is not None:
            plan.results.run(ACCURACY, name, f"topaz {FIRST_SHIPPED}",
                             partial(_shipped, plan.topaz, FIRST_SHIPPED, case))


def _general(plan: Plan, case: Case) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {"average_precision": average_precision(case.chosen, None, Path(folder), plan.log(FIRST))}


def _shipped(topaz: Topaz, model: str, case: Case) -> dict[str, Any]:
    return {"average_precision": topaz.shipped(model, case.chosen)["average_precision"]}


def _first_of_topaz(plan: Plan, topaz: Topaz, case: Case) -> dict[str, Any]:
    """Two processes: seconds of both, memory of the larger one."""
    scale, file = case.scales[0], case.chosen.test[0]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        one = process([*topaz.preprocessing(scale, work), file], plan.log(FIRST))
        command = topaz.extraction(case.chosen, FIRST_SHIPPED, scale, work / "picks.txt")
        two = process([*command, work / file.name], plan.log(FIRST))
    both = {name: round(one[name] + two[name], 3) for name in ("wall_s", "cpu_s")}
    return {**both, "rss_mb": max(one["rss_mb"], two["rss_mb"])}
