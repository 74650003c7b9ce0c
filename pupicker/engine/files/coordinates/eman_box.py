"""EMAN box files: one micrograph a file, lines of ``x y width height [score]`` where x, y is a corner of the box."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import refuse_decimal_commas, to_numbers
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.sample import Sample, all_numbers, read_text
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import write_text
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    from pupicker.engine.files.coordinates.layout import Layout

SUFFIXES: tuple[str, ...] = (".box",)

_UNSET_SCORE = "-3"  # what EMAN1 writes for manual picks; a real score has decimals


def recognises(sample: Sample) -> bool:
    """Numbers alone, four or more a line, of which the third and fourth are one positive size."""
    rows = sample.rows()
    return bool(rows) and all(len(row) >= 4 and all_numbers(row[:4]) and row[2] == row[3] and float(row[2]) > 0
                              for row in rows)


def read(path: Path, source: Source) -> CoordinateTable:
    """Read the centres of the boxes, ``x + width / 2``; all are of the micrograph the file is named after."""
    try:
        lines = read_text(path).splitlines()
    except ValueError as error:
        raise InputError(f"{path}: not a box file: {error}") from error
    refuse_decimal_commas(path, lines)
    rows = [(number, line.replace(",", " ").split()) for number, line in enumerate(lines, 1) if line.strip()]
    for number, fields in rows:
        if len(fields) < 4:
            raise InputError(f"{path}: line {number}: {counted(len(fields), 'field')}, expected x y width height"
                             " [score]")

    def column(place: int, name: str) -> np.ndarray:
        return to_numbers([fields[place] for _, fields in rows], name, path, lambda row: rows[row][0])

    x, y, width, height = (column(place, name) for place, name in enumerate(("x", "y", "width", "height")))
    for place, (number, _) in enumerate(rows):
        if min(width[place], height[place]) < 0:
            raise InputError(f"{path}: line {number}: a box of {width[place]:g} x {height[place]:g}, expected x y width"
                             " height [score]")
    scored = all(len(fields) > 4 for _, fields in rows) and any(fields[4] != _UNSET_SCORE for _, fields in rows)
    score = column(4, "score") if scored else None
    names = np.full(len(rows), source.micrograph, dtype=object)
    return CoordinateTable(names, x + width / 2, y + height / 2, score)


def write(path: Path, table: CoordinateTable, layout: Layout) -> None:
    """Write boxes around the particles of one micrograph, corners in whole pixels: many programs read nothing else.

    Raises
    ------
    InputError
        No box size, or particles of several micrographs, which the format cannot tell apart.
    """
    size = checked_size(path, table, layout)
    scores = [[]] * len(table) if table.score is None else [[repr(score)] for score in table.score.tolist()]
    lines = [
        "\t".join([_corner(x, size), _corner(y, size), str(size), str(size), *score])
        for x, y, score in zip(table.x.tolist(), table.y.tolist(), scores, strict=True)
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))


def checked_size(path: Path, table: CoordinateTable, layout: Layout) -> int:
    """The box size, where the table can be written as boxes of one micrograph; raises as :func:`write`."""
    kind = path.suffix.lower()
    if layout.box_size_px is None:
        raise InputError(f"{path}: a {kind} file needs a box size in pixels: give one", "box_size")
    if len(table.names()) > 1:
        raise InputError(
            f"{path}: a {kind} file holds one micrograph, the table {len(table.names())}; write a folder of tables"
        )
    return layout.box_size_px


def _corner(centre: float, size: int) -> str:
    return str(math.floor(centre - size / 2 + 0.5))
