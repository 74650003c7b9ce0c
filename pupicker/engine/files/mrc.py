"""MRC files: one image or a stack, all real pixel types, both byte orders.

Header layout, pixel types and writing come from the mrcfile library.  Reading goes around its reader for one reason:
that one trusts the header, so a text file called ``.mrc`` makes it allocate gigabytes for an "extended header", and a
wrong byte-order stamp on 8-bit data a wrong shape.  Here everything is checked against the length of the file first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import mrcfile
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import byte_order_from_machine_stamp, dtype_from_mode

from pupicker.engine.files.micrograph_header import Hasher, Header
from pupicker.engine.files.packed import open_unpacked
from pupicker.engine.files.sample import MRC_KIND, Sample
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import atomic_path

_HEADER_BYTES = HEADER_DTYPE.itemsize
_IMOD_STAMP, _STAMP_AT, _FLAGS_AT = 1146047817, slice(152, 156), slice(156, 160)
_SIGNED_BYTES = 1  # bit of the flags of IMOD

_REFUSED_MODES = {3: "complex 16-bit integers", 4: "complex numbers", 101: "packed 4-bit integers"}
_CHUNK = 1 << 20
_STORED_AS_THEY_ARE = ("int8", "int16", "uint16", "float16", "float32")


@dataclass(frozen=True)
class _Layout:
    """Where and how the pixels lie in a file of a known length.

    Attributes
    ----------
    columns, rows, images
        ``nx, ny, nz`` of the header.
    dtype
        Pixel type including the byte order; None for a mode that is not a real image.
    extended_bytes
        Length of the extended header.
    """

    header: Any
    columns: int
    rows: int
    images: int
    mode: int
    dtype: np.dtype | None
    extended_bytes: int
    file_bytes: int

    @property
    def data_bytes(self) -> int:
        return self.columns * self.rows * self.images * (self.dtype.itemsize if self.dtype else 1)

    @property
    def offset(self) -> int:
        """First byte of the pixels; a length that leaves no room for an extended header overrules the field."""
        no_room = self.file_bytes == _HEADER_BYTES + self.data_bytes
        return _HEADER_BYTES if no_room else _HEADER_BYTES + self.extended_bytes

    @property
    def is_sane(self) -> bool:
        """Whether the fields can be those of an MRC file at all."""
        known_mode = self.dtype is not None or self.mode in _REFUSED_MODES
        return known_mode and min(self.columns, self.rows, self.images) > 0 and self.extended_bytes >= 0

    @property
    def fits(self) -> bool:
        """Whether the file is long enough."""
        return self.is_sane and self.offset + self.data_bytes <= self.file_bytes


class MrcImage:
    """An open MRC file of one real image.

    Parameters
    ----------
    path
        Names it in errors.
    file
        Open for reading, at its beginning.

    Raises
    ------
    InputError
        If it is no complete single real image.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._raw, self._layout = _single_image(path, file)
        assert self._layout.dtype is not None
        self.header = Header(path, self._layout.columns, self._layout.rows, self._layout.dtype.name,
                             _pixel_size_ang(self._layout, "x"), _pixel_size_ang(self._layout, "y"))

    def read_pixels(self, hasher: Hasher | None = None) -> np.ndarray:
        """Pixels as they are stored: ``(height, width)``, any real type, either byte order.

        `hasher` is given every byte of the file; bytes beside the pixels are read for its sake only.
        """
        layout, file = self._layout, self._file
        if hasher is None:
            file.seek(layout.offset)
        else:
            file.seek(_HEADER_BYTES)
            hasher.update(self._raw)
            hasher.update(file.read(layout.offset - len(self._raw)))
        pixels = _read_array(self._path, file, layout)
        if hasher is not None:
            hasher.update(pixels.view(np.uint8))
            while chunk := file.read(_CHUNK):
                hasher.update(chunk)
        return pixels.reshape(layout.rows, layout.columns)


