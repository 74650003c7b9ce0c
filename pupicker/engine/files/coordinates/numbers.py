"""Columns of text to columns of finite numbers, with the line to blame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

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


def _number_or_nan(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
