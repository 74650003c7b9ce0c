"""A bar of a round length, drawn into the corner of a micrograph."""

from __future__ import annotations

import math
from typing import Any, Tuple

WIDTH_PX = 110  # of the window, about
MARGIN_PX = 16
ANG_IN_NM = 10.0


def roundLength(longestAng: float) -> float:
    """The largest of 1, 2, 5, 10, 20, ... Å that is not longer."""
    power = 10.0 ** math.floor(math.log10(longestAng))
    return power * max(factor for factor in (1, 2, 5) if factor * power <= longestAng * (1 + 1e-9))


def lengthText(lengthAng: float) -> str:
    """``50 Å``, ``20 nm``."""
    return "%g nm" % (lengthAng / ANG_IN_NM) if lengthAng >= 20 * ANG_IN_NM else "%g Å" % lengthAng


def drawScaleBar(canvas: Any, pixelSizeAng: float, scale: float, size: Tuple[int, int]) -> None:
    """Draw it into a canvas of `size`; `scale` is pixels of the window for each pixel of the micrograph."""
    lengthAng = roundLength(max(WIDTH_PX * pixelSizeAng / scale, 1e-3))
    width, bottom = lengthAng / pixelSizeAng * scale, size[1] - MARGIN_PX
    canvas.create_rectangle(MARGIN_PX - 6, bottom - 22, MARGIN_PX + width + 6, bottom + 7, fill="#202020", outline="",
                            stipple="gray75", tags="scale bar")
    canvas.create_line(MARGIN_PX, bottom, MARGIN_PX + width, bottom, fill="white", width=3, tags="scale bar")
    canvas.create_text(MARGIN_PX + width / 2, bottom - 12, fill="white", text=lengthText(lengthAng), tags="scale bar")
