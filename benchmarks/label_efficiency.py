"""Accuracy against the number of labels: pupicker and Topaz on the same labels and test micrographs.

    benchmarks/topaz_environment.sh VENV
    python -m benchmarks.label_efficiency choose --topaz VENV/bin/topaz [--sets apoferritin bgal t20s stick trimer]
        [--starts topaz-conv31 topaz-resnet8] [--labels 10 100] [--draws 0]
    python -m benchmarks.label_efficiency run --topaz VENV/bin/topaz [--sets apoferritin bgal t20s stick trimer]
        [--methods topaz-chosen topaz-conv31 topaz-resnet8 pupicker] [--labels 10 50 100 250] [--draws 0 1 2 3 4]
    python -m benchmarks.label_efficiency report

Each run becomes a record in results/label_efficiency.jsonl; what is recorded is skipped, so the program can be stopped
and started again.  `report` makes results/label_efficiency.md and .png of the records that exist and says how many
draws each figure rests on.  pupicker is told the diameter only.  `choose` finds the start, scale and number of updates
with which Topaz does best on labels left out of its training, for a set and a number of labels
(results/topaz_choice.jsonl); the method topaz-chosen is Topaz with these.  A method with `-default` after its name is
Topaz with its own schedule of 10,000 updates, which takes up to hours on a processor; `--minutes` ends such a training
sooner.
`--by-updates` trains Topaz on a processor as on a GPU: not for so many seconds but with the updates that they give.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import topaz_choice
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

CHOSEN = "topaz-chosen"
METHODS = ("pupicker", *TOPAZ_NETWORKS, CHOSEN, *[f"{name}-default" for name in TOPAZ_NETWORKS])
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


def topaz_of(args: argparse.Namespace) -> Topaz:
    """The program of Topaz's environment."""
    if not args.topaz:
        raise SystemExit("--topaz VENV/bin/topaz is needed; make the environment with benchmarks/topaz_environment.sh")
    return Topaz(args.topaz.absolute())


def choose(args: argparse.Namespace) -> None:
    """Measure Topaz's starts, scales and numbers of updates on labels left out, what is not recorded yet."""
    records, topaz = Records(args.choice), topaz_of(args)
    common = {"machine": hardware(), "versions": {"topaz": topaz.version()}}
    for labels in args.labels:
        for draw in args.draws:
            for name in args.sets:
                chosen = load_set(name, args.data)
                table = chosen.labels(labels, draw)
                for start in args.starts:
                    for scale in topaz_choice.scales(chosen):
                        updates = args.updates or topaz_choice.UPDATES[start]
                        settings = topaz_choice.settings_of(chosen, scale, updates)
                        unit = {"set": name, "method": start, "labels": labels, "draw": draw, "settings": settings,
                                "labels_sha256": sha256(table)}
                        records.run(unit, partial(topaz_choice.measure, topaz, chosen, table, start, settings), common)


def chosen_settings(args: argparse.Namespace, name: str, labels: int) -> tuple[str, dict[str, Any]]:
    """Start and settings that `choose` found for a set and a number of labels.

    Raises
    ------
    SystemExit
        It found none.
    """
    best = topaz_choice.best(Records(args.choice).load(), name, labels)
    if best is None:
        raise SystemExit(f"no settings of Topaz were compared for {name} with {labels} labels: use the command choose")
    return best.start, {"start": best.start, "scale": best.scale, "radius_px": best.radius_px,
                        "budget_updates": best.updates, "moments": []}


def run(args: argparse.Namespace) -> None:
    """Measure what is not recorded yet: all sets of a draw before the next draw, few labels first."""
    records, machine = Records(args.records), hardware()
    topaz = topaz_of(args) if any(method != "pupicker" for method in args.methods) else None
    versions = {"topaz": topaz.version()} if topaz else {}
    for labels in args.labels:
        for draw in args.draws:
            for name in args.sets:
                chosen = load_set(name, args.data)
                if args.spread:
                    chosen = chosen.with_spread_labels(labels, draw)
                table = chosen.labels(labels, draw)
                for method in args.methods:
                    if method == "pupicker" or topaz is None:
                        record_unit(records, chosen, method, labels, draw, {}, [])
                        continue
                    if method == CHOSEN:
                        network, settings = chosen_settings(args, name, labels)
                    else:
                        network = method.removesuffix("-default")
                        settings = {"scale": topaz_scale(chosen), "radius_px": TOPAZ_RADIUS_PX,
                                    **budget(network, labels, method != network, args.by_updates or DEVICE != "cpu")}
                    unit = {"set": name, "method": method, "labels": labels, "draw": draw, "settings": settings,
                            "labels_sha256": sha256(table)}
                    limit_min = args.minutes if method.endswith("-default") else None
                    records.run(unit, partial(topaz.run, network, chosen, table, settings, limit_min),
                                {"machine": machine, "versions": versions})


def parser() -> argparse.ArgumentParser:
    """Arguments."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--records", type=Path, default=RESULTS / "label_efficiency.jsonl")
    commands = out.add_subparsers(dest="command", required=True)
    choice = commands.add_parser("choose", help="compare settings of Topaz on labels left out")
    measure = commands.add_parser("run", help="measure what is not recorded")
    for command, labels, draws in ((choice, LABELS[:3:2], DRAWS[:1]), (measure, LABELS, DRAWS)):
        command.add_argument("--data", type=Path, default=data_folder(), help="folder of the data, see README.md")
        command.add_argument("--topaz", type=Path, metavar="PROGRAM")
        command.add_argument("--sets", nargs="+", default=["apoferritin", "bgal", "t20s", "stick", "trimer"],
                             choices=SETS)
        command.add_argument("--labels", type=int, nargs="+", default=list(labels), choices=LABELS)
        command.add_argument("--draws", type=int, nargs="+", default=list(draws))
        command.add_argument("--choice", type=Path, default=RESULTS / "topaz_choice.jsonl",
                             help="records of the comparison of Topaz's settings")
    choice.add_argument("--starts", nargs="+", default=list(TOPAZ_NETWORKS), choices=TOPAZ_NETWORKS)
    choice.add_argument("--updates", type=int, nargs="+", metavar="N", help="of the models (default: by start)")
    measure.add_argument("--methods", nargs="+", default=METHODS[:3], choices=METHODS)
    measure.add_argument("--minutes", type=float, metavar="M", help="end a training of 10,000 updates after so many")
    measure.add_argument("--spread", action="store_true", help="labels drawn evenly from the training micrographs; give"
                         " --records of their own")
    measure.add_argument("--by-updates", action="store_true", help="Topaz trains for updates, not for seconds")
    table = commands.add_parser("report", help="table and figure from the records")
    table.add_argument("--own", action="store_true", help="only records of this program, not those of trust.py,"
                       " which trains with the same labels and options")
    table.add_argument("--code", help="digest of the pupicker code whose records count (default: that of the newest)")
    return out


def main() -> None:
    """Measure or report."""
    args = parser().parse_args()
    if args.command != "report":
        {"run": run, "choose": choose}[args.command](args)
        return
    records: list[dict[str, Any]] = Records(args.records).load()
    if not args.own:
        records += [r for r in Records(RESULTS / "trust.jsonl").load() if r["method"] == "pupicker"]
    write_report(records, args.records.with_suffix(""), args.code)


if __name__ == "__main__":
    main()
