"""Fig. 5b: average precision less that without the autoencoder, against the number of labels.

    python -m benchmarks.paper.fig5b run [--sets trimer stick] [--labels 10 25 50 100 250 1000] [--draws 10]
        [--updates 500] [--training-micrographs 17]
    python -m benchmarks.paper.fig5b report

The weight of the reconstruction is 0, 1 and 10/N with N labels, as in the paper.  A training with the autoencoder takes
some minutes.  Results: results/fig5b.jsonl, .md, .png.
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

WEIGHTS = {"none": 0, "1": 1, "10/N": "10/N"}
COLORS = {"1": "#1f77b4", "10/N": "#d62728"}


def gains(groups: Groups, name: str, method: str, field: str) -> dict[int, list[float]]:
    """Labels -> difference to no autoencoder, one for each draw that both have."""
    plain = groups.get((name, "none"), {})
    out = {}
    for labels, runs in groups.get((name, method), {}).items():
        common = set(runs) & set(plain.get(labels, {}))
        if common:
            out[labels] = [runs[d][field] - plain[labels][d][field] for d in sorted(common)]
    return out


def table(records: list[dict[str, Any]]) -> str:
    """Means over the draws."""
    groups = draws_of(records)
    lines = ["| set | labels | average precision over | "
             + " | ".join(f"γ = {m if m != 'none' else 0}" for m in WEIGHTS) + " |",
             "|" + "---|" * (len(WEIGHTS) + 3)]
    for name in dict.fromkeys(s for s, _ in groups):
        for labels in sorted({n for (s, _), values in groups.items() if s == name for n in values}):
            for kind, field in KINDS.items():
                lines.append(f"| {name} | {labels} | {kind} | " + " | ".join(
                    cell(average_precisions(groups.get((name, m), {}).get(labels, {}), field=field))
                    for m in WEIGHTS) + " |")
    return "\n".join(lines) + "\n"


def draw(records: list[dict[str, Any]], path: Any) -> None:
    """A column for each set, a row for each average precision."""
    groups = draws_of(records)
    names = list(dict.fromkeys(s for s, _ in groups))
    figure, panels = figure_and_axes(len(names), len(KINDS))
    for (kind, field), row in zip(KINDS.items(), panels, strict=True):
        for name, axes in zip(names, row, strict=True):
            draw_panel(axes, groups, name, field)
            axes.set(title=name, xlabel="labelled particles", ylabel=f"gain of average precision ({kind})")
    save(figure, path)


def draw_panel(axes: Any, groups: Groups, name: str, field: str) -> None:
    """Mean gain in one set and its standard error."""
    for method, color in COLORS.items():
        curve = gains(groups, name, method, field)
        if curve:
            error = [statistics.stdev(v) / len(v) ** 0.5 if len(v) > 1 else 0.0 for v in curve.values()]
            axes.errorbar(list(curve), [statistics.mean(v) for v in curve.values()], error, marker="o", capsize=3,
                          color=color, label=f"γ = {method}, {max(map(len, curve.values()))} draws")
    axes.axhline(0, color="#7f7f7f", linewidth=1)
    axes.set_xscale("log")
    counts = sorted({n for method in COLORS for n in gains(groups, name, method, field)})
    if counts:
        axes.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
        axes.set_xticks(counts, [str(n) for n in counts])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


def main() -> None:
    """Measure or report."""
    args = experiment_parser(__doc__, "fig5b", ["trimer", "stick"], [10, 25, 50, 100, 250, 1000], 10).parse_args()
    if args.command == "run":
        run_units(args, [(method, {"autoencoder": weight}) for method, weight in WEIGHTS.items()])
        return
    write_report(args, table, draw)


if __name__ == "__main__":
    main()
