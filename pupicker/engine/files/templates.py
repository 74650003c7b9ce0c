"""Templates of a particle from a file: what template matching looks for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pupicker.core.detection.template import MASK
from pupicker.core.geometry import Geometry
from pupicker.core.image.downsampling import fourier_resize
from pupicker.engine.files.listing import resolve_from_star
from pupicker.engine.files.mrc import read_stack
from pupicker.engine.files.star import read_star
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.plurals import counted


def read_templates(path: Path, pixel_size_ang: float | None, geometry: Geometry) -> list[Tensor]:
    """Templates ``(n, n)``, n odd, from a file: at the working pixel size, cut to the mask, darker than their rim.

    Whether the particle is bright in the file, as class averages are, or dark, as micrographs are, is seen from its
    inside against the rest.

    Parameters
    ----------
    path
        An MRC image or a stack of square images, with the particle in the middle; or a STAR file that names such ones.
    pixel_size_ang
        Of the file; None: from its header.
    geometry
        Lengths of the task.

    Raises
    ------
    InputError
        If it is no such file, has no pixel size, or an image is empty or smaller than the particle.
    """
    stack, pixel_size = _read_star(path) if path.suffix.lower() == ".star" else _read_finite(path)
    pixel_size = pixel_size_ang or pixel_size
    if not pixel_size > 0:
        raise InputError(f"{path}: no pixel size in its header; give it, in A", "template_pixel_size")
    side = stack.shape[1]
    if side != stack.shape[2]:
        raise InputError(f"{path}: images of {stack.shape[2]} x {side} pixels; they must be square")
    if side % 2:  # one more row and column before the others: the middle stays pixel n / 2, which resampling keeps
        stack, side = np.pad(stack, ((0, 0), (1, 0), (1, 0)), mode="edge"), side + 1
    if side * pixel_size < geometry.diameter_ang:
        raise InputError(
            f"{path}: images of {side * pixel_size:.0f} A are smaller than the particle of {geometry.diameter_ang:g} A;"
            " check its pixel size and the diameter", "template_pixel_size", "diameter"
        )
    even = 2 * max(4, round(side * pixel_size / geometry.working_pixel_size_ang / 2))
    diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
    middle = even // 2 - 1
    reach = min(middle, math.ceil(MASK * diameter))
    cut = slice(middle - reach, middle + reach + 1)
    templates = []
    for number, image in enumerate(torch.from_numpy(stack), 1):
        if not bool(image.std() > 0):
            raise InputError(f"{path}: image {number} is empty; leave it out")
        # The middle of an image is its pixel n / 2; without the first row and column it is the middle pixel.
        templates.append(_dark(fourier_resize(image, (even, even))[1:, 1:][cut, cut], diameter / 2))
    return templates


def _read_star(path: Path) -> tuple[np.ndarray, float]:
    """The images that a table names as ``NUMBER@FILE``, numbers from 1, and the pixel size of the first one's file."""
    table = read_star(path, ["rlnImageName"])
    names = table.columns["rlnImageName"] if table is not None else []
    if not names:
        raise InputError(f"{path}: names no images; the column _rlnImageName must, as NUMBER@FILE")
    stacks: dict[str, tuple[np.ndarray, float]] = {}
    images: list[np.ndarray] = []
    for name in names:
        number, _, file = name.rpartition("@")
        if file not in stacks:
            stacks[file] = _read_finite(resolve_from_star(file, path))
        index = int(number) if number.isdigit() else 1
        if not 1 <= index <= len(stacks[file][0]):
            raise InputError(f"{path}: names {name}, but {file} holds"
                             f" {counted(len(stacks[file][0]), 'image')}")
        images.append(stacks[file][0][index - 1])
        if images[-1].shape != images[0].shape:
            raise InputError(f"{path}: images of several sizes; give images of one size")
    return np.stack(images), next(iter(stacks.values()))[1]


def _read_finite(path: Path) -> tuple[np.ndarray, float]:
    """Images ``(k, h, w)`` float32, and the pixel size of the header, 0 if there is none."""
    stack = read_stack(path)
    if not np.isfinite(stack.images).all():
        raise InputError(f"{path}: must hold one image or a stack of images, of finite numbers")
    return stack.images.astype(np.float32), stack.pixel_size_ang[0]


def _dark(image: Tensor, radius_px: float) -> Tensor:
    """With its inside darker than the rest."""
    offset = torch.arange(image.shape[0]) - image.shape[0] // 2
    inside = torch.hypot(offset[:, None].float(), offset[None, :].float()) <= radius_px
    return image if bool(image[inside].mean() < image[~inside].mean()) else -image
