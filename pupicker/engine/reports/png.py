"""Pictures as small PNG files: with a palette they take a quarter of the space, and nobody sees the difference."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

COLOURS = 256
COMPRESSION = 6  # the highest level, 9, takes six times as long for a file that is 4 % smaller
GREYS = 10  # levels that show a micrograph as well as all do; its noise takes most of a file
_WHITE = 251
_COLOURLESS = 24  # largest difference between red, green and blue of a pixel that counts as grey


def save_small_png(
    figure: Figure, target: Path | BinaryIO, dpi: float = 100, greys: int | None = None, **how: Any,
) -> None:
    """Write a figure as PNG with a palette.

    Parameters
    ----------
    figure
        On a white ground; what is transparent becomes opaque.
    target
        File, or stream in which the picture is written.
    dpi
        Pixels of the picture for an inch of the figure.
    greys
        As :func:`with_few_colours` takes it: :data:`GREYS` for a figure that shows a micrograph.
    **how
        More for ``Figure.savefig``.
    """
    from PIL import Image  # matplotlib needs it too

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, pil_kwargs={"compress_level": 0}, **how)
    with_few_colours(Image.open(drawn), greys).save(target, format="PNG", compress_level=COMPRESSION)


def with_few_colours(picture: Image, greys: int | None = None) -> Image:
    """A picture with a palette of its own.

    Parameters
    ----------
    picture
        Of any mode.
    greys
        Levels between black and white, both among them, that pixels without a colour may have.  None: all.
    """
    from PIL import Image

    pixels = np.asarray(picture.convert("RGB"))
    if greys is not None:
        step = 255 / (greys - 1)
        levels = np.round(np.round(pixels.mean(2) / step) * step).astype(np.uint8)
        grey = np.ptp(pixels, axis=2) < _COLOURLESS
        pixels = np.where(grey[..., None], levels[..., None], pixels)
    # An octree keeps the colours of thin lines, of which there are few pixels; dithering would add noise.
    few = Image.fromarray(pixels).quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = np.asarray(few.getpalette("RGB")).reshape(-1, 3)
    palette[(palette > _WHITE).all(1)] = 255  # the mean of white and almost white would show on a white page
    few.putpalette(palette.ravel().tolist())
    return few
