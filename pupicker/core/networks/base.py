"""What every network has: a receptive field, settings, and a map of scores.

**One score a step.**  A strided classifier of ``r``×``r`` regions becomes a dense scorer without other weights: where
a convolution would have skipped positions (its stride, and those before it), it keeps them, and the later kernels are
dilated by what was not skipped.  With output stride 1 every pixel gets the score of the crop around it; with 2 or 4
every 2nd or 4th pixel in both directions gets **the same** score at a quarter or a sixteenth of the cost.

**A cell a step.**  The last layer may give several positions at once: ``cell``×``cell`` numbers, which are the scores
of as many positions within one step of the stride (depth to space).  Neighbouring positions share nearly all of their
pixels, so one pass at the full stride gives a map ``total_stride / cell`` pixels fine.  Such a network has this one
output stride.  None is trained so; :mod:`.cell_head` makes it of a trained one.

**Positions.**  Element (i, j) of a map of output stride ``s`` is centred on pixel ``(f // 2 + i s, f // 2 + j s)`` of
the image, with the odd *map field* ``f = r - (total_stride - s)`` of a network with cells and ``f = r`` of any other;
the map has ``(h - f) // s + 1`` rows.  The positions of a cell lie evenly around the middle of the ``r``×``r`` pixels
that determine them.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PARTICLE_FRACTION = 22 / 31
"""Part of the field that the particle fills in the smallest networks: detail, and a rim that neighbours show in."""

LARGEST_WIDTH = 4096
"""Channels of a first layer; more fill any memory."""


class Pace:
    """Strides that the strided network, and a dense evaluation of it, have accumulated so far.

    Attributes
    ----------
    nominal, actual
        Product of the strides of the layers passed, and of what was really skipped.
    """

    def __init__(self, output_stride: int) -> None:
        self.output_stride = output_stride
        self.nominal = self.actual = 1

    @property
    def dilation(self) -> int:
        """Of the next layer."""
        return self.nominal // self.actual

    def take(self, stride: int) -> tuple[int, int]:
        """Pass a layer with its own `stride`; the stride and dilation to evaluate it with."""
        step, dilation = math.gcd(stride, self.output_stride // self.actual), self.dilation
        self.nominal *= stride
        self.actual *= step
        return step, dilation


class StridedConv(nn.Conv2d):
    """A convolution that can leave out (part of) its stride; ``dilation`` is chosen at the call."""

    def dense(self, x: Tensor, stride: int, dilation: int) -> Tensor:
        """Convolve with the given stride and dilation instead of the layer's own."""
        return F.conv2d(x, self.weight, self.bias, stride, 0, dilation)


