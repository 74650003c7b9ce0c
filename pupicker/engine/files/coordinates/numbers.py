"""Columns of text to columns of finite numbers, with the line to blame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from pupicker.engine.files.star import StarTable
from pupicker.engine.runtime.errors import InputError

DECIMAL_POINT = "write numbers with a decimal point"

_WITH_COMMA = re.compile(r"[-+]?[\d.]*,\d+(?:[eE][-+]?\d+)?")
_WITH_OR_WITHOUT = re.compile(r"[-+]?[\d.]*(?:,\d+)?(?:[eE][-+]?\d+)?")


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
        if _WITH_COMMA.fullmatch(texts[row]):
            raise InputError(f"{path}: line {line_of(row)}: {column} is {texts[row]!r}, with a decimal comma;"
                             f" {DECIMAL_POINT}")
        raise InputError(f"{path}: line {line_of(row)}: {column} is {texts[row]!r}, expected a finite number")
    return values


def has_decimal_commas(line: str) -> bool:
    """Whether a line is numbers with blanks or semicolons between them and commas in some: ``12,5 33,7``."""
    fields = [field for field in re.split(r"[\s;]+", line) if field] if "," in line else []
    return (len(fields) > 1 and all(map(_WITH_OR_WITHOUT.fullmatch, fields))
            and any(map(_WITH_COMMA.fullmatch, fields)))


def refuse_decimal_commas(path: Path, lines: Iterable[str]) -> None:
    """InputError at the first of `lines`, which have no titles, that :func:`has_decimal_commas`."""
    for number, line in enumerate(lines, 1):
        if has_decimal_commas(line):
            raise InputError(f"{path}: line {number}: {line.strip()[:40]!r} has decimal commas; {DECIMAL_POINT}")


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
