"""Names of micrographs and of their masks, as the plugin and the core both tell them."""

from __future__ import annotations

import os
from typing import Dict

READ_DIRECTLY = (".mrc", ".tif", ".tiff")
MASK_EXTENSIONS = (".mrc", ".mrcs", ".tif", ".tiff", ".png")
IMAGE_EXTENSIONS = READ_DIRECTLY + (".mrcs", ".eer", ".dm3", ".dm4", ".hdf", ".map", ".spi", ".xmp", ".png", ".jpg")


def stem(micName: str) -> str:
    """Name without folder and image extension; other dots belong to the name (``May08_04.33.57``)."""
    short, extension = os.path.splitext(os.path.basename(micName))
    return short if extension.lower() in IMAGE_EXTENSIONS else os.path.basename(micName)


def masksByName(folder: str) -> Dict[str, str]:
    """Masks of a folder by the name of their micrograph: ``a.png``, ``a_mask.mrc`` belong to ``a``."""
    masks = {}
    for name in sorted(os.listdir(folder)):
        short, extension = os.path.splitext(name)
        if extension.lower() in MASK_EXTENSIONS and not name.startswith("."):
            short = stem(short)
            masks[short[:-len("_mask")] if short.endswith("_mask") else short] = os.path.join(folder, name)
    return masks
