"""Processor seconds, memory and accuracy of pupicker beside Topaz 0.3.20, on one machine, programs in turn.

    benchmarks/topaz_environment.sh .venv-topaz
    python -m benchmarks.speed --topaz .venv-topaz/bin/topaz [--only pick,train] [--sets apoferritin bgal large]
    python -m benchmarks.speed --report

Parts: `start` of a process; `preprocess`; `pick` with a model; `train`; `first` picks with the general models; `memory`
with 8192 x 8192 pixels and four readers; `long`: 1,000 small micrographs on two cores.  All but the last two run on one
thread.  Every run is recorded in results/speed/speed.json when it is done, and not measured again with the same
version, so the program can be stopped and started again.  At the end, or with --report alone, the table and the figure
beside it are made.  Without --topaz pupicker alone is measured.  `--quick` has two small simulated micrographs in place
of every set: whether everything runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.common.datasets import cache_folder, data_folder
from benchmarks.common.methods import Topaz
from benchmarks.common.runs import RESULTS
from benchmarks.label_efficiency import BUDGET_CPU_S
from benchmarks.speed import endurance, picking, preprocessing, startup, training
from benchmarks.speed.inputs import SETS, SMALL, Extent, Plan, case_of, quick_case, simulated
from benchmarks.speed.measured import Measured
from benchmarks.speed.report import write_report
from pupicker.shared.json_files import read_json

PARTS: dict[str, Callable[[Plan], None]] = {
    "start": startup.measure, "preprocess": preprocessing.measure, "pick": picking.measure, "train": training.measure,
    "first": picking.measure_first, "memory": endurance.measure_memory, "long": endurance.measure_long_list,
}
LABELS = (10, 100)
QUICK_LABELS, QUICK_SIDE_PX = (5, 10), 640
QUICK_TRAINING = ["--updates", "2", "--batch-size", "32", "--network", "conv31"]


def plan_of(args: argparse.Namespace) -> Plan:
    """What is to be measured."""
    topaz = Topaz(args.topaz.absolute()) if args.topaz else None
    results = Measured(args.output, topaz.version() if topaz else "")
    if args.quick:
        small = Extent(1, dict.fromkeys(QUICK_LABELS, 1.0), ("topaz-conv31",), QUICK_TRAINING, QUICK_SIDE_PX, 2, 2)
        return Plan(results, ("quick",), lambda name: quick_case(), lambda: quick_case().chosen, topaz, small)
    budgets = {labels: float(BUDGET_CPU_S[labels]) for labels in LABELS}
    return Plan(results, args.sets, lambda name: case_of(name, args.data), lambda: simulated("small", SMALL), topaz,
                Extent(args.repeats, budgets))


def parser() -> argparse.ArgumentParser:
    """Arguments."""
    out = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--only", type=_parts, default=list(PARTS), metavar="PART,PART", help="measure these parts")
    out.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    out.add_argument("--repeats", type=int, default=3, metavar="N", help="equal runs of everything (default: 3)")
    out.add_argument("--topaz", type=Path, metavar="PROGRAM", help="measure Topaz too")
    out.add_argument("--data", type=Path, default=data_folder(), metavar="FOLDER", help="of the data, see README.md")
    out.add_argument("--output", type=Path, metavar="FILE",
                     help="the file of results (default: results/speed/speed.json, with --quick one in the cache)")
    out.add_argument("--quick", action="store_true", help="two small micrographs: whether everything runs")
    out.add_argument("--report", action="store_true", help="measure nothing, make table and figure of what is recorded")
    return out


def _parts(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no part {unknown[0]}: choose from {', '.join(PARTS)}")
    return names


def main() -> None:
    """Measure what is not recorded, and report."""
    args = parser().parse_args()
    if args.output is None:
        args.output = cache_folder() / "speed" / "quick.json" if args.quick else RESULTS / "speed" / "speed.json"
    if args.report:
        if not args.output.is_file():
            raise SystemExit(f"{args.output}: holds no results; measure first")
        write_report(read_json(args.output), args.output)
        return
    plan = plan_of(args)
    for name in args.only:
        PARTS[name](plan)
    write_report(plan.results.content, args.output)


if __name__ == "__main__":
    main()
