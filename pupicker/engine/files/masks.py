"""Masks that a user gives: a folder of images named like the micrographs, bright where nothing shall be picked.

MicrographCleaner writes such masks (0 is good, 1 is contaminated).  A mask may have any size, because masks are often
made on downsampled micrographs, but the proportions of its micrograph.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pupicker.engine.files.micrographs import read_pixels
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.files.png import decode_png
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import MASK_SUFFIXES, MaskError, masks_by_key

PROPORTIONS = 0.02
"""Relative difference of the proportions that rounding to whole pixels explains."""


class MaskFolder:
    """Which mask belongs to which micrograph.

    Parameters
    ----------
    folder
        Holds ``NAME.mrc``, ``NAME.png`` or ``NAME.tif``, or the same with ``NAME_mask``, where NAME is the
        micrograph's.
    micrographs
        All of the run; those of equal names are told apart by their folders, as their tables are.

    Raises
    ------
    InputError
        If there is no such folder, two masks fit one micrograph, or none fits any.
    """

    def __init__(self, folder: Path, micrographs: Sequence[Path]) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder", "masks")
        self.folder = folder
        try:
            masks = masks_by_key(folder)
        except MaskError as error:
            raise InputError(str(error), "masks") from error
        stems = distinct_stems(map(str, micrographs))
        self._of = {path: Path(masks[stem]) for path, stem in stems.items() if stem in masks}
        if not self._of:
            found = Path(next(iter(masks.values()))).name if masks else f"no {', '.join(MASK_SUFFIXES)} files"
            raise InputError(
                f"{folder}: no mask is named like a micrograph ({micrographs[0].name}); found {found}", "masks"
            )

    def of(self, micrograph: Path) -> Path | None:
        """The file of a micrograph's mask; None: it has none, nothing is excluded."""
        return self._of.get(str(micrograph))


def read_mask(path: Path) -> np.ndarray:
    """Bool ``(h, w)``: above half of 1, or above half of the largest value where that is larger than 1.

    Raises
    ------
    InputError
        If it cannot be read, or is no grey-scale image.
    """
    pixels = _read_png(path) if path.suffix.lower() == ".png" else read_pixels(path)
    greatest = float(np.nanmax(pixels)) if pixels.size else 0.0
    return np.asarray(pixels > max(greatest, 1.0) / 2)


def mask_at(mask: np.ndarray, shape: tuple[int, int], rows: np.ndarray, columns: np.ndarray, path: Path) -> np.ndarray:
    """Values of a mask at `rows` and `columns` (pixels of the micrograph of `shape`), bool ``(rows, columns)``.

    Raises
    ------
    InputError
        If mask and micrograph have other proportions; `path` is named.
    """
    height, width = shape
    if abs(mask.shape[0] * width / (mask.shape[1] * height) - 1) > PROPORTIONS:
        raise InputError(
            f"{path}: {mask.shape[1]} x {mask.shape[0]} pixels have other proportions than the micrograph's"
            f" {width} x {height}; give a mask of the whole micrograph, at any size"
        )
    row, column = (
        np.clip(np.floor((index + 0.5) * own / all_).astype(int), 0, own - 1)
        for index, own, all_ in ((rows, mask.shape[0], height), (columns, mask.shape[1], width))
    )
    return np.asarray(mask[np.ix_(row, column)])


def _read_png(path: Path) -> np.ndarray:
    try:
        return decode_png(path, path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {os.strerror(error.errno or 0)}") from error
