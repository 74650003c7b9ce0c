"""What is known of a micrograph before its pixels are read, and the rule for its pixel size."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.options import PIXEL_SIZE

UNSET_PIXEL_SIZE_ANG = 1.0
"""What many programs write when they do not know the pixel size."""

SMALL_IMAGE_PX = 512
"""Up to this length of the longer side, exactly 1.0 Å is believed."""


MAX_OBLONG = 0.02
"""Part of its size by which a pixel may be longer along one side: cells of whole Å make it so."""


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
    pixel_height_ang
        The same along the columns, where the file has a field of its own for it.
    """

    path: Path
    width: int
    height: int
    dtype: str
    pixel_size_ang: float | None
    pixel_height_ang: float | None = field(default=None, compare=False)


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
    height = header.pixel_height_ang
    if height is not None and height > 0 and abs(height - found) > MAX_OBLONG * found:
        raise InputError(f"{header.path}: its header says pixels of {found:g} x {height:g} Å, which are not square;"
                         " give their size, in Å", "pixel_size")
    if found == UNSET_PIXEL_SIZE_ANG and max(header.width, header.height) > SMALL_IMAGE_PX:
        raise InputError(
            f"{header.path}: pixel size exactly 1 Å in the header of a {header.width} x {header.height} image means "
            "that it was never set; give it, in Å, also if it really is 1", "pixel_size"
        )
    return found
