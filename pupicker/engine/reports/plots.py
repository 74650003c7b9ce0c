"""Figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pupicker.core.scores.metrics import Curve
from pupicker.core.scores.reliability import Reliability
from pupicker.engine.reports.png import save_small_png
from pupicker.shared.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pupicker.engine.cross_validation.table import Table

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


def plot_precision_recall(path: Path, curve: Curve, title: str, checked: Reliability | None = None) -> None:
    """Precision against recall, and precision, recall and F1 against the threshold; a third panel for `checked`.

    Picks that nothing ranks are one point in the first panel, and have no second one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = 1 + curve.ranked + (checked is not None)
    figure = Figure(figsize=(4.5 * panels, 4), layout="constrained")
    FigureCanvasAgg(figure)
    shown = [figure.add_subplot(1, panels, 1)]
    shown[0].plot(curve.recall, curve.precision, color="#1f77b4")
    if curve.best >= 0:
        best = curve.best
        at = f"best F1 {curve.f1[best]:.3f} at score {curve.threshold[best]:.2f}"
        if not curve.ranked:
            at = f"precision {curve.precision[0]:.3f}, recall {curve.recall[0]:.3f}, F1 {curve.f1[0]:.3f}"
        shown[0].plot(curve.recall[best], curve.precision[best], "o", color="#d62728", label=at)
        shown[0].legend(loc="lower left", frameon=False)
    average = f"AP {curve.average_precision:.3f}" if curve.ranked else "one point: nothing ranks the picks"
    shown[0].set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01), title=title + average)
    if curve.ranked:
        shown.append(figure.add_subplot(1, panels, 2))
        for name, color in (("precision", "#1f77b4"), ("recall", "#2ca02c"), ("f1", "#d62728")):
            shown[1].plot(curve.threshold, getattr(curve, name), color=color, label="F1" if name == "f1" else name)
        shown[1].set(xlabel="threshold on the score", ylim=(0, 1.01))
        shown[1].legend(frameon=False)
    for axes in shown:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    if checked is not None:
        draw_reliability(figure.add_subplot(1, panels, panels), checked)
    _write(figure, path)


def draw_reliability(axes: Axes, checked: Reliability, color: str = "#1f77b4") -> None:
    """Observed share of hits against the probability, with 95 % intervals; the diagonal is what it should be."""
    bins = checked.bins
    axes.plot([0, 1], [0, 1], color="#888888", linestyle="--", linewidth=1)
    below = [max(0.0, b.observed - b.observed_low) for b in bins]
    above = [max(0.0, b.observed_high - b.observed) for b in bins]
    axes.errorbar([b.probability for b in bins], [b.observed for b in bins], yerr=[below, above], fmt="o-",
                  color=color, capsize=3)
    axes.set(xlabel="probability of the picks", ylabel="share of hits", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02),
             title=f"calibration error {checked.calibration_error:.3f}")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def plot_cross_validation(path: Path, table: Table) -> None:
    """Average precision and recall of each cell of a grid: one dot a fold, mean and standard error."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = list(table.cells)
    figure = Figure(figsize=(9, 1.4 + 0.36 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.add_subplot(1, 2, 1)
    right = figure.add_subplot(1, 2, 2, sharey=left)
    for axes, name in ((left, "average_precision"), (right, "recall")):
        for place, index in enumerate(rows):
            cell, color = table.cells[index], "#d62728" if index == table.best else "#1f77b4"
            folds = [fold[name] for fold in cell.folds]
            axes.plot(folds, [place] * len(folds), "o", color=color, alpha=0.3, markersize=4)
            axes.errorbar(getattr(cell, name), place, xerr=getattr(cell, f"{name}_error"), fmt="o", color=color,
                          capsize=3)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    left.set(xlabel="average precision of what was left out")
    left.set_yticks(range(len(rows)), [table.titles[index] for index in rows])
    left.set_ylim(len(rows) - 0.5, -0.5)
    right.set(xlabel="recall at the suggested threshold")
    right.tick_params(labelleft=False)
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    """As the suffix of the file says."""
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".png":
            save_small_png(figure, temporary, dpi=120)
        else:
            figure.savefig(temporary, dpi=120)
