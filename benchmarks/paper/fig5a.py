"""Fig. 5a: average precision against the number of labels for the four objectives, the same labels for all of them.

    python -m benchmarks.paper.fig5a run [--sets trimer stick] [--labels 10 25 50 100 250 1000] [--draws 10]
        [--updates 500] [--training-micrographs 17]
    python -m benchmarks.paper.fig5a report

The paper used its hemagglutinin and protocadherin sets, ten draws, and up to 1,000 labels, for which the simulated sets
in their place need more training micrographs.  Beside the paper's four objectives: GE-KL in the other direction.  A
star stands where GE-binomial differs from another objective by a paired t-test over the draws (p < 0.05).  A training
takes about a minute; `--minutes` ends sooner.  Results: results/fig5a.jsonl, .md, .png.
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

OBJECTIVES = ("pn", "nnpu", "ge-kl", "ge-binomial")  # the paper's
SHOWN = ("pn", "nnpu", "ge-kl", "ge-kl-forward", "ge-binomial")
COLORS = ("#7f7f7f", "#2ca02c", "#1f77b4", "#17becf", "#d62728")
LEVEL = 0.05


def paired_p(own: dict[int, Any], other: dict[int, Any], field: str = "average_precision"
             ) -> tuple[float, float] | None:
    """Mean difference and p value of the paired t-test over the draws that both have; None with fewer than three."""
    from scipy.stats import ttest_rel

    common = set(own) & set(other)
    if len(common) < 3:
        return None
    a, b = average_precisions(own, common, field), average_precisions(other, common, field)
    difference = statistics.mean(a) - statistics.mean(b)
    return difference, (float(ttest_rel(a, b).pvalue) if a != b else 1.0)


def tests(runs: dict[str, dict[int, Any]], field: str) -> str:
    """GE-binomial against each other objective, in words."""
    found = []
    for other in SHOWN[:-1]:
        tested = paired_p(runs["ge-binomial"], runs[other], field)
        if tested is not None:
            found.append(f"{other} {tested[0]:+.3f}, p = {tested[1]:.2g}{' *' * (tested[1] < LEVEL)}")
    return "; ".join(found) or "fewer than three draws"


def table(records: list[dict[str, Any]]) -> str:
    """Means over the draws, and the tests."""
    groups = complete(draws_of(records))
    lines = ["| set | labels | average precision over | " + " | ".join(SHOWN)
             + " | GE-binomial against the others, paired t-test |", "|" + "---|" * (len(SHOWN) + 4)]
    for name in dict.fromkeys(s for s, _ in groups):
        counts = sorted({n for (s, _), values in groups.items() if s == name for n in values})
        for labels in counts:
            runs = {m: groups.get((name, m), {}).get(labels, {}) for m in SHOWN}
            for kind, field in KINDS.items():
                cells = " | ".join(cell(average_precisions(runs[m], field=field)) for m in SHOWN)
                lines.append(f"| {name} | {labels} | {kind} | {cells} | {tests(runs, field)} |")
    return "\n".join(lines) + "\n"


def draw(records: list[dict[str, Any]], path: Any) -> None:
    """A column for each set, a row for each average precision: mean and standard deviation over the draws."""
    groups = complete(draws_of(records))
    names = list(dict.fromkeys(s for s, _ in groups))
    figure, panels = figure_and_axes(len(names), len(KINDS))
    for (kind, field), row in zip(KINDS.items(), panels, strict=True):
        for name, axes in zip(names, row, strict=True):
            draw_panel(axes, {m: groups.get((name, m), {}) for m in SHOWN}, field)
            axes.set(title=name, xlabel="labelled particles", ylabel=f"average precision ({kind})")
    save(figure, path)


def draw_panel(axes: Any, curves: dict[str, dict[Any, dict[int, Any]]], field: str) -> None:
    """One set; stars where a test tells GE-binomial apart."""
    for method, color in zip(SHOWN, COLORS, strict=True):
        curve = {n: average_precisions(runs, field=field) for n, runs in curves[method].items()}
        if curve:
            spread = [statistics.stdev(v) if len(v) > 1 else 0.0 for v in curve.values()]
            fewest, most = min(map(len, curve.values())), max(map(len, curve.values()))
            count = f"{fewest}" if fewest == most else f"{fewest}-{most}"
            axes.errorbar(list(curve), [statistics.mean(v) for v in curve.values()], spread, marker="o", capsize=3,
                          color=color, label=f"{method} ({count} draws)")
    heights = (0.99, 0.92, 0.85, 0.78)
    for other, color, height in zip(SHOWN[:-1], COLORS[:-1], heights, strict=True):
        for labels, runs in curves["ge-binomial"].items():
            tested = paired_p(runs, curves[other].get(labels, {}), field)
            if tested is not None and tested[1] < LEVEL:
                axes.text(labels, height, "*" if tested[0] > 0 else "(*)", color=color, ha="center", va="top",
                          fontsize=14, transform=axes.get_xaxis_transform())
    counts = sorted({n for curve in curves.values() for n in curve})
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(c) for c in counts])
    axes.minorticks_off()
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, title_fontsize=8, title=f"*: ge-binomial ahead, (*): behind, p < {LEVEL}")


def complete(groups: Groups) -> Groups:
    """Without the numbers of labels that some objectives that are there at all have not been measured with."""
    there = {method for _, method in groups}
    out = {}
    for (name, method), values in groups.items():
        kept = {n: runs for n, runs in values.items() if all(n in groups.get((name, m), {}) for m in there)}
        if kept:
            out[name, method] = kept
    return out


def main() -> None:
    """Measure or report."""
    args = experiment_parser(__doc__, "fig5a", ["trimer", "stick"], [10, 25, 50, 100, 250, 1000], 10).parse_args()
    if args.command == "run":
        run_units(args, [(objective, {"objective": objective}) for objective in OBJECTIVES])
        return
    write_report(args, table, draw)


if __name__ == "__main__":
    main()
