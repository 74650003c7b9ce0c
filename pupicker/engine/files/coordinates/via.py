"""Annotations of the VGG image annotator (VIA), a ``.csv`` or ``.json``, which the Topaz page in a browser writes.

The origin is the corner of the picture as it is shown; pictures that Topaz makes of micrographs have the rows of the
file from the top, so that nothing is flipped.  Points and circles are centres, rectangles have their corner and size.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import check_finite
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.sample import Sample, read_text
from pupicker.engine.runtime.errors import InputError

SUFFIXES: tuple[str, ...] = ()  # .csv and .json, which are other tables' too: told by the content alone

_SHAPE, _ATTRIBUTES = "region_shape_attributes", "region_attributes"


def recognises(sample: Sample) -> bool:
    """By the names of its fields; csv is quoted when it is written by some programs."""
    text = sample.text
    return _SHAPE in text.split("\n", 1)[0] or (text.lstrip().startswith("{") and '"shape_attributes"' in text)


def read(path: Path, source: Source) -> CoordinateTable:
    """Centres of all regions; an attribute ``score`` is the score."""
    names, places, scores = [], [], []
    for name, shape, attributes in _regions(path):
        names.append(name)
        places.append(_centre(path, shape))
        scores.append(attributes.get("score") if isinstance(attributes, dict) else None)
    xy = np.array(places, dtype=np.float64).reshape(-1, 2)
    score = None
    if scores and all(isinstance(value, int | float) for value in scores):
        score = check_finite(np.array(scores, dtype=np.float64), "score", path)
    return CoordinateTable(np.array(names, dtype=object), check_finite(xy[:, 0], "x", path),
                           check_finite(xy[:, 1], "y", path), score)


def _regions(path: Path) -> Iterator[tuple[str, Any, Any]]:
    """File name, shape and attributes of each region."""
    try:
        text = read_text(path)
        if text.lstrip().startswith("{"):
            content = json.loads(text)
            for image in content.get("_via_img_metadata", content).values():
                regions = image["regions"]
                for region in regions.values() if isinstance(regions, dict) else regions:
                    yield image["filename"], region["shape_attributes"], region.get(_ATTRIBUTES)
            return
        reader = csv.DictReader(io.StringIO(text, newline=""))
        for row in reader:
            shape = json.loads(row[_SHAPE] or "{}")
            if shape:  # an image without regions has a row too
                yield row.get("filename") or row["#filename"], shape, json.loads(row.get(_ATTRIBUTES) or "{}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise InputError(f"{path}: not annotations of VIA that can be read ({type(error).__name__}: "
                         f"{' '.join(str(error).split())[:80]})") from error


def _centre(path: Path, shape: Any) -> tuple[float, float]:
    try:
        if "cx" in shape:
            return float(shape["cx"]), float(shape["cy"])
        if "width" in shape:
            return float(shape["x"]) + float(shape["width"]) / 2, float(shape["y"]) + float(shape["height"]) / 2
        x, y = shape["all_points_x"], shape["all_points_y"]
        return (min(x) + max(x)) / 2, (min(y) + max(y)) / 2
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: a region without a place: {str(shape)[:80]}") from error
