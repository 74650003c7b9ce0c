"""The picture of the demo: one micrograph beside itself with its picks and its truth."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from pupicker.engine.reports.png import GREYS, save_small_png

FloatArray = npt.NDArray[np.float64]

HIT, FALSE, MISSED = "#35d07f", "#ff5a4f", "#ffd23f"


def _show(axes: Axes, image: npt.NDArray[np.float32], title: str) -> None:
    low, high = np.percentile(image, (0.3, 99.8))
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()


def _circles(axes: Axes, centres_xy: FloatArray, radius_px: float, colour: str, style: str = "-") -> None:
    for x, y in centres_xy:
        axes.add_patch(plt.Circle((x, y), radius_px, fill=False, edgecolor=colour, linewidth=1.3, linestyle=style))


def draw_picks(
    path: Path, image: npt.NDArray[np.float32], title: str, radius_px: float,
    picks_xy: FloatArray, hit: npt.NDArray[np.bool_], missed_xy: FloatArray,
) -> None:
    """Write a PNG of a micrograph, bare on the left and with its picks on the right.

    Parameters
    ----------
    image
        ``(h, w)``, smoothed or not; its contrast is stretched to all but the extreme pixels.
    radius_px
        Radius of the circles.
    picks_xy, hit
        ``(n, 2)`` centres and ``(n,)`` whether each is a particle.
    missed_xy
        ``(m, 2)`` centres of the particles that no pick hit.
    """
    figure, (bare, marked) = plt.subplots(1, 2, figsize=(14, 6.9 * image.shape[0] / image.shape[1] + 0.9))
    _show(bare, image, title)
    _show(marked, image, "picks at the threshold of the best F1")
    _circles(marked, picks_xy[hit], radius_px, HIT)
    _circles(marked, picks_xy[~hit], radius_px, FALSE)
    _circles(marked, missed_xy, radius_px, MISSED, "--")
    entries = [
        Line2D([], [], color=HIT, label=f"particle, picked ({int(hit.sum())})"),
        Line2D([], [], color=FALSE, label=f"picked, no particle ({int((~hit).sum())})"),
        Line2D([], [], color=MISSED, linestyle="--", label=f"particle, missed ({len(missed_xy)})"),
    ]
    figure.legend(handles=entries, loc="lower center", ncols=3, frameon=False, fontsize=11)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.06, top=0.95, wspace=0.02)
    save_small_png(figure, path, 70, GREYS)
    plt.close(figure)
