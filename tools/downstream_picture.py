"""The picture of the downstream comparison: particles, maps and 2D class averages by threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from pupicker.engine.reports.png import save_small_png

TRUE, FALSE = "#2c7fb8", "#f03b20"


def _counts(axes: Axes, branches: list[dict[str, Any]]) -> None:
    branches = [branch for branch in branches if "classes" in branch]
    names = [branch["name"] for branch in branches]
    true, false = ([branch[key] for branch in branches] for key in ("true", "false"))
    axes.bar(names, true, color=TRUE, label="true")
    axes.bar(names, false, bottom=true, color=FALSE, label="false")
    for index, branch in enumerate(branches):
        axes.annotate(f"{branch['false_classes']}/{len(branch['classes'])}", (index, true[index] + false[index]),
                      ha="center", va="bottom", fontsize=8)
    axes.margins(y=0.12)
    axes.set_ylabel("particles")
    axes.set_title("Particles, and 2D classes mostly of false ones", fontsize=10)
    axes.legend(fontsize=8, loc="upper center")


def _curves(axes: Axes, report: dict[str, Any]) -> None:
    edge_ang = report["relion"]["box_px"] * report["pixel_size_ang"]
    for branch in report["branches"]:
        if "classes" in branch and branch["refinements"]:
            curve = np.mean([one["fsc_truth"] for one in branch["refinements"]], axis=0)
            style = "-" if branch["threshold"] is not None else "k-"
            axes.plot(np.arange(len(curve)) / edge_ang, curve, style, linewidth=1.2, label=branch["name"])
    axes.axhline(0.5, color="0.7", linewidth=0.8)
    axes.set_xlabel("spatial frequency / (1/Å)")
    axes.set_ylabel("FSC with the true density")
    axes.set_title("Refined maps against the truth", fontsize=10)
    axes.legend(fontsize=8)


def _resolutions(axes: Axes, branches: list[dict[str, Any]]) -> None:
    """Resolution against the number of particles, as in figure 4 of the Topaz paper; the truth of the maps is known.

    Mean of the refinements, with a bar from the smallest to the largest.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for branch in sorted(branches, key=lambda one: one["particles"]):
        groups.setdefault(branch["group"], []).append(branch)
    for number, (label, members) in enumerate(sorted(groups.items())):
        found = np.array([[one["resolution_truth_ang"] for one in branch["refinements"]] for branch in members])
        middle = found.mean(1)
        axes.errorbar([branch["particles"] for branch in members], middle, yerr=[middle - found.min(1),
                      found.max(1) - middle], fmt="osD^v"[number % 5] + "-", capsize=2, markersize=4, label=label)
        for branch, resolution in zip(members, middle, strict=True):
            if branch["threshold"] is not None:
                axes.annotate(f" {branch['threshold']:g}", (branch["particles"], resolution), fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    sizes = sorted({branch["particles"] for branch in branches if branch["threshold"] is not None})
    axes.set_xticks(sizes, [str(size) for size in sizes], rotation=40, fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel("particles")
    axes.set_ylabel("resolution (FSC 0.5 with the truth) / Å")
    axes.set_title("Resolution (numbers: threshold)", fontsize=10)
    axes.legend(fontsize=7)


def _averages(grid: list[Axes], branch: dict[str, Any], images: list[Any]) -> None:
    """One row of class averages, the largest class first, with the share of false picks."""
    for axes in grid:
        axes.axis("off")
    for axes, count, image in zip(grid, branch["classes"], images, strict=False):
        axes.imshow(image, cmap="gray")
        share = count["false"] / count["particles"]
        axes.set_title(f"{count['particles']}, {share:.0%} false", fontsize=7, color=FALSE if share > 0.5 else "black")
    grid[0].text(-0.08, 0.5, branch["name"], rotation=90, va="center", ha="right", fontsize=8,
                 transform=grid[0].transAxes)


def draw_results(path: Path, report: dict[str, Any], averages: dict[str, list[Any]]) -> None:
    """Write a PNG: counts, if there are maps their resolutions and FSC curves, and the averages of the 2D classes."""
    branches = [branch for branch in report["branches"] if branch["name"] in averages]
    refined = [branch for branch in report["branches"] if branch["refinements"]]
    columns = 3 if refined else 1
    width = max(4.6 * columns, 7.0)
    figure = plt.figure(figsize=(width, 4.0 + 1.0 * len(branches)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[4.0, 1.0 * len(branches)])
    axes = above.subplots(1, columns, squeeze=False)[0]
    _counts(axes[0], branches)
    axes[0].tick_params(axis="x", rotation=40, labelsize=8)
    if refined:
        _resolutions(axes[1], refined)
        _curves(axes[2], report)
    most = max(len(images) for images in averages.values())
    rows = below.subplots(len(branches), most, squeeze=False)
    for row, branch in zip(rows, branches, strict=True):
        _averages(list(row), branch, averages[branch["name"]])
    save_small_png(figure, path, dpi=100)
    plt.close(figure)
