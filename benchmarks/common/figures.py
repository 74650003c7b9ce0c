"""Figures of the benchmarks, in small files: a palette takes a quarter of the space, and nobody sees the difference."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

GREYS = 10  # levels that show a micrograph as well as all do; its noise takes most of a file
_COLOURLESS = 24  # largest difference between red, green and blue of a pixel that counts as grey
_WHITE = 251


def panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """A figure of `size` inches, and its axes ``(rows, columns)``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def save(figure: Any, path: Path, dpi: float = 100, greys: int | None = None) -> None:
    """Write a figure on a white ground as PNG; `greys`: levels that pixels without a colour may have (None: all)."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    pixels = np.asarray(Image.open(drawn).convert("RGB"))
    if greys is not None:
        step = 255 / (greys - 1)
        levels = np.round(np.round(pixels.mean(2) / step) * step).astype(np.uint8)
        pixels = np.where(np.ptp(pixels, axis=2)[..., None] < _COLOURLESS, levels[..., None], pixels)
    few = Image.fromarray(pixels).quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = np.asarray(few.getpalette("RGB")).reshape(-1, 3)
    palette[(palette > _WHITE).all(1)] = 255  # almost white would show on a white page
    few.putpalette(palette.ravel().tolist())
    few.save(path, optimize=True)
