"""Pixels of a micrograph of Scipion, whatever its format."""

from __future__ import annotations

from typing import Any

from pwem.constants import ALL_MRC_EXTENSIONS
from pwem.emlib.image.image_readers import ImageReadersRegistry, MRCImageReader

from pupicker.window.micrograph_image import MicrographError


def readMicrograph(path: str, index: int = 0) -> Any:
    """Pixels of a micrograph, an array (rows, columns); of a stack the image `index`, counted from 1.

    Raises
    ------
    MicrographError
        The file is missing or cannot be read.
    """
    try:
        if path.rsplit(".", 1)[-1].lower() in ALL_MRC_EXTENSIONS:
            pixels = MRCImageReader.getArray(path)  # its open() wants to write
        else:
            pixels = ImageReadersRegistry.open(path).getImage()
        while pixels.ndim > 2:
            pixels = pixels[max(index, 1) - 1 if len(pixels) > 1 else 0]
    except Exception as error:
        raise MicrographError("%s: cannot be shown (%s)" % (path, str(error).replace("\n", " "))) from error
    return pixels