@dataclass(frozen=True, eq=False)
class Stack:
    """Images or sections of an MRC file.

    Attributes
    ----------
    images
        ``(k, h, w)``, as they are stored.
    pixel_size_ang
        Of the columns, rows and sections; 0 where the header states none.
    axes
        ``mapc, mapr, maps``: which axis (1 to 3) columns, rows and sections are.
    volume
        Whether the header calls it one volume, or the images are several; a single image is no volume.
    """

    images: np.ndarray
    pixel_size_ang: tuple[float, float, float]
    axes: tuple[int, int, int]
    volume: bool


def read_stack(path: Path) -> Stack:
    """All images of an MRC file, whose header is checked against the length of the file first.

    Files compressed with gzip or bzip2, as the EMDB keeps its maps, are told by their first bytes and unpacked.

    Raises
    ------
    InputError
        If it cannot be read, is no MRC file of real numbers, or is truncated.
    """
    try:
        with open_unpacked(path) as file:
            _, layout = _find_layout(path, file)
            _check_real_and_whole(path, layout)
            file.seek(layout.offset)
            images = _read_array(path, file, layout)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    sizes = [_voxel_size(layout, axis) for axis in ("x", "y", "z")]
    axes = [int(layout.header[field]) for field in ("mapc", "mapr", "maps")]
    return Stack(images.reshape(layout.images, layout.rows, layout.columns), (sizes[0], sizes[1], sizes[2]),
                 (axes[0], axes[1], axes[2]), layout.images > 1)


def write_mrc(path: str | os.PathLike[str], pixels: np.ndarray, pixel_size_ang: float) -> None:
    """Write one image as MRC with a complete header (size, cell, statistics), atomically.

    Parameters
    ----------
    path
        Target file.
    pixels
        ``(height, width)``.  int8, int16, uint16, float16 and float32 are kept, any other type becomes float32.
    pixel_size_ang
        Å per pixel.
    """
    if pixels.ndim != 2:
        raise ValueError(f"expected one image (height, width), got shape {pixels.shape}")
    stored = pixels if pixels.dtype.name in _STORED_AS_THEY_ARE else pixels.astype(np.float32)
    with atomic_path(path) as temporary, mrcfile.new(temporary, overwrite=True) as file:
        with np.errstate(over="ignore"):  # mrcfile sums 16-bit floats in 16 bits
            file.set_data(np.ascontiguousarray(stored))
        file.header.dmean, file.header.rms = stored.mean(dtype=np.float64), stored.std(dtype=np.float64)
        file.voxel_size = pixel_size_ang


def _read_array(path: Path, file: BinaryIO, layout: _Layout) -> np.ndarray:
    """The pixels, flat; `file` stands at the first one."""
    assert layout.dtype is not None
    stored = np.empty(layout.data_bytes, np.uint8)
    if file.readinto(stored) < stored.size:  # type: ignore[attr-defined]
        raise InputError(f"{path}: truncated while it was read; copy it again")
    return stored.view(layout.dtype)


def _single_image(path: Path, file: BinaryIO) -> tuple[bytes, _Layout]:
    """Header and layout of a file that holds one complete real image; anything else is an InputError."""
    raw, layout = _find_layout(path, file)
    if layout.dtype is not None and layout.images > 1:
        raise InputError(
            f"{path}: a stack of {layout.images} images, expected one; average the frames or split it into files"
        )
    _check_real_and_whole(path, layout)
    return raw, layout


def _check_real_and_whole(path: Path, layout: _Layout) -> None:
    if layout.dtype is None:
        kind = _REFUSED_MODES[layout.mode]
        raise InputError(f"{path}: MRC mode {layout.mode} ({kind}) is not a micrograph; convert it to 32-bit floats")
    if not layout.fits:
        present = max(0, layout.file_bytes - layout.offset)
        size = " x ".join(str(n) for n in (layout.columns, layout.rows, layout.images)[: 2 + (layout.images > 1)])
        raise InputError(
            f"{path}: truncated: {size} {layout.dtype.name} pixels need "
            f"{layout.data_bytes} bytes, found {present}; copy it again"
        )


