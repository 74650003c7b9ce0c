"""Minibatches of crops, gathered by index from micrographs that stay in memory (or on the device).

All micrographs lie in one flat buffer, each padded by `margin_px` zeros (zero is the background level after
normalisation, and what dense scoring sees beyond a border).  A crop is a read at computed positions: no copies, no
loader processes, and an arbitrary rotation costs one bilinear gather.

Augmentation: each crop is turned by a random angle (bilinear) or by one of the eight exact symmetries of the square,
half of the time each: interpolation softens the noise a little, and the picker scores crops that were not softened.
Then each crop gets a grey level of its own and white noise (:data:`OFFSET_STD`, :data:`NOISE_STD`): with ten labels a
network otherwise tells the labelled crops from all others by such accidents.  Its contrast is left as it is, because
that is what tells a particle from the background.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

OFFSET_STD = 0.3
"""Standard deviation of a crop's added grey level, in standard deviations of the background."""

NOISE_STD = 0.7
"""Standard deviation of the noise added to each pixel, in the same unit."""

ALL_ROWS = slice(None)


@dataclass(frozen=True)
class Stack:
    """Normalised micrographs in one buffer.

    Attributes
    ----------
    buffer
        Flat float32.
    start, width
        ``(k,)`` int64: index of pixel (0, 0) of each micrograph, and the length of a buffer row.
    shapes
        Rows and columns of each micrograph.
    margin_px
        Zeros on each side.
    """

    buffer: Tensor
    start: Tensor
    width: Tensor
    shapes: tuple[tuple[int, int], ...]
    margin_px: int

    def to(self, device: torch.device) -> Stack:
        """The same stack on another device."""
        return Stack(self.buffer.to(device), self.start.to(device), self.width.to(device), self.shapes, self.margin_px)


def margin_for(size_px: int) -> int:
    """Zeros needed on each side so that a crop of `size_px` turned by any angle stays inside the buffer."""
    return int(size_px / 2 * 2**0.5) + 2


def stack_micrographs(images: list[Tensor], margin_px: int) -> Stack:
    """Copy normalised micrographs ``(h, w)``, of any sizes, into one padded buffer."""
    starts, widths, parts, position = [], [], [], 0
    for image in images:
        padded = torch.nn.functional.pad(image.to(torch.float32), (margin_px,) * 4)
        starts.append(position + margin_px * padded.shape[1] + margin_px)
        widths.append(padded.shape[1])
        parts.append(padded.reshape(-1))
        position += padded.numel()
    shapes = tuple((int(i.shape[0]), int(i.shape[1])) for i in images)
    return Stack(torch.cat(parts), torch.tensor(starts), torch.tensor(widths), shapes, margin_px)


def gather(stack: Stack, where: Tensor, size_px: int, transform: Tensor | None = None) -> Tensor:
    """Read square crops.

    Parameters
    ----------
    where
        ``(n, 3)`` int64: micrograph, row, column of the central pixel.
    size_px
        Odd side of the crops.
    transform
        ``(n, 2, 2)`` matrices that take an offset (dy, dx) in the crop to one in the micrograph; ``None``: identity.

    Returns
    -------
    Tensor
        ``(n, 1, size_px, size_px)`` float32.
    """
    device = stack.buffer.device
    reach = torch.arange(size_px, device=device) - size_px // 2
    offset = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), dim=-1).reshape(-1, 2)
    where = where.to(device)
    width = stack.width[where[:, 0]]
    centre = stack.start[where[:, 0]] + where[:, 1] * width + where[:, 2]
    if transform is None:
        index = centre[:, None] + offset[:, 0] * width[:, None] + offset[:, 1]
        return _read(stack, index).view(-1, 1, size_px, size_px)
    moved = offset.to(torch.float32) @ transform.to(device).transpose(1, 2)
    low = moved.floor()
    fy, fx = (moved - low).unbind(-1)
    y, x = low.long().unbind(-1)
    index = centre[:, None] + y * width[:, None] + x
    below = width[:, None]
    top = torch.lerp(_read(stack, index), _read(stack, index + 1), fx)
    bottom = torch.lerp(_read(stack, index + below), _read(stack, index + below + 1), fx)
    return torch.lerp(top, bottom, fy).view(-1, 1, size_px, size_px)


def _read(stack: Stack, index: Tensor) -> Tensor:
    """Buffer values; index_select is several times faster than indexing with a 2-D tensor."""
    return stack.buffer.index_select(0, index.reshape(-1)).view(index.shape)


def random_transforms(count: int, generator: torch.Generator) -> Tensor:
    """``(count, 2, 2)`` rotations and mirrors: half by any angle, half among the eight symmetries of the square."""
    device = generator.device
    angle = torch.rand(count, generator=generator, device=device) * (2 * torch.pi)
    quarter = torch.randint(4, (count,), generator=generator, device=device) * (torch.pi / 2)
    exact = torch.rand(count, generator=generator, device=device) < 0.5
    angle = torch.where(exact, quarter, angle)
    cosine, sine = angle.cos(), angle.sin()
    rotation = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    rotation = torch.where(exact[:, None, None], rotation.round(), rotation)
    mirror = torch.randint(2, (count,), generator=generator, device=device) * 2 - 1
    rotation[:, :, 1] *= mirror[:, None].to(torch.float32)
    return rotation


def perturb(
    crops: Tensor, generator: torch.Generator, rows: slice = ALL_ROWS, number: int | None = None
) -> Tensor:
    """Crops ``(n, 1, size, size)`` plus a random grey level each and white noise, drawn where the generator is.

    `rows`: those of `number` crops that these are; all are drawn for.
    """
    shape = (len(crops) if number is None else number, *crops.shape[1:])
    offset = torch.randn(shape[0], 1, 1, 1, generator=generator, device=generator.device) * OFFSET_STD
    noise = torch.randn(shape, generator=generator, device=generator.device) * NOISE_STD
    return crops + (offset[rows] + noise[rows]).to(crops.device)
