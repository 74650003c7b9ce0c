"""Xmipp's ``.pos`` (one micrograph a file) and ``.xmd``: centres in pixels, rows from the first of the file."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import refuse_depth, star_column
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.sample import Sample
from pupicker.engine.files.star import StarTable, read_star
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.plurals import counted

SUFFIXES: tuple[str, ...] = (".pos", ".xmd")

_X, _Y, _Z, _MICROGRAPH, _SCORE, _ENABLED = "xcoor", "ycoor", "zcoor", "micrograph", "cost", "enabled"
_AUTOMATIC = "particles_auto"  # a second block, of what the machine picked


def recognises(sample: Sample) -> bool:
    """By the labels of its columns."""
    return "_xcoor" in sample.text and "_ycoor" in sample.text


def read(path: Path, source: Source) -> CoordinateTable:
    """Those that are enabled; a cost that differs between them is the score."""
    optional = [_Z, _MICROGRAPH, _SCORE, _ENABLED]
    first = read_star(path, [_X, _Y], optional)
    if first is None:
        raise InputError(f"{path}: no block with the columns _{_X} and _{_Y}")
    blocks = [first]
    if _AUTOMATIC in Sample.of(path).text:
        second = read_star(path, [_X, _Y], optional, (first.block,))
        blocks += [second] if second is not None else []
    return CoordinateTable.concatenate([_to_coordinates(block, source) for block in blocks])


def _to_coordinates(table: StarTable, source: Source) -> CoordinateTable:
    columns, column = table.columns, partial(star_column, table)
    if _Z in columns:
        refuse_depth(table.path, f"_{_Z}", column(_Z))
    x, y = column(_X), column(_Y)
    score = column(_SCORE) if _SCORE in columns else None
    if score is not None and (not score.size or np.all(score == score[0])):
        score = None
    names = np.array(columns.get(_MICROGRAPH, [source.micrograph] * len(x)), dtype=object)
    found = CoordinateTable(names, x, y, score)
    if _ENABLED not in columns:
        return found
    enabled = column(_ENABLED) > 0
    if not enabled.all():
        logging.getLogger(__name__).info("%s: %s disabled and left out", table.path, counted(
            int((~enabled).sum()), "particle is", "particles are"))
    return found.select(enabled)
