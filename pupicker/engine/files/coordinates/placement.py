"""From the pixels of a table to those of the micrographs: scale, swapped axes, mirrored rows; fractions are noticed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.source import Reading
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.plurals import counted

FEWEST_FRACTIONS = 3
"""So many positions between 0 and 1, not all whole, are no pixels."""

ShapeOf = Callable[[str], "tuple[int, int] | None"]
"""Rows and columns of a micrograph by its name; None where it cannot be read."""


def placed(table: CoordinateTable, reading: Reading, shape_of: ShapeOf | None) -> CoordinateTable:
    """The table in pixels of its micrographs, without the rows whose score is too low.

    Parameters
    ----------
    table
        As it was read; names are those of the micrographs.
    reading
        What the user said.
    shape_of
        None: no micrographs were given.

    Raises
    ------
    InputError
        The table has fractions, which nobody said; or the size of a micrograph is needed and not known.
    """
    if reading.min_score is not None:
        table = _scored(table, reading.min_score)
    if reading.swap_xy:  # first: from here on x is the column
        table = replace(table, x=table.y, y=table.x)
    if reading.fractions:
        height, width = _sizes(table, shape_of, "fractions of the size", "fractions")
        table = replace(table, x=table.x * width, y=table.y * height)
    else:
        _refuse_fractions(table, shape_of)
        if reading.scale != 1.0:
            table = table.scaled(reading.scale, reading.averaged)
    if reading.flip_x:
        _, width = _sizes(table, shape_of, "columns counted from the last one", "flip_x")
        table = replace(table, x=width - 1 - table.x)
    if reading.flip_y:
        height, _ = _sizes(table, shape_of, "rows counted from the last one", "flip_y")
        table = replace(table, y=height - 1 - table.y)
    return table


def _scored(table: CoordinateTable, least: float) -> CoordinateTable:
    if table.score is None and len(table):
        raise InputError("the table has no scores, so that no lowest one can be asked for", "min_score")
    kept = table if table.score is None else table.select(table.score >= least)
    if table.score is not None and len(table) and not len(kept):
        raise InputError(f"none of its {counted(len(table), 'row')} has a score of {least:g} or more, the highest is"
                         f" {table.score.max():g}; ask for a lower one", "min_score")
    if len(kept) < len(table):
        rows = counted(len(table), "row")
        logging.getLogger(__name__).info("%s left out", counted(
            len(table) - len(kept), f"of {rows} has a score below {least:g} and is",
            f"of {rows} have a score below {least:g} and are"), extra={"parameters": ("min_score",)})
    return kept


def _refuse_fractions(table: CoordinateTable, shape_of: ShapeOf | None) -> None:
    values = np.concatenate([table.x, table.y])
    if len(table) < FEWEST_FRACTIONS or values.min() < 0 or values.max() > 1 or np.all(values == np.round(values)):
        return
    text = (f"the {len(table)} positions are all between 0 and 1: these are fractions of the micrographs' size, not"
            " pixels; say so")
    if shape_of is not None:
        raise InputError(text, "fractions")
    logging.getLogger(__name__).warning("%s", text, extra={"parameters": ("fractions",)})


def _sizes(
    table: CoordinateTable, shape_of: ShapeOf | None, what: str, parameter: str
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the micrograph of each row, float64 ``(n,)`` each."""
    shapes = {name: None if shape_of is None else shape_of(name) for name in table.names()}
    missing = [name for name, shape in shapes.items() if shape is None]
    if missing:
        raise InputError(f"{what} need the micrographs' size, and {missing[0]!r} is not there; give the micrographs",
                         parameter)
    both = np.array([shapes[name] for name in table.micrograph.tolist()], dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
