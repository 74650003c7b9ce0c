"""What is known of a micrograph before its pixels are read, and the rule for its pixel size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.options import PIXEL_SIZE

UNSET_PIXEL_SIZE_ANG = 1.0
"""What many programs write when they do not know the pixel size."""

SMALL_IMAGE_PX = 512
"""Up to this length of the longer side, exactly 1.0 Å is believed."""


class Hasher(Protocol):
    """What the digests of :mod:`hashlib` do."""

    def update(self, data: Any, /) -> None:
        """Take more bytes."""


@dataclass(frozen=True)
class Header:
    """Size and type of a micrograph.

    Attributes
    ----------
    path
        The file.
    width, height
        Columns and rows in pixels.
    dtype
        NumPy name of the pixel type in the file, e.g. ``int16``.
    pixel_size_ang
        Pixel size in Å as the file states it, whatever it is worth; None if the file has no such field.
        :func:`resolve_pixel_size` judges it.
    """

    path: Path
    width: int
    height: int
    dtype: str
    pixel_size_ang: float | None


def resolve_pixel_size(header: Header, given_ang: float | None) -> float:
    """The pixel size to work with: the given one, else a credible one from the header.

    Parameters
    ----------
    header
        Of the micrograph.
    given_ang
        What the user stated in Å, or None.

    Returns
    -------
    float
        Å per pixel.

    Raises
    ------
    UsageError
        The given value is not a positive number up to 100 Å.
    InputError
        Nothing was given and the header has no pixel size, an impossible one, or exactly 1.0 with a large image,
        which is what programs write that do not know it.
    """
    if given_ang is not None:
        check_options({"pixel_size": given_ang}, [PIXEL_SIZE])
        return given_ang
    found = header.pixel_size_ang
    if found is None:
        raise InputError(f"{header.path}: no pixel size in its header; give it, in Å", "pixel_size")
    if PIXEL_SIZE.problem(found):
        raise InputError(f"{header.path}: impossible pixel size {found:g} Å in its header; give the right one, in Å",
                         "pixel_size")
    if found == UNSET_PIXEL_SIZE_ANG and max(header.width, header.height) > SMALL_IMAGE_PX:
        raise InputError(
            f"{header.path}: pixel size exactly 1 Å in the header of a {header.width} x {header.height} image means "
            "that it was never set; give it, in Å, also if it really is 1", "pixel_size"
        )
    return found
