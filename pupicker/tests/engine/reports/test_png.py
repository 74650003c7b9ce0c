"""Small PNG files of figures."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from pupicker.engine.reports.png import GREYS, save_small_png, with_few_colours


def noisy_figure() -> Figure:
    """Noise with a thin red circle around its centre."""
    figure = Figure(figsize=(3, 3))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(np.random.default_rng(0).normal(size=(200, 200)), cmap="gray")
    axes.plot([100], [100], "o", markersize=40, markerfacecolor="none", markeredgecolor="#d62728")
    return figure


def test_a_file_is_smaller_and_keeps_thin_lines_and_its_size(tmp_path):
    figure = noisy_figure()
    figure.savefig(tmp_path / "plain.png", dpi=100)
    save_small_png(figure, tmp_path / "small.png")
    save_small_png(figure, tmp_path / "smallest.png", greys=GREYS)
    sizes = [(tmp_path / f"{name}.png").stat().st_size for name in ("smallest", "small", "plain")]
    assert sizes[0] < 0.8 * sizes[1] and sizes[1] < 0.8 * sizes[2]
    for name in ("small", "smallest"):
        pixels = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)
        assert pixels.shape == (300, 300, 3)
        assert (np.abs(pixels - (0xD6, 0x27, 0x28)).max(2) < 20).sum() > 50, "the circle"
        assert pixels[0, 0].tolist() == [255, 255, 255], "the ground is that of the page"


def test_a_stream_gets_a_whole_png():
    stream = io.BytesIO()
    save_small_png(noisy_figure(), stream)
    assert Image.open(io.BytesIO(stream.getvalue())).format == "PNG"


def test_greys_are_evenly_spaced_and_colours_stay():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)[None]
    pixels = np.asarray(with_few_colours(Image.fromarray(ramp), 6).convert("RGB"))
    assert sorted(set(pixels[0, :, 0].tolist())) == [0, 51, 102, 153, 204, 255]
    assert np.abs(pixels.astype(int) - ramp).max() <= 26
    red = Image.new("RGB", (4, 4), (200, 30, 30))
    assert np.abs(np.asarray(with_few_colours(red, 2).convert("RGB")).astype(int) - (200, 30, 30)).max() <= 8
