"""Tables of text: tab, comma or blank separated, with a header line that names the columns, or two columns without.

Columns, in any order and case: micrograph, x, y, and optionally score, probability, score_sd and pickers, under the
names that the programs of the field give them (:data:`_TITLES`); others are ignored.  Without a micrograph column
the rows belong to the micrograph the file is named after.  ``.txt`` is written with the columns of Topaz, which
reads nothing else.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import (
    DECIMAL_POINT,
    has_decimal_commas,
    refuse_decimal_commas,
    refuse_depth,
    to_numbers,
)
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.files.sample import Sample, all_numbers, read_text
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import write_text
from pupicker.shared.columns import OPTIONAL, POSITION
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    from pupicker.engine.files.coordinates.layout import Layout

_log = logging.getLogger(__name__)

SUFFIXES: tuple[str, ...] = (".tsv", ".csv", ".txt", ".tab", ".coords", ".coord")

_TITLES = {
    "micrograph": ("micrograph", "micrographname", "micname", "imagename", "image", "filename", "mic"),
    "x": ("x", "xcoord", "xcoordinate", "coordinatex", "coordx", "xcenter", "centerx", "xcentre", "xpx"),
    "y": ("y", "ycoord", "ycoordinate", "coordinatey", "coordy", "ycenter", "centery", "ycentre", "ypx"),
    "z": ("z", "zcoord", "zcoordinate", "coordinatez", "coordz"),
    "score": ("score", "autopickfigureofmerit", "figureofmerit", "confidence", "fom"),
    "probability": ("probability",),
    "score_sd": ("scoresd",),
    "pickers": ("pickers",),
}
"""Titles of each column in the order in which they count, in small letters without ``_``, ``-``, blanks and ``rln``."""

_SIZES = ("width", "height", "w", "h", "boxwidth", "boxheight", "dx", "dy")
"""Titles, as those of :data:`_TITLES`, of the sides of boxes."""

_TOPAZ = ("image_name", "x_coord", "y_coord", "score")


def recognises(sample: Sample) -> bool:
    """By the titles of the columns, or two numbers a line where the extension says that it is a table."""
    rows = sample.rows()
    if not rows:
        return sample.suffix in SUFFIXES and bool(sample.text)
    places = _places(rows[0])
    if "x" in places and "y" in places:
        return True
    bare = all(len(row) == 2 and all_numbers(row) for row in rows) or has_decimal_commas(sample.lines()[0])
    return sample.suffix in SUFFIXES and bare


def read(path: Path, source: Source) -> CoordinateTable:
    """Read a table; a file without any line is an empty table."""
    delimiter, lines = _split(path)
    if not lines:
        return CoordinateTable.empty()
    if len(lines[0][1]) == 2 and all_numbers(lines[0][1]):
        header, rows = ["x", "y"], lines
    else:
        (_, header), *rows = lines
    places = _find_columns(path, header)
    needed = max(places.values()) + 1
    for number, fields in rows:
        if len(fields) < needed or (len(fields) > len(header) and any(fields[len(header):])):
            hint = ": if its numbers have decimal commas, " + DECIMAL_POINT
            raise InputError(f"{path}: line {number}: {counted(len(fields), 'field')}, the header has"
                             f" {len(header)}" + (hint if delimiter == "," and len(fields) > len(header) else ""))

    def column(name: str) -> np.ndarray:
        return to_numbers([fields[places[name]] for _, fields in rows], name, path, lambda row: rows[row][0])

    corners = [title for title, plain in zip(header, _plain(header), strict=True) if plain in _SIZES]
    if len(corners) > 1:
        _log.warning("%s: has the columns %s: x and y are taken for centres; if they are the corners of boxes, move"
                     " them by half a box", path, " and ".join(map(repr, corners)))
    if "z" in places:
        refuse_depth(path, header[places["z"]], column("z"))
    if "micrograph" in places:
        names = [fields[places["micrograph"]] for _, fields in rows]
    else:
        names = [_meant(path, source)] * len(rows)
    optional = {name: column(name) for name in OPTIONAL if name in places}
    probability = optional.get("probability", np.zeros(0))
    wrong = np.flatnonzero((probability < 0) | (probability > 1))
    if wrong.size:
        number, fields = rows[wrong[0]]
        raise InputError(f"{path}: line {number}: probability is {fields[places['probability']]!r}, expected a number"
                         " from 0 to 1; call the column score if it is something else")
    return CoordinateTable(np.array(names, dtype=object), column("x"), column("y"), *map(optional.get, OPTIONAL))


def write(path: Path, table: CoordinateTable, layout: Layout) -> None:
    """Write all columns that the table has, in full precision; ``.csv`` with commas, any other name with tabs.

    ``.txt`` is for Topaz: names without folders and extensions, its titles, no probability.
    """
    columns: dict[str, Sequence[object]] = {name: getattr(table, name).tolist() for name in POSITION}
    for name in OPTIONAL:
        values = getattr(table, name)
        if values is not None:
            columns[name] = values.tolist()
    if path.suffix.lower() in (".txt", ".tab"):
        stems = distinct_stems(table.names())
        columns["micrograph"] = [stems[name] for name in table.micrograph.tolist()]
        columns = {title: columns[name] for title, name in zip(_TOPAZ, (*POSITION, "score"), strict=True)
                   if name in columns}
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="," if path.suffix.lower() == ".csv" else "\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, buffer.getvalue())


def _meant(path: Path, source: Source) -> str:
    """The micrograph of a file that names none."""
    if source.certain:
        return source.micrograph
    if source.only is not None:
        _log.info("%s: names no micrograph; its rows are taken for the only one given, %s", path, source.only)
        return source.only
    raise InputError(f"{path}: names no micrograph, and is named after none of those given: give the one micrograph"
                     " that it is of, call the file like that, or add a column micrograph")


def _split(path: Path) -> tuple[str | None, list[tuple[int, list[str]]]]:
    """What stands between the fields (None: blanks); line number and fields of each line that is not blank."""
    try:
        text = read_text(path)
    except ValueError as error:
        raise InputError(f"{path}: not a coordinate table: {error}") from error
    text = _without_comments(text)
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines, 1) if line.strip()), 0)
    refuse_decimal_commas(path, lines[:first])
    header = lines[first - 1] if first else ""
    delimiter = next((mark for mark in "\t,;" if mark in header), None)
    if delimiter is None:
        return None, [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return delimiter, [(reader.line_num, [field.strip() for field in fields]) for fields in reader if any(fields)]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from error


def _without_comments(text: str) -> str:
    """The text with blank lines for the comments before the titles, which may begin with ``#`` themselves."""
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            break
        titles = line.lstrip("# \t")
        if {"x", "y"} <= set(_places(re.split(r"[\s,;]+", titles))):
            lines[place] = titles
            break
        lines[place] = ""
    return "\n".join(lines)


def _places(header: Sequence[str]) -> dict[str, int]:
    """Place of each known column."""
    titles, places = _plain(header), dict[str, int]()
    for name, spellings in _TITLES.items():
        spelling = next((spelling for spelling in spellings if spelling in titles), None)
        if spelling is not None:
            places[name] = titles.index(spelling)
    return places


def _plain(header: Sequence[str]) -> list[str]:
    """Titles as :data:`_TITLES` has them."""
    titles = (re.sub(r"[_\-\s\"]", "", title).lower() for title in header)
    return [title.removeprefix("rln") for title in titles]


def _find_columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Place of each known column; x and y must be there, and no other column may have the same title."""
    places = _places(header)
    if "x" not in places or "y" not in places:
        found = " ".join(", ".join(header).split())[:80]  # an unclosed quote makes titles of many lines
        raise InputError(f"{path}: the first line must name the columns micrograph, x, y (score); found: {found}")
    titles = _plain(header)
    for place in places.values():
        twins = [header[other] for other, title in enumerate(titles) if title == titles[place]]
        if len(twins) > 1:
            raise InputError(f"{path}: {len(twins)} columns have one title, {' and '.join(map(repr, twins))}: leave one"
                             " of them, or give the others other titles")
    return places
