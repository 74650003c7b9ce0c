"""What a model file says of itself, for a window: the JSON text in its header, and its card."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from pupicker.shared.model_header import ModelError, read_card, read_header
from pupicker.shared.plurals import counted
from pupicker.viewers.scored_set import ViewerError

LONGEST_LIST = 4  # longer ones are curves


def readHeader(path: str) -> Dict[str, Any]:
    """The header of a model, with its card if it has one.

    Raises
    ------
    ViewerError
        The file is missing or no model; one line.
    """
    try:
        header, card = read_header(path), read_card(path)
    except ModelError as error:
        raise ViewerError("%s." % error) from error
    return dict(header, card=card) if card else header


def headerRows(header: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Name and value of everything in a header, nested names joined by dots; of a curve only its length."""
    return list(_rows("", header))


def _rows(prefix: str, value: Any) -> Iterator[Tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _rows(prefix + "." + name if prefix else name, inner)
    elif isinstance(value, list) and (len(value) > LONGEST_LIST or any(isinstance(item, (dict, list))
                                                                      for item in value)):
        yield prefix, counted(len(value), "row")
    elif isinstance(value, list):
        yield prefix, ", ".join(map(formatValue, value))
    else:
        yield prefix, formatValue(value)


def formatValue(value: Any) -> str:
    """A value as a person reads it: numbers with four digits."""
    if isinstance(value, float):
        return "%.4g" % value
    return "-" if value is None else str(value)
