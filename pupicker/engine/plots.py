"""Figures as PNG files."""

from __future__ import annotations

from pathlib import Path

from pupicker.core.metrics import Curve
from pupicker.engine.atomic import atomic_path
from pupicker.engine.cross_validation_table import Table


def plot_precision_recall(path: Path, curve: Curve, title: str) -> None:
    """Precision against recall, and precision, recall and F1 against the threshold."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    left.plot(curve.recall, curve.precision, color="#1f77b4")
    if curve.best >= 0:
        best = curve.best
        left.plot(curve.recall[best], curve.precision[best], "o", color="#d62728",
                  label=f"best F1 {curve.f1[best]:.3f} at score {curve.threshold[best]:.2f}")
        left.legend(loc="lower left", frameon=False)
    left.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01),
             title=f"{title}AP {curve.average_precision:.3f}")
    for name, color in (("precision", "#1f77b4"), ("recall", "#2ca02c"), ("f1", "#d62728")):
        right.plot(curve.threshold, getattr(curve, name), color=color, label="F1" if name == "f1" else name)
    right.set(xlabel="threshold on the score", ylim=(0, 1.01))
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


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
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
