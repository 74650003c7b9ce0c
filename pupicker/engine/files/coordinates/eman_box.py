"""EMAN box files: one micrograph a file, lines of ``x y width height [score]`` where x, y is a corner of the box."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import to_numbers
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import write_text

_UNSET_SCORE = "-3"  # what EMAN1 writes for manual picks; a real score has decimals


def read(path: Path, micrograph: str) -> CoordinateTable:
    """Read the centres of the boxes, ``x + width / 2``; all of them belong to `micrograph`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a box file: it is not text") from error
    rows = [(number, line.replace(",", " ").split()) for number, line in enumerate(lines, 1) if line.strip()]
    for number, fields in rows:
        if len(fields) < 4:
            raise InputError(f"{path}: line {number}: {len(fields)} fields, expected x y width height [score]")

    def column(place: int, name: str) -> np.ndarray:
        return to_numbers([fields[place] for _, fields in rows], name, path, lambda row: rows[row][0])

    x, y, width, height = (column(place, name) for place, name in enumerate(("x", "y", "width", "height")))
    scored = all(len(fields) > 4 for _, fields in rows) and any(fields[4] != _UNSET_SCORE for _, fields in rows)
    score = column(4, "score") if scored else None
    names = np.full(len(rows), micrograph, dtype=object)
    return CoordinateTable(names, x + width / 2, y + height / 2, score)


def write(path: Path, table: CoordinateTable, box_size_px: int | None) -> None:
    """Write boxes of `box_size_px` around the particles of one micrograph.

    Raises
    ------
    InputError
        No box size, or particles of several micrographs, which the format cannot tell apart.
    """
    if box_size_px is None:
        raise InputError(f"{path}: a .box file needs a box size in pixels")
    if len(table.names()) > 1:
        raise InputError(
            f"{path}: a .box file holds one micrograph, the table {len(table.names())}; write a folder of tables"
        )
    corners = [(table.x - box_size_px / 2).tolist(), (table.y - box_size_px / 2).tolist()]
    scores = [[]] * len(table) if table.score is None else [[repr(score)] for score in table.score.tolist()]
    lines = [
        "\t".join([_text(x), _text(y), str(box_size_px), str(box_size_px), *score])
        for x, y, score in zip(*corners, scores, strict=True)
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))


def _text(value: float) -> str:
    """Whole numbers as such: many programs expect no fraction."""
    return str(int(value)) if value.is_integer() else repr(value)
