"""crYOLO's ``.cbox``: one micrograph a file, boxes by their lower corner, with a confidence.

Of crYOLO 1.8 and later a STAR file with the block ``cryolo``; before that lines as in a box file.  Like EMAN's boxes
they are corner and size in pixels of the micrograph, rows counted from the first of the MRC file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates import eman_box
from pupicker.engine.files.coordinates.numbers import refuse_depth, star_column
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.sample import Sample, all_numbers
from pupicker.engine.files.star import read_star
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import write_text

if TYPE_CHECKING:
    from pupicker.engine.files.coordinates.layout import Layout

SUFFIXES: tuple[str, ...] = (".cbox",)

_X, _Y, _Z, _WIDTH, _HEIGHT, _SCORE = "CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Confidence"
_COLUMNS = (_X, _Y, _Z, _WIDTH, _HEIGHT, "Depth", "EstWidth", "EstHeight", _SCORE, "NumBoxes", "Angle")
_NONE = "<NA>"


def recognises(sample: Sample) -> bool:
    """By the labels of its columns."""
    return "_CoordinateX" in sample.text and "_Width" in sample.text


def read(path: Path, source: Source) -> CoordinateTable:
    """Centres of the boxes; the confidence is the score."""
    first = next(iter(Sample.of(path).rows()), [])
    if all_numbers(first):
        return eman_box.read(path, source)
    table = read_star(path, [_X, _Y, _WIDTH, _HEIGHT], [_Z, _SCORE])
    if table is None:
        raise InputError(f"{path}: no block with the columns _{_X}, _{_Y}, _{_WIDTH} and _{_HEIGHT}")
    columns, column = table.columns, partial(star_column, table)
    if any(value != _NONE for value in columns.get(_Z, ())):
        refuse_depth(path, f"_{_Z}", column(_Z))
    score = column(_SCORE) if any(value != _NONE for value in columns.get(_SCORE, ())) else None
    x, y = column(_X) + column(_WIDTH) / 2, column(_Y) + column(_HEIGHT) / 2
    return CoordinateTable(np.full(len(x), source.micrograph, dtype=object), x, y, score)


def write(path: Path, table: CoordinateTable, layout: Layout) -> None:
    """Write the picks of one micrograph; the score is the confidence."""
    size = eman_box.checked_size(path, table, layout)
    score = [_NONE] * len(table) if table.score is None else [repr(value) for value in table.score.tolist()]
    lines = ["data_global", "", "_cbox_format_version 1.0", "", "data_cryolo", "", "loop_"]
    lines += [f"_{label} #{number}" for number, label in enumerate(_COLUMNS, 1)]
    for x, y, confidence in zip((table.x - size / 2).tolist(), (table.y - size / 2).tolist(), score, strict=True):
        lines.append(f"{x!r} {y!r} {_NONE} {size} {size} 1 {size} {size} {confidence} 1 {_NONE}")
    write_text(path, "\n".join(lines) + "\n")