class Classifier(nn.Module):
    """Base of the networks: valid (unpadded) convolutions from one channel to one logit.

    Attributes
    ----------
    receptive_field_px
        Odd side of the region that determines a score, or the scores of a cell.
    total_stride
        Product of the strides; dense evaluation is possible at every divisor, unless there are cells.
    cell
        Positions on each side of a cell; 1: a score a step.
    particle_fraction
        Part of the receptive field that the particle's diameter should fill: it sets the working pixel size.
    setting_names
        Keywords of the constructor; all of them have defaults and are JSON values.
    settings
        What :meth:`from_settings` takes to build the same network again.
    head
        The last layer, a convolution with a bias: features to a logit, or to those of a cell, row by row.
    precision
        In which numbers features are computed; the head always computes in float32.
    """

    receptive_field_px: int
    total_stride: int
    cell: int = 1
    particle_fraction: float = PARTICLE_FRACTION
    setting_names: ClassVar[tuple[str, ...]] = ()
    settings: dict[str, Any]
    head: nn.Conv2d
    precision: torch.dtype = torch.float32

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Packages may still call it by the name of the first versions, ``fill``."""
        super().__init_subclass__(**keywords)
        cls.particle_fraction = cls.__dict__.get("fill", cls.particle_fraction)

    @property
    def output_stride(self) -> int:
        """Distance in pixels of two scores when the network is evaluated at its own stride."""
        return self.total_stride // self.cell

    @property
    def map_field_px(self) -> int:
        """Side of what a score is in the middle of; see the module's docstring."""
        return self.receptive_field_px - (self.total_stride - self.output_stride)

    def output_stride_for(self, wanted: int) -> int:
        """The output stride of a map that is about `wanted` pixels fine."""
        return self.output_stride if self.cell > 1 else math.gcd(wanted, self.total_stride)

    @classmethod
    def particle_px(cls) -> float:
        """Pixels that the particle's diameter should have at the working pixel size."""
        return cls.particle_fraction * cls.receptive_field_px

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Classifier:
        """Build from a dictionary.

        Raises
        ------
        ValueError
            An unknown setting, which is never ignored, or a value that is none.
        """
        title = cls.__name__.lower()
        unknown = sorted(set(settings) - set(cls.setting_names))
        if unknown:
            has = ", ".join(cls.setting_names) or "none"
            raise ValueError(f"network {title} has no setting {unknown[0]!r}; it has: {has}")
        try:
            network = cls(**settings)
        except (TypeError, ValueError, RuntimeError) as error:
            given = ", ".join(f"{name}={value}" for name, value in settings.items())
            raise ValueError(f"network {title} cannot be built with {given or 'its defaults'}: {error}") from error
        network.settings = dict(settings)
        return network

    def channels_last(self) -> Classifier:
        """Store the weights in the order in which convolutions are fastest (in place)."""
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self

    def padded(self, image: Tensor, output_stride: int | None = None) -> Tensor:
        """The image ``(h, w)`` with zeros around it so that the map of it begins at its first pixel.

        Half a field of them on each side, and as many more at the end as whole steps or cells need.
        """
        field, unit = self.map_field_px, (output_stride or self.output_stride) * self.cell
        before = field // 2
        bottom, right = (-(-side // unit) * unit + field - 1 - before - side for side in image.shape)
        return F.pad(image, (before, right, before, bottom))

    def features(self, x: Tensor, output_stride: int) -> Tensor:
        """Feature maps ``(n, c, h', w')`` of images ``(n, 1, h, w)``, at the total stride if there are cells."""
        raise NotImplementedError

    def precise_features(self, x: Tensor, output_stride: int) -> Tensor:
        """As :meth:`features`, computed in :attr:`precision`; float32."""
        if self.precision == torch.float32:
            return self.features(x, output_stride)
        with torch.autocast(x.device.type, self.precision):
            out = self.features(x, output_stride)
        return out.float()

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``(n, h', w')`` of feature maps."""
        out: Tensor = self.head(features)
        return (out if self.cell == 1 else F.pixel_shuffle(out, self.cell))[:, 0]

    def forward(self, x: Tensor, output_stride: int | None = None) -> Tensor:
        """Logits ``(n, h', w')`` of images ``(n, 1, h, w)``; positions as in the module's docstring.

        Default: the network's own stride.  With cells ``h - receptive_field_px`` and ``w - receptive_field_px`` should
        be multiples of the total stride; what is more is not looked at.
        """
        stride = self.output_stride if output_stride is None else output_stride
        if self.cell > 1 and stride != self.output_stride:
            raise ValueError(f"output stride {stride} is not {self.output_stride}, the only one of this network of"
                             f" stride {self.total_stride}")
        if stride < 1 or self.total_stride % stride:
            raise ValueError(f"output stride {stride} does not divide the network's stride {self.total_stride}")
        return self.logits(self.precise_features(x, stride * self.cell))


def check_settings(width: object, dropout: object, norm: object, norms: tuple[str, ...]) -> None:
    """Raise ValueError unless the settings that pupicker's own networks share make sense."""
    if not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= LARGEST_WIDTH:
        raise ValueError(f"width is {width}, must be a whole number from 1 to {LARGEST_WIDTH}")
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}, must be at least 0 and below 1")
    if norm not in norms:
        raise ValueError(f"norm is {norm}, must be one of {', '.join(norms)}")
