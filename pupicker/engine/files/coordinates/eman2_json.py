"""EMAN2's ``info/NAME_info.json``: one micrograph a file, centres of boxes in pixels, first row of the file first."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import to_numbers
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.sample import Sample, read_text
from pupicker.engine.runtime.errors import InputError

SUFFIXES: tuple[str, ...] = (".json",)


def recognises(sample: Sample) -> bool:
    """JSON with boxes; an info file starts with whatever else EMAN2 knows of the micrograph."""
    text = sample.text.lstrip()
    named = sample.path.name.lower().endswith("_info.json")
    return text.startswith("{") and ('"boxes"' in text or '"boxes_3d"' in text or named)


def read(path: Path, source: Source) -> CoordinateTable:
    """The particles among the boxes: references of bad particles and of background are lists of their own."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON that can be read ({' '.join(str(error).split())})") from error
    boxes = content.get("boxes", []) if isinstance(content, dict) else None
    if isinstance(content, dict) and "boxes" not in content and "boxes_3d" in content:
        raise InputError(f"{path}: boxes_3d are particles of a tomogram; micrographs have two coordinates")
    if not isinstance(boxes, list) or any(not isinstance(box, list) or len(box) < 2 for box in boxes):
        raise InputError(f"{path}: its \"boxes\" are not a list of [x, y, kind]")
    x, y = (to_numbers([str(box[place]) for box in boxes], f"boxes, {name}", path, lambda _: 1)
            for place, name in enumerate("xy"))
    return CoordinateTable(np.full(len(x), source.micrograph, dtype=object), x, y)
