"""PNG pictures as micrographs: one grey-scale image, 8 or 16 bit, rows from the top; it has no pixel size."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np

from pupicker.engine.files.micrograph_header import Hasher, Header
from pupicker.engine.runtime.errors import InputError


class PngImage:
    """An open PNG file; parameters and errors as :class:`pupicker.engine.files.mrc.MrcImage`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._content = file.read()
        self._pixels = decode_png(path, self._content)
        height, width = self._pixels.shape
        self.header = Header(path, width, height, self._pixels.dtype.name, None)

    def read_pixels(self, hasher: Hasher | None = None) -> np.ndarray:
        """Pixels as they are stored: ``(height, width)``; `hasher` is given every byte of the file."""
        if hasher is not None:
            hasher.update(self._content)
        return self._pixels


def decode_png(path: Path, content: bytes) -> np.ndarray:
    """Pixels ``(height, width)`` of a grey-scale picture; InputError if it is none."""
    try:
        pixels = np.asarray(imagecodecs.png_decode(content))
    except Exception as error:  # the codec has exceptions of its own
        raise InputError(f"{path}: cannot be read as PNG ({str(error).splitlines()[0]})") from error
    if pixels.ndim != 2:
        raise InputError(f"{path}: {pixels.shape[2]} colour channels, expected one; save it as grey scale")
    return pixels
