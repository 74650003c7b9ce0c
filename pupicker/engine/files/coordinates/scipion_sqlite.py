"""Scipion's ``coordinates.sqlite``: centres in pixels of the micrographs, rows from the first of the file."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import check_finite, refuse_depth
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.sample import Sample
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.plurals import counted

SUFFIXES: tuple[str, ...] = (".sqlite", ".db")

_SCORES = ("_pupickerScore", "_rlnAutopickFigureOfMerit", "_cryoloScore", "_topazScore", "_xmipp_zScore")


def recognises(sample: Sample) -> bool:
    """Any database of SQLite."""
    return sample.head.startswith(b"SQLite format 3\0")


def read(path: Path, source: Source) -> CoordinateTable:
    """The coordinates that are enabled; a table of other objects is refused."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        try:
            columns = dict(connection.execute("SELECT label_property, column_name FROM Classes"))
            if not {"_x", "_y"} <= set(columns):
                raise InputError(f"{path}: a table of Scipion without coordinates; give a coordinates.sqlite")
            return _read(path, connection, columns, source)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise InputError(f"{path}: not a table of Scipion's that can be read ({error})") from error


def _read(path: Path, connection: sqlite3.Connection, columns: Mapping[str, str], source: Source) -> CoordinateTable:
    wanted = ["_x", "_y", *(name for name in ("_z", "_micName", "_micId", *_SCORES) if name in columns)]
    # Names of columns cannot be parameters; those of a crafted file are quoted.
    quoted = [str(columns[name]).replace('"', '""') for name in wanted]
    chosen = ", ".join(f'"{name}"' for name in quoted)
    rows = connection.execute(f"SELECT enabled, {chosen} FROM Objects").fetchall()
    enabled = [row for row in rows if row[0] in (1, "1", True)]
    if len(enabled) < len(rows):
        logging.getLogger(__name__).info("%s: %s disabled and left out", path, counted(
            len(rows) - len(enabled), "coordinate is", "coordinates are"))
    values: dict[str, list[Any]] = {name: [row[place] for row in enabled] for place, name in enumerate(wanted, 1)}

    def column(name: str) -> np.ndarray:
        try:
            return check_finite(np.array(values[name], dtype=np.float64), name, path)
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: {name} holds what is no number") from error

    if "_z" in values and any(value is not None for value in values["_z"]):
        refuse_depth(path, "_z", column("_z"))
    score = next((column(name) for name in _SCORES if name in values and None not in values[name]), None)
    ids = values.get("_micId", [None] * len(enabled))
    names = [str(name or (f"micrograph {number}" if number is not None else source.micrograph))
             for name, number in zip(values.get("_micName", [None] * len(enabled)), ids, strict=True)]
    return CoordinateTable(np.array(names, dtype=object), column("_x"), column("_y"),
                           score if enabled else None)
