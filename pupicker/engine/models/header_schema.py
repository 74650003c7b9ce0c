"""What the header of a model file must hold, checked once before anything is made of it.

A schema is a type, a tuple of types, or a dictionary of schemas; keys that end with ``?`` may be missing.  Keys that it
does not name may be there: those of a newer version that this one can do without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any


class Positive:
    """A finite number above 0."""


class Number:
    """A finite number."""


class Numbers:
    """A list of finite numbers, not empty."""


LARGEST = 1e9
"""No length, weight or score is larger."""

SCHEMA: dict[str, Any] = {
    "network": {"name": str, "settings": dict, "package?": (str, type(None))},
    "normalization": {"weight": Numbers, "mean": Numbers, "std": Numbers, "form": str},
    "geometry": {
        "diameter_ang": Positive, "working_pixel_size_ang": Positive, "training_radius_px": Positive,
        "min_distance_ang": Positive, "box_size_ang": Positive, "background_ang": Positive,
    },
    "calibration": {"slope": Positive, "intercept": Number, "share": Positive, "bound?": Number},
    "class_prior": Positive, "suggested_threshold": Number, "views?": int, "details": dict,
    "exclusion?": (dict, type(None)),
    "usual_levels?": dict.fromkeys(("lowest_median", "highest_median", "lowest_spread", "highest_spread"), Number),
}


def check_header(header: Any) -> None:
    """Raise ValueError at what is missing or cannot be, with its place."""
    _check(header, SCHEMA, "")
    lengths = {len(header["normalization"][name]) for name in ("weight", "mean", "std")}
    if len(lengths) != 1:
        raise ValueError("normalization has lists of several lengths")
    if min(header["normalization"]["std"]) <= 0:
        raise ValueError("normalization: std holds a value that is not above 0")
    if not header["class_prior"] < 1:
        raise ValueError("class_prior is not below 1")
    if not header["calibration"]["share"] < 1:
        raise ValueError("calibration: share is not below 1")
    _check(header.get("exclusion") or {}, _EXCLUSION, "exclusion: ")


def known_fields(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a data class of this version has fields for."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def known_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of the training's record without those of another type than they have: they are for people only."""
    return {name: value for name, value in details.items() if value is None or _DETAILS.get(name, _any)(value)}


def _any(value: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_curve(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, list) and len(row) == 3 and all(map(_is_number, row))
                                           for row in value)


def _is_epochs(value: Any) -> bool:
    numbers = ("updates", "loss", "validation", "particles_per_micrograph")
    return isinstance(value, list) and all(
        isinstance(row, dict) and all(row.get(name) is None or _is_number(row[name]) for name in numbers)
        for row in value)


def _is_table_of(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(inner is None or kind(inner) for inner in value.values())


def is_schema_number(value: Any, newest: int) -> bool:
    """Whether it is the number of a format that there is: 1 to `newest`, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= newest


def _check(value: Any, schema: Any, place: str) -> None:
    if isinstance(schema, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{place.rstrip(': ') or 'the header'} is no table")
        for key, inner in schema.items():
            name = key.rstrip("?")
            if name in value:
                _check(value[name], inner, f"{place}{name}: ")
            elif not key.endswith("?"):
                raise ValueError(f"{place}{name} is missing")
        return
    fits = {
        Positive: lambda: _is_number(value) and value > 0, Number: lambda: _is_number(value),
        Numbers: lambda: isinstance(value, list) and bool(value) and all(map(_is_number, value)),
        int: lambda: isinstance(value, int) and not isinstance(value, bool),
    }.get(schema, lambda: isinstance(value, schema))()
    if not fits:
        raise ValueError(f"{place.rstrip(': ')} is {str(value)[:40]!r}")


def _is_number(value: Any) -> bool:
    return (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
            and math.isfinite(value))


_EXCLUSION = {"margin_ang?": Number, "contamination?": (bool,), "contamination_depth?": (float, int, type(None))}
_DETAILS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("labels", "negatives", "micrographs", "held_out_labels", "training_pixel_size_ang",
                     "training_seconds", "method_version", "particles_per_micrograph", "expected_precision",
                     "expected_recall", "expected_average_precision", "autoencoder", "weight_decay"), _is_number),
    **dict.fromkeys(("objective", "start", "start_sha256", "proposals", "training_data_sha256", "class_prior_source",
                     "crowding"), _is_text),
    "curve": _is_epochs, "expected_curve": _is_curve, "software": _is_table_of(_is_text),
    "validation": _is_table_of(_is_number), "particles_interval": _is_table_of(_is_number),
}
