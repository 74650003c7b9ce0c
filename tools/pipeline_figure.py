"""``python tools/pipeline_figure.py``: draws docs/images/pipeline.png, the way of a micrograph through the folders."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from pupicker.engine.reports.png import save_small_png

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "pipeline.png"
ENGINE, CORE, PLUGIN = "#dbe9f6", "#dff0d8", "#f3ead9"
INK, PALE = "#1f2d3a", "#7a8791"
WIDTH, STEP = 1.78, 2.06  # of a box; from one column to the next
#: Folder of the engine, what it does, folders of the core that it calls.
COLUMNS = (
    ("files", "micrographs and\ncoordinate tables", ()),
    ("preparation", "downsample,\nnormalise, flatten", ("image",)),
    ("training", "learn from labels,\ncalibrate", ("regions", "networks", "objectives", "scores")),
    ("picking", "score map,\nbest places", ("detection", "networks", "scores")),
    ("evaluation", "compare with\nknown particles", ("scores",)),
    ("reports", "pages with\nfigures", ()),
)
#: Column -> what goes in from above, or comes out.
INPUTS = {0: "micrographs, labels"}
OUTPUTS = {2: "model.pupicker", 3: "picks.star", 4: "average precision", 5: "report.html"}


def box(axes: Axes, x: float, y: float, height: float, colour: str, name: str, text: str = "") -> None:
    """A box centred at (x, y) with a folder's name and a line or two below it."""
    axes.add_patch(FancyBboxPatch((x - WIDTH / 2, y - height / 2), WIDTH, height, facecolor=colour, edgecolor=INK,
                                  linewidth=1, boxstyle="round,pad=0,rounding_size=0.09"))
    axes.text(x, y + (0.27 if text else 0), name, ha="center", va="center", family="monospace", size=11.5,
              weight="bold" if text else "normal", color=INK)
    axes.text(x, y - 0.17, text, ha="center", va="center", size=9.5, color=INK, linespacing=1.2)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = INK) -> None:
    """An arrow from one place to another."""
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.3})


def row_name(axes: Axes, y: float, name: str, text: str) -> None:
    """What stands at the left of a row."""
    axes.text(-1.75, y, name, ha="center", va="center", family="monospace", size=12.5, weight="bold", color=INK)
    axes.text(-1.75, y - 0.3, text, ha="center", va="top", size=9.5, color=PALE, linespacing=1.2)


def main() -> int:
    """Draw the figure."""
    figure, axes = plt.subplots(figsize=(13, 5.1))
    row_name(axes, 0.25, "engine/", "files, runs,\nmodels")
    row_name(axes, -1.45, "core/", "functions\non tensors")
    for column, (name, text, called) in enumerate(COLUMNS):
        x = column * STEP
        box(axes, x, 0, 1.1, ENGINE, name + "/", text)
        if column:
            arrow(axes, (x - STEP + WIDTH / 2, 0), (x - WIDTH / 2, 0))
        for place, folder in enumerate(called):
            box(axes, x, -1.45 - 0.48 * place, 0.38, CORE, folder + "/")
        if called:
            arrow(axes, (x, -0.55), (x, -1.25), PALE)
        if column in INPUTS:
            axes.text(x, 1.32, INPUTS[column], ha="center", va="center", size=10.5, style="italic", color=INK)
            arrow(axes, (x, 1.17), (x, 0.56))
        if column in OUTPUTS:
            axes.text(x, 1.32, OUTPUTS[column], ha="center", va="center", size=10.5, style="italic", color=INK)
            arrow(axes, (x, 0.56), (x, 1.17))
    axes.add_patch(FancyBboxPatch((-WIDTH / 2, 1.75), 5 * STEP + WIDTH, 0.42, facecolor=PLUGIN, edgecolor=INK,
                                  linewidth=1, boxstyle="round,pad=0,rounding_size=0.09"))
    axes.text(2.5 * STEP, 1.96,
              "commands/  the command line          protocols/  Scipion, which starts the command line", size=11,
              ha="center", va="center", family="monospace", color=INK)
    axes.set(xlim=(-2.6, 5 * STEP + 1.1), ylim=(-3.2, 2.2), aspect="equal")
    axes.axis("off")
    save_small_png(figure, PICTURE, bbox_inches="tight", pad_inches=0.05)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
