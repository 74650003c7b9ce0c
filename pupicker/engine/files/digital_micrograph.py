"""Gatan's ``.dm3`` and ``.dm4``, read by the package ncempy, which comes with Scipion and is optional otherwise."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pupicker.engine.files.micrograph_header import Hasher, Header
from pupicker.engine.runtime.errors import InputError

_ANG = {"nm": 10.0, "um": 1e4, "\u00b5m": 1e4, "A": 1.0, "\u00c5": 1.0}


class DmImage:
    """An open file of one image; parameters and errors as :class:`pupicker.engine.files.mrc.MrcImage`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._file = file
        found = _dataset(path)
        self._pixels = np.asarray(found["data"])
        if self._pixels.ndim != 2:
            raise InputError(f"{path}: a stack of {len(self._pixels)} images, expected one; average the frames")
        if self._pixels.dtype.kind not in "iuf":
            raise InputError(f"{path}: pixels of type {self._pixels.dtype} are not a micrograph")
        height, width = self._pixels.shape
        self.header = Header(path, width, height, self._pixels.dtype.name, _pixel_size_ang(found))

    def read_pixels(self, hasher: Hasher | None = None) -> np.ndarray:
        """Pixels as they are stored: ``(height, width)``; `hasher` is given every byte of the file."""
        if hasher is not None:
            self._file.seek(0)
            hasher.update(self._file.read())
        return self._pixels


def _dataset(path: Path) -> dict[str, Any]:
    try:
        from ncempy.io import dm
    except ImportError:
        raise InputError(f"{path}: reading .dm3 and .dm4 needs the package ncempy: pip install ncempy, or convert it to"
                         " MRC (dm2mrc of IMOD)") from None
    try:  # a map of the file in memory could not be closed where parsing it fails
        with contextlib.redirect_stdout(io.StringIO()), dm.fileDM(str(path), on_memory=False) as opened:
            return dict(opened.getDataset(0))
    except Exception as error:  # whatever its parser meets in a damaged file
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise InputError(f"{path}: cannot be read as a file of Digital Micrograph ({reason})") from error


def _pixel_size_ang(found: dict[str, Any]) -> float | None:
    sizes, units = found.get("pixelSize", ()), found.get("pixelUnit", ())
    if not len(sizes) or not len(units) or str(units[-1]) not in _ANG:
        return None
    return round(float(sizes[-1]) * _ANG[str(units[-1])], 6)
