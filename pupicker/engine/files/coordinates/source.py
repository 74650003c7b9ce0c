"""What a reader of a table knows beside the file: the micrograph it is named after, and what the user said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import UsageError
from pupicker.shared import options


@dataclass(frozen=True)
class Reading:
    """How the tables of the user are meant.

    Attributes
    ----------
    name_pattern
        Regular expression with one group, searched for in each name of the table: what the group holds is the
        micrograph's name.
    scale
        Size of the micrographs over that of the images that the table is of.
    averaged
        Whether those images are averages of whole pixels (:meth:`CoordinateTable.scaled`).
    fractions
        Whether the table has fractions of the micrographs' width and height; nothing else is scaled then.
    swap_xy, flip_x, flip_y
        The table has the row first; it counts columns or rows from the last one.  Applied after `scale`, in this order.
    min_score
        Rows with lower scores are left out.
    refined_origins
        Whether the origins of a refinement move the coordinates.
    pixel_size_ang
        Of the micrographs; None: as their headers or the table say.
    """

    name_pattern: str | None = None
    scale: float = 1.0
    averaged: bool = False
    fractions: bool = False
    swap_xy: bool = False
    flip_x: bool = False
    flip_y: bool = False
    min_score: float | None = None
    refined_origins: bool = True
    pixel_size_ang: float | None = None

    def __post_init__(self) -> None:
        """Raise UsageError at what cannot be."""
        check_options({"scale": self.scale}, [options.SCALE])
        if self.averaged and self.scale == 1.0:
            raise UsageError("averages of pixels without a scale: give that too, or leave it out", "averaged", "scale")
        if self.fractions and self.scale != 1.0:
            raise UsageError("fractions have no scale: give one of both", "fractions", "scale")
        if self.name_pattern is None:
            return
        try:
            groups = re.compile(self.name_pattern).groups
        except re.error as error:
            raise UsageError(f"the pattern {self.name_pattern!r} cannot be read ({error})", "name_pattern") from error
        if groups != 1:
            raise UsageError(f"the pattern {self.name_pattern!r} has {groups} groups in parentheses; it must have one,"
                             " around the micrograph's name", "name_pattern")


@dataclass(frozen=True)
class Source:
    """One file to read.

    Attributes
    ----------
    micrograph
        Name of the micrograph that the file is named after: its rows belong to that where it names none.
    reading
        What the user said.
    only
        The only micrograph that was given, where the file is not one of a folder.
    certain
        Whether `micrograph` is one of those given, or none were given.
    """

    micrograph: str
    reading: Reading = field(default_factory=Reading)
    only: str | None = None
    certain: bool = True
