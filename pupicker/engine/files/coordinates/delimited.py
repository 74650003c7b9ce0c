"""Tables with a header line: tab, comma or blank separated.

Columns, in any order and case: micrograph (or image_name), x (or x_coord), y (or y_coord), and optionally score,
probability and score_sd; others are ignored.  Without a micrograph column the rows belong to the micrograph the file is
named after.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import to_numbers
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import write_text
from pupicker.shared.columns import OPTIONAL, POSITION

_COLUMNS = {
    "image_name": "micrograph", "x_coord": "x", "y_coord": "y", **{name: name for name in POSITION + OPTIONAL},
}


def read(path: Path, micrograph: str) -> CoordinateTable:
    """Read a table; a file without any line is an empty table."""
    lines = _split(path)
    if not lines:
        return CoordinateTable.empty()
    (_, header), *rows = lines
    places = _find_columns(path, header)
    needed = max(places.values()) + 1
    for number, fields in rows:
        if len(fields) < needed or (len(fields) > len(header) and any(fields[len(header):])):
            raise InputError(f"{path}: line {number}: {len(fields)} fields, the header has {len(header)}")

    def column(name: str) -> np.ndarray:
        return to_numbers([fields[places[name]] for _, fields in rows], name, path, lambda row: rows[row][0])

    names = [fields[places["micrograph"]] if "micrograph" in places else micrograph for _, fields in rows]
    return CoordinateTable(
        np.array(names, dtype=object), column("x"), column("y"),
        *(column(name) if name in places else None for name in OPTIONAL),
    )


def write(path: Path, table: CoordinateTable, box_size_px: int | None = None) -> None:
    """Write all columns that the table has, in full precision; ``.csv`` with commas, any other name with tabs."""
    columns: dict[str, Sequence[object]] = {name: getattr(table, name).tolist() for name in POSITION}
    for name in OPTIONAL:
        values = getattr(table, name)
        if values is not None:
            columns[name] = values.tolist()
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="," if path.suffix.lower() == ".csv" else "\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, buffer.getvalue())


def _split(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and fields of each line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a coordinate table: it is not text") from error
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((mark for mark in "\t,;" if mark in header), None)
    if delimiter is None:
        return [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [(reader.line_num, [field.strip() for field in fields]) for fields in reader if any(fields)]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from error


def _find_columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Place of each known column; the first of two spellings counts."""
    places: dict[str, int] = {}
    for place, title in enumerate(header):
        name = _COLUMNS.get(title.lower())
        if name is not None:
            places.setdefault(name, place)
    if "x" not in places or "y" not in places:
        found = " ".join(", ".join(header).split())[:80]  # an unclosed quote makes titles of many lines
        raise InputError(f"{path}: the first line must name the columns micrograph, x, y (score); found: {found}")
    return places
