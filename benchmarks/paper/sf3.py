"""Supplementary Fig. 3: average precision with a class prior of half to one and a half times the true one.

    python -m benchmarks.paper.sf3 run [--sets trimer stick] [--labels 100] [--draws 10] [--updates 500]
    python -m benchmarks.paper.sf3 report

The paper has 100 and 1,000 labels.  All of it takes about 3 hours on one core for one number of labels.  Results:
results/sf3.jsonl, .md, .png.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.figures import save
from benchmarks.common.runs import Records
from benchmarks.label_efficiency_report import average_precisions, cell, of_one_code
from benchmarks.paper.experiment import draws_of, experiment_parser, figure_and_axes, run_units, write_report

FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5)
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")


def table(by_labels: dict[int, dict[tuple[str, str], dict[Any, dict[int, Any]]]]) -> str:
    """Means over the draws, and the largest change."""
    lines = ["| set | labels | " + " | ".join(f"{f:g} π" for f in FACTORS) + " | largest difference |",
             "|" + "---|" * (len(FACTORS) + 3)]
    for labels, groups in by_labels.items():
        for (name, _), curve in groups.items():
            values = [average_precisions(curve.get(f, {})) for f in FACTORS]
            means = [statistics.mean(v) for v in values if v]
            lines.append(f"| {name} | {labels} | " + " | ".join(map(cell, values))
                         + f" | {max(means) - min(means):.3f} |")
    return "\n".join(lines) + "\n"


def draw(by_labels: dict[int, dict[tuple[str, str], dict[Any, dict[int, Any]]]], path: Any) -> None:
    """A panel for each number of labels: one curve a set, one dot a draw."""
    figure, panels = figure_and_axes(len(by_labels))
    for (labels, groups), axes in zip(by_labels.items(), panels, strict=True):
        for ((name, _), curve), color in zip(groups.items(), COLORS, strict=False):
            values = {f: average_precisions(runs) for f, runs in curve.items()}
            draws = max(map(len, values.values()))
            axes.plot(list(values), [statistics.mean(v) for v in values.values()], "-", color=color,
                      label=f"{name} ({draws} draw{'s' * (draws > 1)})")
            dots = [(f, v) for f, own in values.items() for v in own]
            axes.plot(*zip(*dots, strict=True), "o", color=color, alpha=0.5, markersize=4)
        axes.set(title=f"{labels} labels", xlabel="class prior, times the true one",
                 ylabel="average precision (particles)", ylim=(0, 1.02))
        axes.set_xticks(FACTORS)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    save(figure, path)


def main() -> None:
    """Measure or report."""
    args = experiment_parser(__doc__, "sf3", ["trimer", "stick"], [100], 10).parse_args()
    if args.command == "run":
        run_units(args, [("ge-binomial", {"prior_factor": factor}) for factor in FACTORS])
        return
    records = of_one_code(Records(args.records).load())
    by_labels = {n: draws_of([r for r in records if r["labels"] == n], "prior_factor")
                 for n in sorted({r["labels"] for r in records})}
    write_report(args, by_labels, table, draw)


if __name__ == "__main__":
    main()
