"""What each part of pupicker brings: the same labels and test micrographs with one part after another left out.

    python -m benchmarks.ablation run [--sets apoferritin bgal t20s stick trimer] [--labels 10 100] [--draws 5]
    python -m benchmarks.ablation report

The parts, listed in VARIANTS, are those that options of `pupicker train` leave out; the last one is the whole of the
paper's way: random start, a class prior that is given (here the true one), 1,000 updates, nothing held out, no refit.
The runs with the defaults are those of label_efficiency.  Results: results/ablation.jsonl and .md: the mean difference
to the defaults over the draws that both have.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from benchmarks.common.datasets import SETS, BenchmarkSet, data_folder, load_set
from benchmarks.common.methods import paper_options, record_unit
from benchmarks.common.runs import RESULTS, Records
from benchmarks.label_efficiency_report import average_precisions, cell, defaults_elsewhere, group, of_one_code
from pupicker.shared.atomic import write_text

#: name -> options of `pupicker train`; None: the paper's way
VARIANTS: dict[str, list[str] | None] = {
    "random start": ["--start", "random"],
    "conv31": ["--network", "conv31"],
    "contamination kept": ["--no-exclude-contamination"],
    "borders kept": ["--keep-borders"],
    "no refit": ["--no-refit"],
    "GE-KL": ["--objective", "ge-kl-forward"],
    "the paper's way": None,
}


def options_of(variant: str, chosen: BenchmarkSet, labels: int) -> list[str]:
    """Options of `pupicker train`."""
    options = VARIANTS[variant]
    settings = {"objective": "ge-binomial", "prior_factor": 1.0, "updates": 1000}
    return paper_options(chosen, labels, settings) if options is None else options


def table(records: list[dict[str, Any]]) -> str:
    """Average precision with the defaults, and what changes without each part."""
    lines = ["# What each part brings", "",
             "Made by `python -m benchmarks.ablation report`: average precision on the test micrographs with the"
             " defaults (smallest–largest, number of draws), and the mean difference to it with a part left out.", "",
             "| set | labels | defaults | " + " | ".join(VARIANTS) + " |", "|" + "---|" * (len(VARIANTS) + 3)]
    for (name, labels), methods in group(records).items():
        plain, cells = methods.get("defaults", {}), []
        for variant in VARIANTS:
            common = set(plain) & set(methods.get(variant, {}))
            without = average_precisions(methods.get(variant, {}), common)
            pairs = zip(without, average_precisions(plain, common), strict=True)
            differences = [a - b for a, b in pairs]
            cells.append(f"{statistics.mean(differences):+.3f}, {len(differences)}" if differences else "–")
        lines.append(f"| {name} | {labels} | {cell(average_precisions(plain))} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("--records", type=Path, default=RESULTS / "ablation.jsonl")
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--sets", nargs="+", default=["apoferritin", "bgal", "t20s", "stick", "trimer"], choices=SETS)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--draws", type=int, default=5, metavar="N", help="draws of labels")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    args = parser.parse_args()
    records = Records(args.records)
    if args.command == "report":
        own = of_one_code(records.load())
        measured = {(r["set"], r["labels"]) for r in own}
        text = table([*own, *(r for r in defaults_elsewhere() if (r["set"], r["labels"]) in measured)])
        write_text(args.records.with_suffix(".md"), text)
        print(text)
        return
    for draw in range(args.draws):
        for labels in args.labels:
            for name in args.sets:
                chosen = load_set(name, args.data)
                for variant in args.variants:
                    options = options_of(variant, chosen, labels)
                    record_unit(records, chosen, variant, labels, draw, {"options": options}, options)


if __name__ == "__main__":
    main()
