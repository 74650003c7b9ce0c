"""What there is to gain with more labels: trainings on every annotated particle of the training micrographs.

    python -m benchmarks.all_labels run [--sets apoferritin bgal] [--seeds 0] [--variants defaults PN]
    python -m benchmarks.all_labels report

With all particles labelled the task is no longer one of few labels, and what a network of this kind still gets wrong on
the test micrographs is what more labels do not repair: annotations that differ from micrograph to micrograph, particles
that cannot be told from noise, and the network itself.  "defaults" is the training as with few labels; "PN" says that
what is not labelled is no particle, which is true here.  Results: results/all_labels.jsonl and .md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import SETS, data_folder, load_set
from benchmarks.common.methods import record_unit
from benchmarks.common.runs import RESULTS, Records
from benchmarks.label_efficiency_report import average_precisions, cell, defaults_elsewhere, group, of_one_code
from pupicker.shared.atomic import write_text

VARIANTS: dict[str, list[str]] = {"defaults": [], "PN": ["--objective", "pn"]}
FEW = 250


def table(records: list[dict[str, Any]], few: list[dict[str, Any]]) -> str:
    """Average precision with all labels, beside that with 250 and the defaults."""
    lines = ["# All labels", "",
             "Made by `python -m benchmarks.all_labels report`: average precision on the test micrographs after a"
             " training on every particle of the training micrographs (mean, smallest–largest, number of seeds), and"
             f" with {FEW} labels and the defaults.", "",
             f"| set | particles | {FEW} labels | {' | '.join(VARIANTS)} |", "|" + "---|" * (len(VARIANTS) + 3)]
    with_few = group(few)
    for (name, labels), variants in group(records).items():
        cells = [cell(average_precisions(variants.get(variant, {}))) for variant in VARIANTS]
        less = average_precisions(with_few.get((name, FEW), {}).get("defaults", {}))
        lines.append(f"| {name} | {labels} | {cell(less)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--records", type=Path, default=RESULTS / "all_labels.jsonl")
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--sets", nargs="+", default=["apoferritin", "bgal"], choices=SETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    args = parser.parse_args()
    records = Records(args.records)
    if args.command == "report":
        text = table(of_one_code(records.load()), defaults_elsewhere())
        write_text(args.records.with_suffix(".md"), text)
        print(text)
        return
    for seed in args.seeds:
        for name in args.sets:
            chosen = load_set(name, args.data)
            for variant in args.variants:
                options = VARIANTS[variant]
                labels = chosen.particles(chosen.training)
                record_unit(records, chosen, variant, labels, seed, {"options": options}, options)


if __name__ == "__main__":
    main()
