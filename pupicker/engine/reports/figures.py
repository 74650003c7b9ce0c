"""The figures of the HTML reports, as matplotlib figures that no window or global state knows of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pupicker.shared.plurals import counted

FloatArray = npt.NDArray[np.float64]

BLUE, RED, GREEN, ORANGE, GREY = "#1f77b4", "#d62728", "#2ca02c", "#ff9f1c", "#888888"
PICK, LABEL = "#35d07f", "#ffd23f"
_IMAGE_SIDE_INCH = 7.0
READABLE_CIRCLES, PART_DIAMETERS = 150, 14
"""More circles on a whole micrograph are a mesh; then a part of so many diameters across is shown."""


@dataclass(frozen=True)
class Circles:
    """Particles to mark: ``(n, 2)`` x, y and the radius in pixels of the image, colour, what they are."""

    xy: FloatArray
    radius_px: float
    colour: str
    name: str


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, columns, i + 1) for i in range(columns)]
    for one in axes:
        one.grid(alpha=0.3)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def training_curve(curve: Sequence[dict[str, Any]], best_updates: int) -> Figure:
    """Loss, and, if labels were held out, the average precision estimated on them, after each epoch."""
    validated = [epoch for epoch in curve if epoch["validation"] is not None]
    figure, axes = _figure(10 if validated else 6, 3.6, 2 if validated else 1)
    for stage, colour, name in (("selection", BLUE, "finding the length"), ("refit", GREY, "again, on all labels")):
        rows = [epoch for epoch in curve if epoch["stage"] == stage]
        if rows:
            axes[0].plot([e["updates"] for e in rows], [e["loss"] for e in rows], ".-", color=colour, label=name)
    axes[0].set(xlabel="updates of the weights", ylabel="loss")
    if validated:
        axes[0].legend(frameon=False)
        axes[1].plot([e["updates"] for e in validated], [e["validation"] for e in validated], ".-", color=BLUE)
        axes[1].set(xlabel="updates of the weights", ylabel="validation AP", ylim=(0, 1.02))
        axes[1].axvline(best_updates, color=RED, linestyle="--", label=f"chosen: {counted(best_updates, 'update')}")
        axes[1].legend(frameon=False, loc="lower left")
    return figure


def particles_curve(curve: Sequence[dict[str, Any]], settled: float | None = None) -> Figure:
    """Expected number of particles on an average micrograph after each epoch of the selection, and the one taken."""
    figure, (axes,) = _figure(6, 3.2)
    rows = [epoch for epoch in curve if epoch["stage"] == "selection"]
    axes.plot([e["updates"] for e in rows], [e["particles_per_micrograph"] for e in rows], ".-", color=BLUE)
    if settled is not None:
        axes.axhline(settled, color=RED, linestyle="--", label=f"taken in the end: {settled:.0f}")
        axes.legend(frameon=False, loc="lower right")
    axes.set(xlabel="updates of the weights", ylabel="particles per micrograph")
    axes.set_ylim(bottom=0)
    return figure


def expected_precision_recall(
    score: FloatArray, precision: FloatArray, recall: FloatArray, f1: FloatArray, threshold: float,
) -> Figure:
    """Expected precision, recall and F1 against the threshold; ``(n,)`` each, best score first."""
    figure, (axes,) = _figure(7, 3.6)
    for values, colour, name in ((precision, BLUE, "precision"), (recall, GREEN, "recall"), (f1, ORANGE, "F1")):
        axes.plot(score, values, color=colour, label=f"expected {name}")
    axes.axvline(threshold, color=RED, linestyle="--", label=f"suggested threshold {threshold:.2f}")
    axes.set(xlabel="threshold on the score (log-likelihood ratio)", ylim=(0, 1.02), xlim=_middle(score, threshold))
    axes.legend(frameon=False, fontsize=9)
    return figure


def score_histogram(score: FloatArray, probability: FloatArray | None, threshold: float | None) -> Figure:
    """Histogram of the scores; with probabilities also the expected precision of stricter thresholds.

    Only scores of a model have probabilities, and only those are log-likelihood ratios.
    """
    figure, (axes,) = _figure(8, 3.6)
    axes.hist(score, bins=min(60, max(10, round(len(score) ** 0.5))), color="#9ec5e8")
    axes.set(xlabel="score" if probability is None else "score (log-likelihood ratio)", ylabel="picks")
    if threshold is not None:
        axes.axvline(threshold, color=RED, linestyle="--", label=f"threshold {threshold:.2f}")
    if probability is not None:
        order = np.argsort(-score, kind="stable")
        right = cast(Axes, axes.twinx())
        right.plot(score[order], np.cumsum(probability[order]) / np.arange(1, len(score) + 1), color=BLUE)
        right.set(ylim=(0, 1.02))
        right.set_ylabel("expected precision", color=BLUE)
        right.spines["top"].set_visible(False)
    if threshold is not None:
        axes.legend(loc="center left", framealpha=0.8)
    return figure


def picks_per_micrograph(counts: Sequence[int]) -> Figure:
    """Number of picks of each micrograph in the order given: bars, or a line where there are many."""
    figure, (axes,) = _figure(10, 3.2)
    number = np.arange(1, len(counts) + 1)
    if len(counts) <= 60:
        axes.bar(number, counts, color=BLUE)
    else:
        axes.plot(number, counts, color=BLUE, linewidth=0.8)
    axes.axhline(float(np.median(counts)), color=GREY, linestyle="--", label=f"median {np.median(counts):g}")
    axes.set(xlabel="micrograph, in the order given", ylabel="picks", xlim=(0.4, len(counts) + 0.6))
    axes.set_ylim(0, 1.25 * max(1, *counts))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="upper right")
    return figure


def readable_part(
    image: npt.NDArray[np.float32], circles: Sequence[Circles]
) -> tuple[npt.NDArray[np.float32], Sequence[Circles]]:
    """A part of a micrograph ``(h, w)`` in which circles can be told apart: all of it, unless they are many.

    Returns it with the circles that lie on it, in its pixels.
    """
    groups = [group for group in circles if len(group.xy)]
    side = round(PART_DIAMETERS * 2 * max((group.radius_px for group in groups), default=0.0))
    if sum(len(group.xy) for group in groups) <= READABLE_CIRCLES or side >= 0.9 * max(image.shape):
        return image, circles
    middle = np.median(np.concatenate([group.xy for group in groups]), axis=0)
    low = [int(np.clip(round(m - side / 2), 0, max(0, n - side)))
           for m, n in zip(middle, image.shape[::-1], strict=True)]
    part = image[low[1] : low[1] + side, low[0] : low[0] + side]
    shown = []
    for group in circles:
        xy = group.xy - np.array(low)
        inside = np.all((xy >= 0) & (xy < np.array(part.shape[::-1])), axis=1)
        shown.append(replace(group, xy=xy[inside]))
    return part, shown


def marked_micrograph(image: npt.NDArray[np.float32], circles: Sequence[Circles]) -> Figure:
    """A micrograph ``(h, w)``, its contrast stretched to all but the extreme pixels, with particles marked."""
    rows, columns = image.shape
    scale = _IMAGE_SIDE_INCH / max(rows, columns)
    legend_inch = 0.35
    height = rows * scale + legend_inch
    figure = Figure(figsize=(max(columns * scale, 3.5), height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, legend_inch / height, 1.0, 1 - legend_inch / height))
    low, high = np.percentile(image, (0.5, 99.5))
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
    axes.set_axis_off()
    handles = []
    for group in circles:
        # A marker of the size of the particle: one artist for all, in points, because the axes have no margins.
        points = 2 * group.radius_px * scale * 72
        handles += axes.plot(
            group.xy[:, 0], group.xy[:, 1], "o", markersize=points, markerfacecolor="none", linestyle="none",
            markeredgecolor=group.colour, markeredgewidth=1.2, label=f"{group.name} ({len(group.xy)})",
        )
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    legend = figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=9)
    for handle in legend.legend_handles:
        handle.set_markersize(8)  # type: ignore[union-attr]
    return figure


def _middle(score: FloatArray, threshold: float) -> tuple[float, float]:
    """Scores worth showing: all but the lowest and highest hundredth, and the threshold with some room."""
    low, high = np.percentile(score, (1, 99.5)) if len(score) else (threshold, threshold)
    return float(min(low, threshold - 3)), float(max(high, threshold + 3))
