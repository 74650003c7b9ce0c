"""Supplementary Fig. 3: average precision with a class prior of half to one and a half times the true one.

    python -m benchmarks.paper.sf3 run [--sets trimer stick] [--labels 100 1000] [--draws 10] [--updates 500]
        [--training-micrographs 17]
    python -m benchmarks.paper.sf3 report

The paper has 100 and 1,000 labels, and ten draws.  A training takes about a minute.  Results: results/sf3.jsonl, .md,
.png.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.figures import save
from benchmarks.label_efficiency_report import average_precisions, cell
from benchmarks.paper.experiment import (
    KINDS,
    Groups,
    draws_of,
    experiment_parser,
    figure_and_axes,
    run_units,
    write_report,
)

FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5)
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")


def by_labels(records: list[dict[str, Any]]) -> dict[int, Groups]:
    """Number of labels -> (set, objective) -> factor of the class prior -> draw -> record."""
    return {n: draws_of([r for r in records if r["labels"] == n], "prior_factor")
            for n in sorted({r["labels"] for r in records})}


def table(records: list[dict[str, Any]]) -> str:
    """Means over the draws, and the largest change."""
    lines = ["| set | labels | average precision over | " + " | ".join(f"{f:g} π" for f in FACTORS)
             + " | largest difference |", "|" + "---|" * (len(FACTORS) + 4)]
    for labels, groups in by_labels(records).items():
        for (name, _), curve in groups.items():
            for kind, field in KINDS.items():
                values = [average_precisions(curve.get(f, {}), field=field) for f in FACTORS]
                means = [statistics.mean(v) for v in values if v]
                difference = f"{max(means) - min(means):.3f}" if means else "–"
                lines.append(f"| {name} | {labels} | {kind} | " + " | ".join(map(cell, values)) + f" | {difference} |")
    return "\n".join(lines) + "\n"


def draw(records: list[dict[str, Any]], path: Any) -> None:
    """A column for each number of labels, a row for each average precision: one curve a set, one dot a draw."""
    groups = by_labels(records)
    figure, panels = figure_and_axes(len(groups), len(KINDS))
    for (kind, field), row in zip(KINDS.items(), panels, strict=True):
        for (labels, curves), axes in zip(groups.items(), row, strict=True):
            draw_panel(axes, curves, field)
            axes.set(title=f"{labels} labels", xlabel="class prior, times the true one",
                     ylabel=f"average precision ({kind})", ylim=(0, 1.02))
    save(figure, path)


def draw_panel(axes: Any, groups: Groups, field: str) -> None:
    """One number of labels."""
    for ((name, _), curve), color in zip(groups.items(), COLORS, strict=False):
        values = {f: average_precisions(runs, field=field) for f, runs in curve.items()}
        draws = max(map(len, values.values()))
        axes.plot(list(values), [statistics.mean(v) for v in values.values()], "-", color=color,
                  label=f"{name} ({draws} draw{'s' * (draws > 1)})")
        dots = [(f, v) for f, own in values.items() for v in own]
        axes.plot(*zip(*dots, strict=True), "o", color=color, alpha=0.5, markersize=4)
    axes.set_xticks(FACTORS)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


def main() -> None:
    """Measure or report."""
    args = experiment_parser(__doc__, "sf3", ["trimer", "stick"], [100, 1000], 10).parse_args()
    if args.command == "run":
        run_units(args, [("ge-binomial", {"prior_factor": factor}) for factor in FACTORS])
        return
    write_report(args, table, draw)


if __name__ == "__main__":
    main()
