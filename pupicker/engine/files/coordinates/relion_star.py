"""RELION STAR tables: picks of one or many micrographs, particles, or the index of an AutoPick or ManualPick job.

Coordinates are centres in pixels of the micrograph, rows counted from the first of an MRC file.  The origins of a
refinement are how far the centre lies from there: the particle is at the coordinate minus the origin.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import refuse_depth, star_column
from pupicker.engine.files.coordinates.source import Reading, Source
from pupicker.engine.files.listing import resolve_from_star
from pupicker.engine.files.sample import Sample
from pupicker.engine.files.star import StarTable, read_star, write_star
from pupicker.engine.runtime.errors import InputError

if TYPE_CHECKING:
    from pupicker.engine.files.coordinates.layout import Layout

SUFFIXES: tuple[str, ...] = (".star",)

X, Y, MICROGRAPH, SCORE = "rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName", "rlnAutopickFigureOfMerit"
SCORE_SD = "pupickerScoreSd"  # RELION reads over columns that it does not know
_Z, _IMAGE, _GROUP = "rlnCoordinateZ", "rlnImageName", "rlnOpticsGroup"
_ORIGIN_ANG, _ORIGIN_PX = ("rlnOriginXAngst", "rlnOriginYAngst"), ("rlnOriginX", "rlnOriginY")
_OWN_PIXEL, _IMAGE_PIXEL = "rlnMicrographPixelSize", "rlnImagePixelSize"
_PIXEL_SIZES = (_OWN_PIXEL, "rlnMicrographOriginalPixelSize", _IMAGE_PIXEL)
_INDEX = "rlnMicrographCoordinates"
_INDEX_BLOCK = "coordinate_files"
_SUFFIX_INDEX = re.compile(r"coords_suffix_(.+)\.star", re.IGNORECASE)
_NO_PARTICLES = ("hot_pixels", "local_shift")  # coordinates of other things, in the metadata of a movie
_UNSET_SCORE = -999.0  # what RELION writes for manual picks

_log = logging.getLogger(__name__)


def recognises(sample: Sample) -> bool:
    """A table with RELION's coordinates, or an index."""
    text = sample.text
    star = re.search(r"^\s*(?:data_|loop_)", text, re.MULTILINE) is not None
    return is_index(sample) or (star and f"_{X}" in text)


def is_index(sample: Sample) -> bool:
    """Whether it names the tables of a job, in the way of RELION 4 and 5 or in that of RELION up to 3.1."""
    return (f"_{_INDEX}" in sample.text and f"_{X}" not in sample.text) or bool(
        _SUFFIX_INDEX.fullmatch(sample.path.name))


def read(path: Path, source: Source) -> CoordinateTable:
    """Read coordinates; the figure of merit is the score.  An index is followed to the tables it names."""
    ending = _SUFFIX_INDEX.fullmatch(path.name)
    if ending:
        return _follow_suffix(path, ending.group(1), source.reading)
    table = read_star(path, [X, Y], [MICROGRAPH, _IMAGE, SCORE, SCORE_SD, _Z, _GROUP, *_ORIGIN_ANG, *_ORIGIN_PX,
                                     *_PIXEL_SIZES], _NO_PARTICLES)
    if table is not None:
        return _to_coordinates(table, source)
    index = read_star(path, [MICROGRAPH, _INDEX])
    if index is not None:
        return _follow(index, source.reading)
    raise InputError(f"{path}: no block with the columns _{X} and _{Y}; give a table of coordinates or particles")


def write(path: Path, table: CoordinateTable, layout: Layout) -> None:
    """Write picks as RELION does: class number and psi are 0, the score (if any) is the figure of merit."""
    columns: dict[str, Sequence[str]] = {MICROGRAPH: table.micrograph.tolist(), X: _texts(table.x), Y: _texts(table.y)}
    if table.score is not None:
        columns[SCORE] = _texts(table.score)
    if table.score_sd is not None:
        columns[SCORE_SD] = _texts(table.score_sd)
    columns["rlnClassNumber"] = ["0"] * len(table)
    columns["rlnAnglePsi"] = ["0.000000"] * len(table)
    write_star(path, columns)


def write_index(path: Path, tables: dict[str, Path]) -> None:
    """Write the index that *Extract* of RELION 4 and 5 takes.

    Parameters
    ----------
    path
        The file.
    tables
        Table of each micrograph, by the micrograph's name; both as they are called from the folder of the project.
    """
    write_star(path, {MICROGRAPH: list(tables), _INDEX: [str(table) for table in tables.values()]}, _INDEX_BLOCK)


