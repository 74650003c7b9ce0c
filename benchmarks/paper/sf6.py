"""Supplementary Fig. 6: precision against recall, and F1 against the threshold of the score.

    python -m benchmarks.paper.sf6 run [--sets t20s 80s trimer stick] [--labels 100] [--draws 1] [--updates 500]
    python -m benchmarks.paper.sf6 report

One curve a set, of the first draw, trained the paper's way; 10 minutes on one core.  The score is pupicker's calibrated
log-likelihood ratio.  Results: results/sf6.jsonl, .md, .png.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common.figures import save
from benchmarks.paper.experiment import draws_of, experiment_parser, figure_and_axes, run_units, write_report

COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")


def first_draws(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record a set and number of labels."""
    return [runs[min(runs)] for values in draws_of(records).values() for runs in values.values()]


def table(records: list[dict[str, Any]]) -> str:
    """Best F1, and F1 at the threshold that the model suggests."""
    lines = ["| set | labels | average precision over particles | over regions | best F1 | at threshold |"
             " F1 at the suggested threshold |", "|" + "---|" * 7]
    for r in first_draws(records):
        curve: dict[str, list[float]] = r["curve"]
        best = curve["f1"].index(max(curve["f1"]))
        taken = [i for i, t in enumerate(curve["threshold"]) if t >= r["suggested_threshold"]]
        own = curve["f1"][taken[-1]] if taken else 0.0
        lines.append(f"| {r['set']} | {r['labels']} | {r['average_precision']:.3f} |"
                     f" {r['region_average_precision']:.3f} | {r['best_f1']:.3f} |"
                     f" {curve['threshold'][best]:.2f} | {own:.3f} |")
    return "\n".join(lines) + "\n"


def draw(records: list[dict[str, Any]], path: Any) -> None:
    """Two panels, one curve a set."""
    figure, ((left, right),) = figure_and_axes(2)
    for r, color in zip(first_draws(records), COLORS, strict=False):
        curve = r["curve"]
        left.plot(curve["recall"], curve["precision"], color=color, label=f"{r['set']}, {r['labels']} labels")
        right.plot(curve["threshold"], curve["f1"], color=color)
        right.axvline(r["suggested_threshold"], color=color, linestyle=":", linewidth=1)
    left.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
    right.set(xlabel="threshold of the score (dotted: suggested)", ylabel="F1", ylim=(0, 1.02))
    right.set_xlim(left=max(-15.0, right.get_xlim()[0]))  # beyond, nothing changes
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend(frameon=False, fontsize=8)
    save(figure, path)


def main() -> None:
    """Measure or report."""
    args = experiment_parser(__doc__, "sf6", ["t20s", "80s", "trimer", "stick"], [100], 1).parse_args()
    if args.command == "run":
        run_units(args, [("ge-binomial", {"curve": True})])
        return
    write_report(args, table, draw)


if __name__ == "__main__":
    main()
