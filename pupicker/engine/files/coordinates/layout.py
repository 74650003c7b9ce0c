"""What a format may need beside a table to write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """What a format may need beside the table to write it.

    Attributes
    ----------
    box_size_px
        Side of the boxes.
    shapes
        Rows and columns of the micrographs, by name.
    """

    box_size_px: int | None = None
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
