"""TIFF files: one grey-scale image, compressed or not.

Rows are taken in the order in which the file stores them.  RELION reverses the rows of a TIFF when it reads one; a
project that goes on in RELION should therefore pick on MRC micrographs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from pupicker.engine.files.micrograph_header import Header
from pupicker.engine.runtime.errors import InputError

_ANG_PER_UNIT = {2: 2.54e8, 3: 1e8}  # ResolutionUnit: inch, centimetre


def read_header(path: Path) -> Header:
    """Header of the TIFF file `path`; raises InputError if it is no single grey-scale image."""
    with _open_page(path) as page:
        assert page.dtype is not None
        return Header(path, page.imagewidth, page.imagelength, page.dtype.name, _pixel_size_ang(page))


def read_pixels(path: Path) -> np.ndarray:
    """Pixels of the TIFF file `path` as they are stored: ``(height, width)``, any real type."""
    with _open_page(path) as page:
        return np.asarray(page.asarray()).reshape(page.imagelength, page.imagewidth)


@contextmanager
def _open_page(path: Path) -> Iterator[tifffile.TiffPage]:
    """The only page of a file, checked; whatever the decoders raise becomes an InputError."""
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            _check(path, file, page)
            yield page
    except (InputError, OSError):
        raise
    except Exception as error:  # tifffile and each codec have exceptions of their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: cannot be read as TIFF ({reason})") from error


def _check(path: Path, file: tifffile.TiffFile, page: tifffile.TiffPage) -> None:
    if page.imagewidth < 1 or page.imagelength < 1:
        raise InputError(f"{path}: a TIFF file without an image; copy or write it again")
    if page.samplesperpixel != 1:
        raise InputError(f"{path}: {page.samplesperpixel} colour channels, expected one; save it as grey scale")
    if page.dtype is None or page.dtype.kind not in "iuf":
        raise InputError(f"{path}: pixels of type {page.dtype} are not a micrograph; save them as 32-bit floats")
    # Stacks are many pages, or, written by ImageJ, one page followed by the pixels of all images.
    images = sum(series.size for series in file.series) // (page.imagewidth * page.imagelength)
    if images > 1:
        raise InputError(f"{path}: a stack of {images} images, expected one; average the frames or split it into files")
    # Missing bytes are decoded as zeros by some codecs: check before.
    ends = [start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends or max(ends) > file.filehandle.size:
        raise InputError(f"{path}: truncated: its pixels end behind the end of the file; copy it again")


def _pixel_size_ang(page: tifffile.TiffPage) -> float | None:
    """From the resolution tags, as SerialEM writes them; None without unit."""
    unit, resolution = page.tags.get("ResolutionUnit"), page.tags.get("XResolution")
    if unit is None or resolution is None or int(unit.value) not in _ANG_PER_UNIT:
        return None
    numerator, denominator = resolution.value
    if numerator <= 0 or denominator <= 0:
        return None
    return round(_ANG_PER_UNIT[int(unit.value)] * denominator / numerator, 6)
