"""Micrograph files: header, pixel size, pixels.

The pixels are always float32 in the order of the file: first row first, no flip.  Formats live in
:mod:`pupicker.engine.files.mrc`, ``tiff``, ``png`` and ``digital_micrograph``; compressed files are unpacked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from pupicker.engine.files import mrc, tiff
from pupicker.engine.files.listing import list_micrographs
from pupicker.engine.files.micrograph_header import Hasher, Header, resolve_pixel_size
from pupicker.engine.files.mrc import write_mrc
from pupicker.engine.files.packed import open_unpacked
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import MICROGRAPH_SUFFIXES, OTHER_MICROGRAPH_SUFFIXES, micrograph_suffix

__all__ = [
    "MICROGRAPH_SUFFIXES", "Header", "Image", "list_micrographs", "open_micrograph", "read_header", "read_image",
    "read_pixels", "resolve_pixel_size", "write_mrc",
]


LARGEST_PIXEL = 1e30
"""What is farther from zero is no value of an image, but of another type or byte order; sums over a micrograph would
overflow in single precision."""


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels of a micrograph, all finite.

    Attributes
    ----------
    pixels
        float32 ``(height, width)``, C-contiguous, native byte order.
    invalid
        bool ``(height, width)``, True where the file holds NaN, infinity or what is beyond :data:`LARGEST_PIXEL`, and
        `pixels` the median of the others; None if there is no such pixel.
    n_invalid
        Number of such pixels.
    digest
        SHA-256 of the file, in hexadecimal digits, if it was asked for.
    """

    pixels: np.ndarray
    invalid: np.ndarray | None
    n_invalid: int
    digest: str | None = None


class MicrographFile(Protocol):
    """What a class of a format offers; it is made of the path and the open file."""

    header: Header

    def read_pixels(self, hasher: Hasher | None = None) -> np.ndarray:
        """Pixels as they are stored."""


class OpenMicrograph:
    """A micrograph file that is open; made by :func:`open_micrograph`.

    Attributes
    ----------
    header
        Its size, type and pixel size.
    """

    def __init__(self, path: Path, file: MicrographFile) -> None:
        self._path, self._file = path, file
        self.header = file.header

    def read_pixels(self) -> np.ndarray:
        """Read the pixels as they are stored, ``(height, width)``."""
        return self._file.read_pixels()

    def read_image(self, digest: bool = False) -> Image:
        """Read the pixels; NaN and infinite ones, and those beyond :data:`LARGEST_PIXEL`, are masked, counted and
        replaced by the median of the others.

        With `digest`, the SHA-256 of the file is taken from the bytes that are read.

        Raises
        ------
        InputError
            Also for an image without two different finite values (nothing to pick in).
        """
        hasher = hashlib.sha256() if digest else None
        stored = self._file.read_pixels(hasher)
        return _masked(self._path, stored, None if hasher is None else hasher.hexdigest())


@contextmanager
def open_micrograph(path: str | os.PathLike[str]) -> Iterator[OpenMicrograph]:
    """Open a micrograph and read its header, once for all that is asked of it.

    Raises
    ------
    InputError
        The file is missing, of an unknown format, truncated, a stack, complex, coloured.
    """
    path = Path(path)
    kind = _kind(path)
    try:
        with open_unpacked(path) as file:
            yield OpenMicrograph(path, kind(path, file))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def read_header(path: str | os.PathLike[str]) -> Header:
    """Size, type and pixel size without the pixels; raises as :func:`open_micrograph`."""
    with open_micrograph(path) as file:
        return file.header


def read_pixels(path: str | os.PathLike[str]) -> np.ndarray:
    """The pixels as they are stored, ``(height, width)``; raises as :func:`open_micrograph`."""
    with open_micrograph(path) as file:
        return file.read_pixels()


def read_image(path: str | os.PathLike[str]) -> Image:
    """The pixels, all finite; raises as :func:`open_micrograph` and :meth:`OpenMicrograph.read_image`."""
    with open_micrograph(path) as file:
        return file.read_image()


def _masked(path: Path, stored: np.ndarray, digest: str | None) -> Image:
    with np.errstate(over="ignore", invalid="ignore"):  # 64-bit values beyond 32 bits become infinite: masked
        pixels = np.ascontiguousarray(stored, dtype=np.float32)
        lowest, highest = pixels.min(), pixels.max()  # NaN if one pixel is
    if lowest >= -LARGEST_PIXEL and highest <= LARGEST_PIXEL:
        _check_contrast(path, lowest, highest)
        return Image(pixels, None, 0, digest)
    invalid = ~(np.abs(pixels) <= LARGEST_PIXEL)  # NaN is not
    finite = pixels[~invalid]
    if not finite.size:
        raise InputError(f"{path}: all pixels are NaN, infinite or beyond {LARGEST_PIXEL:g}; leave it out or compute it"
                         " again")
    _check_contrast(path, finite.min(), finite.max())
    # A copy: the array may be the decoder's own, and is then read-only.
    filled = np.where(invalid, np.median(finite), pixels).astype(np.float32)
    return Image(filled, invalid, invalid.size - finite.size, digest)


def _check_contrast(path: Path, lowest: np.float32, highest: np.float32) -> None:
    if lowest == highest:
        raise InputError(f"{path}: all pixels have the same value {lowest:g}; leave it out or compute it again")


def _kind(path: Path) -> Callable[[Path, BinaryIO], MicrographFile]:
    """The reader of the format of `path`; the rare ones are loaded when one is met."""
    suffix = micrograph_suffix(path)
    if suffix in (".mrc", ".mrcs"):
        return mrc.MrcImage
    if suffix in MICROGRAPH_SUFFIXES:
        return tiff.TiffImage
    if suffix == ".png":
        from pupicker.engine.files.png import PngImage

        return PngImage
    if suffix in OTHER_MICROGRAPH_SUFFIXES:
        from pupicker.engine.files.digital_micrograph import DmImage

        return DmImage
    raise InputError(f"{path}: not a micrograph; known formats are {', '.join(MICROGRAPH_SUFFIXES)}")