def _to_coordinates(table: StarTable, source: Source) -> CoordinateTable:
    columns, column = table.columns, partial(star_column, table)
    if _Z in columns:
        refuse_depth(table.path, f"_{_Z}", column(_Z))
    x, y = column(X), column(Y)
    if source.reading.refined_origins:
        x, y = _refined(table, x, y, source.reading)
    score = None
    if SCORE in columns:
        score = column(SCORE)
        if score.size and np.all(score == _UNSET_SCORE):
            score = None
    names = columns.get(MICROGRAPH) or [_of_stack(name) for name in columns.get(_IMAGE, ())]
    if names and MICROGRAPH not in columns:
        _log.info("%s: has no _%s; its particles are taken for those of the micrographs that the stacks of _%s are"
                  " named after, the first: %r for %r", table.path, MICROGRAPH, _IMAGE, columns[_IMAGE][0], names[0])
    spread = column(SCORE_SD) if SCORE_SD in columns else None
    return CoordinateTable(np.array(names or [source.micrograph] * len(x), dtype=object), x, y, score, score_sd=spread)


def _of_stack(name: str) -> str:
    """``000012@Extract/job010/mic.mrcs`` is an image of the stack that RELION names after the micrograph."""
    return name.rpartition("@")[2]


def _refined(table: StarTable, x: np.ndarray, y: np.ndarray, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates minus the origins of a refinement, where there are some."""
    columns = table.columns
    labels = next((both for both in (_ORIGIN_ANG, _ORIGIN_PX) if set(both) <= set(columns)), None)
    if labels is None:
        return x, y
    shift = np.stack([star_column(table, label) for label in labels])
    if not shift.any():
        return x, y
    own = _pixel_size(table, len(x), (_OWN_PIXEL,))
    if own is None and reading.pixel_size_ang is not None:
        own = np.full(len(x), reading.pixel_size_ang)
    own = _pixel_size(table, len(x), _PIXEL_SIZES) if own is None else own
    if labels is _ORIGIN_ANG:
        if own is None:
            _log.warning("%s: its origins of a refinement are in A, no pixel size is known, and they are ignored; give"
                         " the pixel size of the micrographs", table.path, extra={"parameters": ("pixel_size",)})
            return x, y
        shift = shift / own
    else:
        of_image = _pixel_size(table, len(x), (_IMAGE_PIXEL,))
        shift = shift if own is None or of_image is None else shift * of_image / own
    _log.info("%s: the origins of a refinement move its particles, by up to %.1f px; that can be left out", table.path,
              float(np.abs(shift).max()), extra={"parameters": ("no_refined_origins",)})
    return x - shift[0], y - shift[1]


def _pixel_size(table: StarTable, count: int, labels: Sequence[str]) -> np.ndarray | None:
    """Of the first of `labels` that the rows or their optics groups have, in A, ``(count,)``."""
    for label in labels:
        if label in table.columns:
            return star_column(table, label)
        optics = read_star(table.path, [_GROUP, label])
        if optics is not None and optics.columns[_GROUP]:
            of_group = dict(zip(optics.columns[_GROUP], star_column(optics, label).tolist(), strict=True))
            groups = table.columns.get(_GROUP, [optics.columns[_GROUP][0]] * count)
            if set(groups) <= set(of_group):
                return np.array([of_group[group] for group in groups])
    return None


def _follow(index: StarTable, reading: Reading) -> CoordinateTable:
    from pupicker.engine.files.coordinates.formats import format_of  # which knows this module too

    tables = []
    for name, target in zip(index.columns[MICROGRAPH], index.columns[_INDEX], strict=True):
        path = resolve_from_star(target, index.path)
        if not path.is_file():
            raise InputError(f"{index.path}: names the table {target}, which is missing; give the folder of the tables")
        if is_index(Sample.of(path)):
            raise InputError(f"{index.path}: names {target}, which is an index too; give that of the tables themselves")
        table = format_of(path).read(path, Source(name, reading))
        # The index says which micrograph it is, whatever the table calls it.
        tables.append(table.renamed(dict.fromkeys(table.names(), name)))
    return CoordinateTable.concatenate(tables)


def _follow_suffix(index: Path, ending: str, reading: Reading) -> CoordinateTable:
    """The index of RELION up to 3.1 says how the names of the tables below it end."""
    tail = f"_{ending}.star"
    found = sorted(path for path in index.parent.rglob(f"*{tail}") if not path.name.startswith(".")
                   and not is_index(Sample.of(path)))
    if not found:
        raise InputError(f"{index}: says that tables end with {tail}, and there are none below {index.parent}")
    tables = []
    for path in found:
        micrograph = str(path.relative_to(index.parent).with_name(path.name[: -len(tail)]))
        tables.append(read(path, Source(micrograph, reading)))
    return CoordinateTable.concatenate(tables)


def _texts(values: np.ndarray) -> list[str]:
    """Six decimals as RELION writes them, more where the value has more."""
    fixed = ((value, f"{value:.6f}") for value in values.tolist())
    return [text if float(text) == value else repr(value) for value, text in fixed]
