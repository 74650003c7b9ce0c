"""From a micrograph file to the image that the network sees: read, resample, normalise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from pupicker.core.background import flatten
from pupicker.core.downsampling import fourier_resize, resized_shape
from pupicker.core.histograms import Histogram, histogram
from pupicker.core.normalization import (
    Mixture,
    fit_to_mixture,
    normalize,
)
from pupicker.engine.errors import InputError
from pupicker.engine.micrographs import read_header, read_image, resolve_pixel_size

LARGEST_ENLARGEMENT = 2.0
"""Coarser micrographs than this many working pixels hold too little of what the network was trained on."""

SMALLEST_SIDE_PX = 16

T = TypeVar("T")


@dataclass(frozen=True)
class Resampled:
    """A micrograph at the working pixel size, not yet normalised.

    Attributes
    ----------
    path, pixel_size_ang, shape
        The file, its pixel size, its rows and columns.
    pixels
        ``(h, w)`` float32.
    step
        Input pixels per working pixel along rows and columns (they differ by the rounding to whole pixels).
    invalid
        bool ``(rows, columns)`` of NaN or infinite input pixels, or None.
    """

    path: Path
    pixel_size_ang: float
    shape: tuple[int, int]
    pixels: Tensor
    step: tuple[float, float]
    invalid: np.ndarray | None

    @property
    def n_invalid(self) -> int:
        """Number of invalid pixels."""
        return 0 if self.invalid is None else int(np.count_nonzero(self.invalid))

    def histogram(self) -> Histogram:
        """For the normalisation."""
        try:
            return histogram(self.pixels)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error


def resample(path: Path, pixel_size_ang: float | None, working_pixel_size_ang: float) -> Resampled:
    """Read a micrograph and resample it.

    Raises
    ------
    InputError
        If it cannot be read, has no pixel size, or is much coarser or smaller than the method can use.
    """
    pixel_size = resolve_pixel_size(read_header(path), pixel_size_ang)
    if pixel_size > LARGEST_ENLARGEMENT * working_pixel_size_ang:
        raise InputError(
            f"{path}: its pixels of {pixel_size:.4g} A are too coarse for a working pixel size of"
            f" {working_pixel_size_ang:.4g} A; give micrographs of at most"
            f" {LARGEST_ENLARGEMENT * working_pixel_size_ang:.4g} A, or train a model on these"
        )
    image = read_image(path)
    rows, columns = image.pixels.shape
    smallest = SMALLEST_SIDE_PX * working_pixel_size_ang
    if min(rows, columns) * pixel_size < smallest:
        raise InputError(
            f"{path}: {columns} x {rows} pixels of {pixel_size:.4g} A are too small an image to pick in at a working"
            f" pixel size of {working_pixel_size_ang:.4g} A, which needs {smallest:.4g} A along both sides; check the"
            " pixel size and the diameter"
        )
    shape = resized_shape((rows, columns), pixel_size, working_pixel_size_ang)
    pixels = fourier_resize(torch.from_numpy(image.pixels), shape)
    return Resampled(path, pixel_size, (rows, columns), pixels, (rows / shape[0], columns / shape[1]), image.invalid)


def network_input(micrograph: Resampled, mixture: Mixture, scale: float, offset: float, background_px: float) -> Tensor:
    """Normalised and flattened ``(h, w)``: what networks are trained on and score."""
    return flatten(normalize(micrograph.pixels, mixture, scale, offset), background_px)


def network_input_of_new(micrograph: Resampled, mixture: Mixture, background_px: float) -> Tensor:
    """Normalise a new micrograph with its own scale under a mixture fitted before."""
    scale, offset = fit_to_mixture(micrograph.histogram(), mixture)
    return network_input(micrograph, mixture, float(scale[0]), float(offset[0]), background_px)


def in_background(work: Callable[[Path], T], paths: Sequence[Path], threads: int) -> Iterator[tuple[Path, Future[T]]]:
    """Run `work` for each path in `threads` threads, a few ahead of the consumer; yields in the order of `paths`."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        pending: list[tuple[Path, Future[T]]] = []
        for path in paths:
            pending.append((path, pool.submit(work, path)))
            if len(pending) > 2 * threads:
                yield pending.pop(0)
        yield from pending
