"""Fig. 5b: average precision less that without the autoencoder, against the number of labels.

    python -m benchmarks.paper.fig5b run [--sets trimer stick] [--labels 10 50 100 250] [--draws 10] [--updates 500]
    python -m benchmarks.paper.fig5b report

The weight of the reconstruction is 0, 1 and 10/N with N labels, as in the paper.  All of it takes about 11 hours on one
core.  Results: results/fig5b.jsonl, .md, .png.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.figures import save
from benchmarks.common.runs import Records
from benchmarks.label_efficiency_report import average_precisions, cell, of_one_code
from benchmarks.paper.experiment import draws_of, experiment_parser, figure_and_axes, run_units, write_report

WEIGHTS = {"none": 0, "1": 1, "10/N": "10/N"}
COLORS = {"1": "#1f77b4", "10/N": "#d62728"}


def gains(groups: dict[tuple[str, str], dict[Any, dict[int, Any]]], name: str, method: str) -> dict[int, list[float]]:
    """Labels -> difference to no autoencoder, one for each draw that both have."""
    plain = groups.get((name, "none"), {})
    out = {}
    for labels, runs in groups.get((name, method), {}).items():
        common = set(runs) & set(plain.get(labels, {}))
        if common:
            out[labels] = [runs[d]["average_precision"] - plain[labels][d]["average_precision"] for d in sorted(common)]
    return out


def table(groups: dict[tuple[str, str], dict[Any, dict[int, Any]]]) -> str:
    """Means over the draws."""
    lines = ["| set | labels | " + " | ".join(f"γ = {m if m != 'none' else 0}" for m in WEIGHTS) + " |",
             "|" + "---|" * (len(WEIGHTS) + 2)]
    for name in dict.fromkeys(s for s, _ in groups):
        for labels in sorted({n for (s, _), values in groups.items() if s == name for n in values}):
            lines.append(f"| {name} | {labels} | " + " | ".join(
                cell(average_precisions(groups.get((name, m), {}).get(labels, {}))) for m in WEIGHTS) + " |")
    return "\n".join(lines) + "\n"


def draw(groups: dict[tuple[str, str], dict[Any, dict[int, Any]]], path: Any) -> None:
    """A panel for each set: mean gain and its standard error."""
    names = list(dict.fromkeys(s for s, _ in groups))
    figure, panels = figure_and_axes(len(names))
    for name, axes in zip(names, panels, strict=True):
        for method, color in COLORS.items():
            curve = gains(groups, name, method)
            if curve:
                error = [statistics.stdev(v) / len(v) ** 0.5 if len(v) > 1 else 0.0 for v in curve.values()]
                axes.errorbar(list(curve), [statistics.mean(v) for v in curve.values()], error, marker="o", capsize=3,
                              color=color, label=f"γ = {method}, {max(map(len, curve.values()))} draws")
        axes.axhline(0, color="#7f7f7f", linewidth=1)
        axes.set(xscale="log", title=name, xlabel="labelled particles", ylabel="gain of average precision")
        counts = sorted({n for method in COLORS for n in gains(groups, name, method)})
        axes.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
        axes.set_xticks(counts, [str(n) for n in counts])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    save(figure, path)


def main() -> None:
    """Measure or report."""
    args = experiment_parser(__doc__, "fig5b", ["trimer", "stick"], [10, 50, 100, 250], 10).parse_args()
    if args.command == "run":
        run_units(args, [(method, {"autoencoder": weight}) for method, weight in WEIGHTS.items()])
        return
    groups = draws_of(of_one_code(Records(args.records).load()))
    write_report(args, groups, table, draw)


if __name__ == "__main__":
    main()