def _find_layout(path: Path, file: BinaryIO) -> tuple[bytes, _Layout]:
    """Read and interpret the header, in the byte order under which it makes sense.

    The machine stamp is tried first.  Some programs write a wrong one, so the other order is taken where only that
    gives sane fields and enough bytes in the file.
    """
    file_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file_bytes < _HEADER_BYTES:
        raise InputError(f"{path}: not an MRC file: {file_bytes} bytes are less than its header of {_HEADER_BYTES};"
                         " copy it again")
    raw = file.read(_HEADER_BYTES)
    layouts = [_interpret(raw, order, file_bytes) for order in _byte_orders(raw)]
    for layout in layouts:
        if layout.fits:
            return raw, layout
    for layout in layouts:
        if layout.is_sane:
            return raw, layout
    kind = Sample(path, raw).kind
    if kind not in ("", MRC_KIND):
        raise InputError(f"{path}: not an MRC file: it is {kind}; give it its own extension, or convert it")
    first = layouts[0]
    raise InputError(
        f"{path}: not an MRC file: its header says mode {first.mode} "
        f"and {first.columns} x {first.rows} x {first.images} pixels"
    )


def _byte_orders(raw: bytes) -> tuple[str, str]:
    """Both byte orders, the one of the machine stamp first (little-endian if that is unknown)."""
    try:
        stated = byte_order_from_machine_stamp(np.frombuffer(raw, HEADER_DTYPE)[0]["machst"])
    except ValueError:
        stated = "<"
    return (">", "<") if stated == ">" else ("<", ">")


def _interpret(raw: bytes, byte_order: str, file_bytes: int) -> _Layout:
    header = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(byte_order))[0]
    mode = int(header["mode"])
    dtype = None
    if mode not in _REFUSED_MODES:
        try:
            dtype = dtype_from_mode(mode).newbyteorder(byte_order)
        except ValueError:
            dtype = None
    if mode == 0 and _has_unsigned_bytes(raw, header, byte_order):
        dtype = np.dtype(np.uint8)
    columns, rows, images, extended = (int(header[field]) for field in ("nx", "ny", "nz", "nsymbt"))
    return _Layout(header, columns, rows, images, mode, dtype, extended, file_bytes)


def _has_unsigned_bytes(raw: bytes, header: Any, byte_order: str) -> bool:
    """Whether the bytes of mode 0 are unsigned, though the format says that they are signed.

    IMOD says it in flags of its own.  Programs of before the format said anything wrote unsigned bytes without a
    word; then the statistics of the header are those of unsigned ones.
    """
    stamp, flags = (int(np.frombuffer(raw[place], f"{byte_order}i4")[0]) for place in (_STAMP_AT, _FLAGS_AT))
    if stamp == _IMOD_STAMP:
        return not flags & _SIGNED_BYTES
    lowest, highest = float(header["dmin"]), float(header["dmax"])
    return 0 <= lowest < highest and 127 < highest <= 255


def _pixel_size_ang(layout: _Layout, axis: str) -> float:
    """Cell length over the number of its intervals along an axis; NaN where the fields give none.

    Rounded to 1e-6 Å: cell lengths are 32-bit, and 1.77 must not come out as 1.7699999.
    """
    intervals = int(layout.header[f"m{axis}"])
    length_ang = float(layout.header["cella"][axis])
    return round(length_ang / intervals, 6) if intervals > 0 else float("nan")


def _voxel_size(layout: _Layout, axis: str) -> float:
    """Cell length over intervals as the header's 32-bit numbers give it; 0 where they give none."""
    intervals = int(layout.header["m" + axis])
    return float(layout.header["cella"][axis] / np.float32(intervals)) if intervals > 0 else 0.0
