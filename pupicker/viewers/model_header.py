"""What a model file says of itself: the JSON text in its header, read without the core."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, Tuple

from pupicker.viewers.scored_set import ViewerError

HEADER_KEY = "pupicker"
LONGEST_LIST = 4  # longer ones are curves


def readHeader(path: str) -> Dict[str, Any]:
    """The header of a model: safetensors begins with its length (8 bytes, little-endian) and a JSON text.

    Raises
    ------
    ViewerError
        The file is missing or no model; one line.
    """
    if not os.path.exists(path):
        raise ViewerError("%s: no such model file; train or import it again." % path)
    size = os.path.getsize(path)
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        text = stream.read(length) if length <= size else b""
    try:
        header = json.loads(json.loads(text.decode("utf-8"))["__metadata__"][HEADER_KEY])
    except (ValueError, KeyError, TypeError) as error:
        raise ViewerError("%s: not a model of pupicker, or damaged; train or import it again." % path) from error
    return dict(header)


def headerRows(header: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Name and value of everything in a header, nested names joined by dots; of a curve only its length."""
    return list(_rows("", header))


def _rows(prefix: str, value: Any) -> Iterator[Tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _rows(prefix + "." + name if prefix else name, inner)
    elif isinstance(value, list) and (len(value) > LONGEST_LIST or any(isinstance(item, (dict, list))
                                                                      for item in value)):
        yield prefix, "%d rows" % len(value)
    elif isinstance(value, list):
        yield prefix, ", ".join(map(formatValue, value))
    else:
        yield prefix, formatValue(value)


def formatValue(value: Any) -> str:
    """A value as a person reads it: numbers with four digits."""
    if isinstance(value, float):
        return "%.4g" % value
    return "-" if value is None else str(value)
