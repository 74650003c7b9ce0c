"""RELION STAR tables: picks of one or many micrographs, particles, or the index of an AutoPick or ManualPick job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import to_numbers
from pupicker.engine.files.listing import resolve_from_star
from pupicker.engine.files.star import StarTable, read_star, write_star
from pupicker.engine.runtime.errors import InputError

X, Y, MICROGRAPH, SCORE = "rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName", "rlnAutopickFigureOfMerit"
SCORE_SD = "pupickerScoreSd"  # RELION reads over columns that it does not know
_INDEX = "rlnMicrographCoordinates"
_NO_PARTICLES = ("hot_pixels", "local_shift")  # coordinates of other things, in the metadata of a movie
_UNSET_SCORE = -999.0  # what RELION writes for manual picks


def read(path: Path, micrograph: str) -> CoordinateTable:
    """Read coordinates; the figure of merit is the score.  An index is followed to the tables it names."""
    table = read_star(path, [X, Y], [MICROGRAPH, SCORE, SCORE_SD], _NO_PARTICLES)
    if table is not None:
        return _to_coordinates(table, micrograph)
    index = read_star(path, [MICROGRAPH, _INDEX])
    if index is not None:
        return _follow(index)
    raise InputError(f"{path}: no block with the columns _{X} and _{Y}; give a table of coordinates or particles")


def write(path: Path, table: CoordinateTable, box_size_px: int | None = None) -> None:
    """Write picks as RELION does: class number and psi are 0, the score (if any) is the figure of merit."""
    columns: dict[str, Sequence[str]] = {MICROGRAPH: table.micrograph.tolist(), X: _texts(table.x), Y: _texts(table.y)}
    if table.score is not None:
        columns[SCORE] = _texts(table.score)
    if table.score_sd is not None:
        columns[SCORE_SD] = _texts(table.score_sd)
    columns["rlnClassNumber"] = ["0"] * len(table)
    columns["rlnAnglePsi"] = ["0.000000"] * len(table)
    write_star(path, columns)


def _to_coordinates(table: StarTable, micrograph: str) -> CoordinateTable:
    columns = table.columns
    x, y = (to_numbers(columns[label], f"_{label}", table.path, table.line_of) for label in (X, Y))
    score = None
    if SCORE in columns:
        score = to_numbers(columns[SCORE], f"_{SCORE}", table.path, table.line_of)
        if score.size and np.all(score == _UNSET_SCORE):
            score = None
    names = np.array(columns.get(MICROGRAPH, [micrograph] * len(x)), dtype=object)
    spread = to_numbers(columns[SCORE_SD], f"_{SCORE_SD}", table.path, table.line_of) if SCORE_SD in columns else None
    return CoordinateTable(names, x, y, score, score_sd=spread)


def _follow(index: StarTable) -> CoordinateTable:
    tables = []
    for name, target in zip(index.columns[MICROGRAPH], index.columns[_INDEX], strict=True):
        path = resolve_from_star(target, index.path)
        if not path.is_file():
            raise InputError(f"{index.path}: names the table {target}, which is missing; give the folder of the tables")
        table = read_star(path, [X, Y], [SCORE, SCORE_SD])
        if table is None:
            raise InputError(f"{path}: no block with the columns _{X} and _{Y}")
        tables.append(_to_coordinates(table, name))
    return CoordinateTable.concatenate(tables)


def _texts(values: np.ndarray) -> list[str]:
    """Six decimals as RELION writes them, more where the value has more."""
    fixed = ((value, f"{value:.6f}") for value in values.tolist())
    return [text if float(text) == value else repr(value) for value, text in fixed]
