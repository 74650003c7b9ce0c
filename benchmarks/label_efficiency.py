"""Accuracy against the number of labels: pupicker and Topaz on the same labels and test micrographs.

    benchmarks/topaz_environment.sh VENV
    python -m benchmarks.label_efficiency run --topaz VENV/bin/topaz [--sets apoferritin bgal t20s stick trimer]
        [--methods topaz-conv31 topaz-resnet8 pupicker] [--labels 10 50 100 250] [--draws 0 1 2 3 4]
    python -m benchmarks.label_efficiency report

Each run becomes a record in results/label_efficiency.jsonl; what is recorded is skipped, so the program can be stopped
and started again.  `report` makes results/label_efficiency.md and .png of the records that exist and says how many
draws each figure rests on.  pupicker is told the diameter only.  A method with `-default` after its name is Topaz with
its own schedule of 10,000 updates, which takes up to hours on a processor; `--minutes` ends such a training sooner.
`--by-updates` trains Topaz on a processor as on a GPU: not for so many seconds but with the updates that they give.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import DRAWS, LABELS, SETS, data_folder, load_set
from benchmarks.common.methods import (
    DEFAULT_UPDATES,
    TOPAZ_NETWORKS,
    TOPAZ_RADIUS_PX,
    UPDATES_PER_S,
    Topaz,
    record_unit,
    topaz_scale,
)
from benchmarks.common.runs import DEVICE, RESULTS, Records, hardware, sha256
from benchmarks.label_efficiency_report import write_report

METHODS = ("pupicker", *TOPAZ_NETWORKS, *[f"{name}-default" for name in TOPAZ_NETWORKS])
#: Processor seconds that Topaz trains, by number of labels: more than pupicker takes, start-up included.
BUDGET_CPU_S = {10: 250, 50: 400, 100: 500, 250: 700}
MOMENTS = (0.15, 0.5)  # fractions of it at which the model is scored as well


def budget(network: str, labels: int, default_schedule: bool, by_updates: bool) -> dict[str, Any]:
    """How long Topaz trains: processor seconds, the updates that they give, or the updates of its schedule.

    On the way through its own schedule the model is also scored after the updates that the processor seconds give.
    """
    updates = round(BUDGET_CPU_S[labels] * UPDATES_PER_S[network])
    if default_schedule:
        return {"budget_updates": DEFAULT_UPDATES, "moments": (updates / DEFAULT_UPDATES, *MOMENTS)}
    if not by_updates:
        return {"budget_cpu_s": BUDGET_CPU_S[labels], "moments": MOMENTS}
    return {"budget_updates": updates, "moments": MOMENTS}


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded yet: all sets of a draw before the next draw, few labels first."""
    records, machine = Records(args.records), hardware()
    topaz = Topaz(args.topaz.absolute()) if args.topaz else None
    if topaz is None and any(method != "pupicker" for method in args.methods):
        raise SystemExit("--topaz VENV/bin/topaz is needed; make the environment with benchmarks/topaz_environment.sh")
    versions = {"topaz": topaz.version()} if topaz else {}
    for labels in args.labels:
        for draw in args.draws:
            for name in args.sets:
                chosen = load_set(name, args.data)
                table = chosen.labels(labels, draw)
                for method in args.methods:
                    if method == "pupicker" or topaz is None:
                        record_unit(records, chosen, method, labels, draw, {}, [])
                        continue
                    network = method.removesuffix("-default")
                    settings = {"scale": topaz_scale(chosen), "radius_px": TOPAZ_RADIUS_PX,
                                **budget(network, labels, method != network, args.by_updates or DEVICE != "cpu")}
                    unit = {"set": name, "method": method, "labels": labels, "draw": draw, "settings": settings,
                            "labels_sha256": sha256(table)}
                    limit_min = args.minutes if method != network else None
                    records.run(unit, partial(topaz.run, network, chosen, table, settings, limit_min),
                                {"machine": machine, "versions": versions})


def parser() -> argparse.ArgumentParser:
    """Arguments."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--records", type=Path, default=RESULTS / "label_efficiency.jsonl")
    commands = out.add_subparsers(dest="command", required=True)
    measure = commands.add_parser("run", help="measure what is not recorded")
    measure.add_argument("--data", type=Path, default=data_folder(), help="folder of the data, see README.md")
    measure.add_argument("--topaz", type=Path, metavar="PROGRAM")
    measure.add_argument("--sets", nargs="+", default=["apoferritin", "bgal", "t20s", "stick", "trimer"], choices=SETS)
    measure.add_argument("--methods", nargs="+", default=METHODS[:3], choices=METHODS)
    measure.add_argument("--labels", type=int, nargs="+", default=list(LABELS), choices=LABELS)
    measure.add_argument("--minutes", type=float, metavar="M", help="end a training of 10,000 updates after so many")
    measure.add_argument("--by-updates", action="store_true", help="Topaz trains for updates, not for seconds")
    measure.add_argument("--draws", type=int, nargs="+", default=list(DRAWS))
    table = commands.add_parser("report", help="table and figure from the records")
    table.add_argument("--code", help="digest of the pupicker code whose records count (default: that of the newest)")
    return out


def main() -> None:
    """Measure or report."""
    args = parser().parse_args()
    if args.command == "run":
        run(args)
        return
    records: list[dict[str, Any]] = Records(args.records).load()
    write_report(records, args.records.with_suffix(""), args.code)


if __name__ == "__main__":
    main()
