"""Fig. 5a: average precision against the number of labels for the four objectives, the same labels for all of them.

    python -m benchmarks.paper.fig5a run [--sets trimer stick] [--labels 10 25 50 100 250] [--draws 10] [--updates 500]
    python -m benchmarks.paper.fig5a report

The paper used its hemagglutinin and protocadherin sets, ten draws, and up to 1,000 labels.  A star stands where
GE-binomial differs from another objective by a paired t-test over the draws (p < 0.05).  All of it takes about 12 hours
on one core; `--minutes` ends it sooner.  Results: results/fig5a.jsonl, .md, .png.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.common.figures import save
from benchmarks.common.runs import Records
from benchmarks.label_efficiency_report import average_precisions, cell, of_one_code
from benchmarks.paper.experiment import draws_of, experiment_parser, figure_and_axes, run_units, write_report

OBJECTIVES = ("pn", "nnpu", "ge-kl", "ge-binomial")
COLORS = ("#7f7f7f", "#2ca02c", "#1f77b4", "#d62728")
LEVEL = 0.05

#: (set, objective) -> number of labels -> draw -> record
Groups = dict[tuple[str, str], dict[Any, dict[int, Any]]]


def paired_p(own: dict[int, Any], other: dict[int, Any]) -> tuple[float, float] | None:
    """Mean difference and p value of the paired t-test over the draws that both have; None with fewer than three."""
    from scipy.stats import ttest_rel

    common = set(own) & set(other)
    if len(common) < 3:
        return None
    a, b = average_precisions(own, common), average_precisions(other, common)
    difference = statistics.mean(a) - statistics.mean(b)
    return difference, (float(ttest_rel(a, b).pvalue) if a != b else 1.0)


def table(groups: Groups) -> str:
    """Means over the draws, and the tests."""
    lines = ["| set | labels | " + " | ".join(OBJECTIVES) + " | GE-binomial against the others, paired t-test |",
             "|" + "---|" * (len(OBJECTIVES) + 3)]
    for name in dict.fromkeys(s for s, _ in groups):
        counts = sorted({n for (s, _), values in groups.items() if s == name for n in values})
        for labels in counts:
            runs = {m: groups.get((name, m), {}).get(labels, {}) for m in OBJECTIVES}
            tests = []
            for other in OBJECTIVES[:-1]:
                tested = paired_p(runs["ge-binomial"], runs[other])
                if tested is not None:
                    mark = " *" if tested[1] < LEVEL else ""
                    tests.append(f"{other} {tested[0]:+.3f}, p = {tested[1]:.2g}{mark}")
            lines.append(f"| {name} | {labels} | " + " | ".join(cell(average_precisions(runs[m])) for m in OBJECTIVES)
                         + f" | {'; '.join(tests) or 'fewer than three draws'} |")
    return "\n".join(lines) + "\n"


def draw(groups: Groups, path: Any) -> None:
    """A panel for each set: mean and standard deviation over the draws; stars where a test tells GE-binomial apart."""
    names = list(dict.fromkeys(s for s, _ in groups))
    figure, panels = figure_and_axes(len(names))
    for name, axes in zip(names, panels, strict=True):
        for method, color in zip(OBJECTIVES, COLORS, strict=True):
            curve = {n: average_precisions(runs) for n, runs in groups.get((name, method), {}).items()}
            if curve:
                spread = [statistics.stdev(v) if len(v) > 1 else 0.0 for v in curve.values()]
                fewest, most = min(map(len, curve.values())), max(map(len, curve.values()))
                count = f"{fewest}" if fewest == most else f"{fewest}-{most}"
                axes.errorbar(list(curve), [statistics.mean(v) for v in curve.values()], spread, marker="o", capsize=3,
                              color=color, label=f"{method} ({count} draws)")
        own = groups.get((name, "ge-binomial"), {})
        for other, color, height in zip(OBJECTIVES[:-1], COLORS[:-1], (0.99, 0.92, 0.85), strict=True):
            for labels, runs in own.items():
                tested = paired_p(runs, groups.get((name, other), {}).get(labels, {}))
                if tested is not None and tested[1] < LEVEL:
                    axes.text(labels, height, "*" if tested[0] > 0 else "(*)", color=color, ha="center", va="top",
                              fontsize=14, transform=axes.get_xaxis_transform())
        counts = sorted({n for (s, _), values in groups.items() if s == name for n in values})
        axes.set(xscale="log", title=name, xlabel="labelled particles", ylabel="average precision (particles)")
        axes.set_xticks(counts, [str(c) for c in counts])
        axes.minorticks_off()
        axes.margins(y=0.15)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8, title_fontsize=8,
                    title=f"*: ge-binomial ahead, (*): behind, p < {LEVEL}")
    save(figure, path)


def complete(groups: Groups) -> Groups:
    """Without the numbers of labels that some objectives have not been measured with."""
    out = {}
    for (name, method), values in groups.items():
        kept = {n: runs for n, runs in values.items() if all(n in groups.get((name, m), {}) for m in OBJECTIVES)}
        if kept:
            out[name, method] = kept
    return out


def main() -> None:
    """Measure or report."""
    args = experiment_parser(__doc__, "fig5a", ["trimer", "stick"], [10, 25, 50, 100, 250], 10).parse_args()
    if args.command == "run":
        run_units(args, [(objective, {"objective": objective}) for objective in OBJECTIVES])
        return
    groups = complete(draws_of(of_one_code(Records(args.records).load())))
    write_report(args, groups, table, draw)


if __name__ == "__main__":
    main()
