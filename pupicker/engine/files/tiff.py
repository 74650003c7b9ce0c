"""TIFF files: one grey-scale image, compressed or not.

Rows are taken in the order in which the file stores them.  RELION reverses the rows of a TIFF when it reads one; a
project that goes on in RELION should therefore pick on MRC micrographs.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from pupicker.engine.files.micrograph_header import Hasher, Header
from pupicker.engine.files.sample import Sample
from pupicker.engine.runtime.errors import InputError

if TYPE_CHECKING:
    import tifffile

_HEAD_BYTES = 1024  # tell what a file is that is no TIFF
_ANG_PER_UNIT = {2: 2.54e8, 3: 1e8}  # ResolutionUnit: inch, centimetre


T = TypeVar("T")


class TiffImage:
    """An open TIFF file of one grey-scale image; parameters and errors as :class:`pupicker.engine.files.mrc.MrcImage`.

    What a header needs is read from the disk bit by bit, so that a stack of frames is refused at once; for the pixels
    the whole file is read, once.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._source = path, _Source(file)
        sample = Sample(path, file.read(_HEAD_BYTES))
        file.seek(0)
        if not sample.head:
            raise InputError(f"{path}: not a TIFF file: it is empty; copy it again")
        kind = sample.kind
        if kind not in ("", "text") and "TIFF" not in kind:
            raise InputError(f"{path}: not a TIFF file: it is {kind}; give it its own extension, or convert it")
        self._page = _decoded(path, self._open)
        page = self._page
        assert page.dtype is not None
        self.header = Header(path, page.imagewidth, page.imagelength, page.dtype.name, _pixel_size_ang(page))

    def read_pixels(self, hasher: Hasher | None = None) -> np.ndarray:
        """Pixels as they are stored: ``(height, width)``, any real type; `hasher` is given every byte of the file."""
        content = self._source.load()
        if hasher is not None:
            hasher.update(content)
        shape = (self.header.height, self.header.width)
        return _decoded(self._path, lambda: np.asarray(self._page.asarray()).reshape(shape))

    def _open(self) -> tifffile.TiffPage:
        import tifffile  # a tenth of a second, which runs without a TIFF file are spared

        file = tifffile.TiffFile(self._source)  # type: ignore[arg-type]  # any file-like object does
        page = file.pages.first
        _check(self._path, file, page)
        return page


class _Source(io.RawIOBase):
    """A file that can be read into memory at any time; its position stays."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file: Any = file

    def load(self) -> memoryview:
        """Read all of it; later reads are from memory."""
        if not isinstance(self._file, io.BytesIO):
            place = self._file.tell()
            self._file.seek(0)
            self._file = io.BytesIO(self._file.read())
            self._file.seek(place)
        return memoryview(self._file.getbuffer())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def read(self, size: int = -1, /) -> bytes:
        return bytes(self._file.read(size))

    def readinto(self, buffer: Any, /) -> int:
        return int(self._file.readinto(buffer))


def _decoded(path: Path, work: Callable[[], T]) -> T:
    """What `work` gives; whatever the decoders raise becomes an InputError."""
    try:
        return work()
    except (InputError, OSError, MemoryError):
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
    if unit is None or resolution is None:
        return None
    try:  # tags of a damaged file hold anything
        ang_per_unit = _ANG_PER_UNIT[int(unit.value)]
        numerator, denominator = map(float, resolution.value)
    except (KeyError, TypeError, ValueError):
        return None
    if not (numerator > 0 and denominator > 0):
        return None
    return round(ang_per_unit * denominator / numerator, 6)
