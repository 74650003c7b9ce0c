"""Columns of text to columns of finite numbers, with the line to blame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pupicker.engine.files.star import StarTable
from pupicker.engine.runtime.errors import InputError


def to_numbers(texts: Sequence[str], column: str, path: Path, line_of: Callable[[int], int]) -> np.ndarray:
    """Convert a column of `path` to float64 ``(n,)``.

    Parameters
    ----------
    texts
        The cells.
    column
        Name of the column, for the message.
    line_of
        Line number in the file for a row, for the message.

    Raises
    ------
    InputError
        A cell is no finite number.
    """
    try:
        values = np.array([float(text) for text in texts], dtype=np.float64)
    except ValueError:
        values = np.array([_number_or_nan(text) for text in texts])
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        raise InputError(f"{path}: line {line_of(row)}: {column} is {texts[row]!r}, expected a finite number")
    return values


def star_column(table: StarTable, label: str) -> np.ndarray:
    """A column of a block of a STAR file as :func:`to_numbers` makes it."""
    return to_numbers(table.columns[label], f"_{label}", table.path, table.line_of)


def _number_or_nan(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def check_finite(values: np.ndarray, column: str, path: Path) -> np.ndarray:
    """The same values, float64; InputError with the first row that is no finite number."""
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise InputError(f"{path}: row {int(bad[0]) + 1}: {column} is {values[bad[0]]}, expected a finite number")
    return np.asarray(values, dtype=np.float64)


def refuse_depth(path: Path, column: str, z: np.ndarray) -> None:
    """InputError where a third coordinate differs between particles: they are those of a tomogram."""
    if z.size and np.any(z != z[0]):
        raise InputError(f"{path}: {column} goes from {z.min():g} to {z.max():g}: particles in 3D, of a tomogram;"
                         " micrographs have two coordinates. Remove that column only if the images are projections")
