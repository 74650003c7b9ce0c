"""The picture of the downstream comparison: particles, 2D classes and maps by threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

TRUE, FALSE = "#2c7fb8", "#f03b20"


def _counts(axes: Axes, branches: list[dict[str, Any]]) -> None:
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
    axes.legend(fontsize=8, loc="lower left")


def _curves(axes: Axes, report: dict[str, Any]) -> None:
    edge_ang = report["box_px"] * report["pixel_size_ang"]
    for branch in report["branches"]:
        curve = branch["fsc_truth"]
        style = {"truth": "k-"}.get(branch["name"], "--" if branch["threshold"] is None else "-")
        axes.plot([shell / edge_ang for shell in range(len(curve))], curve, style, linewidth=1.2, label=branch["name"])
    axes.axhline(0.5, color="0.7", linewidth=0.8)
    axes.set_xlabel("spatial frequency / (1/Å)")
    axes.set_ylabel("FSC with the true density")
    axes.set_title("Refined maps against the truth", fontsize=10)
    axes.legend(fontsize=8)


def _resolutions(axes: Axes, branches: list[dict[str, Any]]) -> None:
    names = [branch["name"] for branch in branches]
    axes.plot(names, [branch["resolution_ang"] for branch in branches], "o", color=TRUE, label="half maps, 0.143")
    axes.plot(names, [branch["resolution_truth_ang"] for branch in branches], "s", color=FALSE, label="truth, 0.5")
    axes.invert_yaxis()
    axes.set_ylabel("resolution / Å (better upwards)")
    axes.set_title("Resolution", fontsize=10)
    axes.legend(fontsize=8)


def draw_results(path: Path, report: dict[str, Any]) -> None:
    """Write a PNG: counts and classes, and if there are maps their resolutions and FSC curves."""
    refined = [branch for branch in report["branches"] if "correlation" in branch]
    columns = 3 if refined else 1
    figure, axes = plt.subplots(1, columns, figsize=(4.6 * columns, 3.8), squeeze=False, layout="constrained")
    _counts(axes[0][0], report["branches"])
    if refined:
        _resolutions(axes[0][1], refined)
        _curves(axes[0][2], {**report, "branches": refined})
    for panel in axes[0][:2]:
        panel.tick_params(axis="x", rotation=40, labelsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)
