"""From a micrograph file to the image that the network sees: read, resample, normalise."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pupicker.core.image.background import flatten
from pupicker.core.image.borders import live_area
from pupicker.core.image.downsampling import fourier_resize, resized_shape
from pupicker.core.image.histograms import Histogram, histogram
from pupicker.core.image.normalization import (
    Mixture,
    fit_to_mixture,
    normalize,
)
from pupicker.engine.files.micrographs import Header, Image, open_micrograph, resolve_pixel_size
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.memory import SharedMemory

LARGEST_ENLARGEMENT = 2.0
"""Coarser micrographs than this many working pixels hold too little of what the network was trained on."""

SMALLEST_SIDE_PX = 16

LARGEST_BLANK = 0.6
"""Share of the pixels that may have one and the same value: with more than two thirds an image has no robust spread,
and the joint fit of the normalisation would give all micrographs another scale."""

_BLANK_SAMPLE = 25_000

READING = SharedMemory(512 << 20)
"""For the pixels of all micrographs that are being resampled: two of 8192 x 8192, or any four up to 5792 x 5792."""

Coarser = Literal["enlarge", "keep", "refuse"]
"""What happens to a micrograph that is coarser than the working pixel size: it is enlarged (up to
:data:`LARGEST_ENLARGEMENT`), keeps its pixels, or is an error."""


@dataclass(frozen=True)
class Resampled:
    """A micrograph at the working pixel size, not yet normalised.

    Attributes
    ----------
    path, pixel_size_ang, shape
        The file, its pixel size, its rows and columns.
    pixels
        ``(h, w)`` float32: the live area.
    step
        Input pixels per working pixel along rows and columns (they differ by the rounding to whole pixels).
    invalid
        bool ``(rows, columns)`` of input pixels that are no values, or None.
    area
        Rows and columns of the file that hold an image (:mod:`pupicker.core.image.borders`); None: all of them.
    contaminated
        Bool ``(h, w)``: where there is no specimen (:mod:`pupicker.engine.preparation.exclusion`); None: nowhere.
    excluded
        Bool ``(h, w)``: where nothing is picked, what is contaminated and a margin; None: nowhere.
    digest
        SHA-256 of the file, in hexadecimal digits, if it was asked for.
    """

    path: Path
    pixel_size_ang: float
    shape: tuple[int, int]
    pixels: Tensor
    step: tuple[float, float]
    invalid: np.ndarray | None
    area: tuple[slice, slice] | None = None
    contaminated: Tensor | None = None
    excluded: Tensor | None = None
    digest: str | None = None

    @property
    def n_invalid(self) -> int:
        """Number of invalid pixels."""
        return 0 if self.invalid is None else int(np.count_nonzero(self.invalid))

    @property
    def borders(self) -> tuple[int, int, int, int]:
        """Width of what was cut off at the top, bottom, left and right, in pixels of the file."""
        rows, columns = self._area()
        return rows.start, self.shape[0] - rows.stop, columns.start, self.shape[1] - columns.stop

    @property
    def cut(self) -> tuple[bool, bool, bool, bool]:
        """Whether something was cut off at the top, bottom, left, right."""
        top, bottom, left, right = self.borders
        return top > 0, bottom > 0, left > 0, right > 0

    def _area(self) -> tuple[slice, slice]:
        return self.area or (slice(0, self.shape[0]), slice(0, self.shape[1]))

    def holds(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which positions (pixels of the file) lie in the live area."""
        rows, columns = self._area()
        return (
            (x > columns.start - 0.5) & (x < columns.stop - 0.5) & (y > rows.start - 0.5) & (y < rows.stop - 0.5)
        )

    def to_working(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """``(n, 2)`` x, y in working pixels of positions in pixels of the file."""
        rows, columns = self._area()
        return np.stack([(x - columns.start) / self.step[1], (y - rows.start) / self.step[0]], axis=1)

    def to_file(self, xy: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`to_working`; never outside of the live area."""
        rows, columns = self._area()
        x = np.clip(xy[:, 0] * self.step[1] + columns.start, columns.start, columns.stop - 1)
        y = np.clip(xy[:, 1] * self.step[0] + rows.start, rows.start, rows.stop - 1)
        return np.stack([x, y], axis=1)

    def histogram(self) -> Histogram:
        """For the normalisation."""
        try:
            return histogram(self.pixels)
        except ValueError as error:
            raise InputError(f"{self.path}: {error}") from error


def resample(
    path: Path, pixel_size_ang: float | None, working_pixel_size_ang: float, keep_borders: bool = False,
    coarser: Coarser = "enlarge", digest: bool = False,
) -> Resampled:
    """Read a micrograph, cut off borders without an image (unless `keep_borders`), and resample it.

    The file is opened once; with `digest` its SHA-256 is taken from the bytes that were read.  It waits for a share of
    :data:`READING`.

    Raises
    ------
    InputError
        If it cannot be read, has no pixel size, or is much coarser or smaller than the method can use.
    """
    with ExitStack() as until_resampled:
        with open_micrograph(path) as file:
            pixel_size = resolve_pixel_size(file.header, pixel_size_ang)
            target = _target(path, pixel_size, working_pixel_size_ang, coarser)
            until_resampled.enter_context(READING.room_for(_pixel_bytes(file.header)))
            image = file.read_image(digest)
        del file  # a TIFF holds all bytes of its file
        return _resampled(path, image, pixel_size, target, keep_borders)


def _pixel_bytes(header: Header) -> int:
    """Of the pixels in single precision, and as they are stored if that is another type."""
    stored = 0 if header.dtype == "float32" else np.dtype(header.dtype).itemsize
    return header.width * header.height * (4 + stored)


def _resampled(path: Path, image: Image, pixel_size: float, target: float, keep_borders: bool) -> Resampled:
    pixels = torch.from_numpy(image.pixels)
    whole = (int(pixels.shape[0]), int(pixels.shape[1]))
    area = None if keep_borders else live_area(pixels)
    if area is not None:
        pixels = pixels[area]
    _check_filled(path, pixels)
    rows, columns = pixels.shape
    smallest = SMALLEST_SIDE_PX * target
    if min(rows, columns) * pixel_size < smallest:
        raise InputError(
            f"{path}: {columns} x {rows} pixels of {pixel_size:.4g} A are too small an image to pick in at a working"
            f" pixel size of {target:.4g} A, which needs {smallest:.4g} A along both sides; check the"
            " pixel size and the diameter"
        )
    shape = resized_shape((rows, columns), pixel_size, target)
    step = (rows / shape[0], columns / shape[1])
    return Resampled(path, pixel_size, whole, fourier_resize(pixels, shape), step, image.invalid, area,
                     digest=image.digest)


def _target(path: Path, pixel_size: float, working: float, coarser: Coarser) -> float:
    """The pixel size to resample to, in A."""
    if coarser == "enlarge":
        if pixel_size > LARGEST_ENLARGEMENT * working:
            raise InputError(
                f"{path}: its pixels of {pixel_size:.4g} A are too coarse for a working pixel size of"
                f" {working:.4g} A; give micrographs of at most"
                f" {LARGEST_ENLARGEMENT * working:.4g} A, or train a model on these"
            )
        return working
    if pixel_size <= working * (1 + 1e-6):
        return working
    if coarser == "refuse":
        raise InputError(f"{path}: has pixels of {pixel_size:.4g} A, already coarser than the {working:.4g} A asked"
                         " for")
    return pixel_size


def _check_filled(path: Path, pixels: Tensor) -> None:
    """Most pixels have values of their own, judged by a sample of them."""
    flat = pixels.reshape(-1)
    sample = flat[:: max(1, len(flat) // _BLANK_SAMPLE)]
    middle = sample.median()  # what more than half of the pixels have is the median
    share = float((sample == middle).double().mean())
    if share > LARGEST_BLANK:
        raise InputError(
            f"{path}: {100 * share:.0f} % of its pixels have one value, {float(middle):g} (blank, or NaN); leave it out"
            " or compute it again"
        )


def network_input(micrograph: Resampled, mixture: Mixture, scale: float, offset: float, background_px: float) -> Tensor:
    """Normalised and flattened ``(h, w)``, zero where it is contaminated: what networks are trained on and score."""
    return flatten(normalize(micrograph.pixels, mixture, scale, offset), background_px, micrograph.contaminated)


def network_input_of_new(micrograph: Resampled, mixture: Mixture, background_px: float) -> Tensor:
    """Normalise a new micrograph with its own scale under a mixture fitted before."""
    scale, offset = fit_to_mixture(micrograph.histogram(), mixture)
    return network_input(micrograph, mixture, float(scale[0]), float(offset[0]), background_px)
