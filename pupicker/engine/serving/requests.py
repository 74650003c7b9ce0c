"""What a serving process can be asked: one JSON object a request, checked before any work.

A request is ``{"do": NAME, "id": ANY, FIELD: VALUE, ...}``.  :data:`REQUESTS` declares the fields of each; those that
are options of the command line have the range and default that :mod:`pupicker.shared.options` declares.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pupicker.engine.files.coordinates.formats import WRITTEN
from pupicker.engine.runtime.errors import UsageError
from pupicker.shared import options
from pupicker.shared.option import Option
from pupicker.shared.worker import PROTOCOL_VERSION

Id = str | int | float | None

_WORDS = {
    "text": "a text that can be a name", "texts": "a list of texts, not an empty one", "number": "a finite number",
    "whole": "a whole number", "flag": "true or false", "object": "an object",
    "places": 'an object of places, {"micrograph": [[x, y], ...]}',
    "table": 'the name of a file, or an object of places, {"micrograph": [[x, y], ...]}',
    "id": "a text or a number",
}


class Refused(UsageError):
    """A line that is no request; ``id`` is that of the request, as far as it could be read."""

    def __init__(self, message: str, *parameters: str, id: Id = None) -> None:
        super().__init__(message, *parameters)
        self.id = id


@dataclass(frozen=True)
class Field:
    """A field of a request.

    Attributes
    ----------
    name, kind, help
        Kind is a key of the words above.
    required
        Whether there is no request without it.
    default
        What it is if it is left out, or null.
    option
        Of which it is the value.
    choices
        The values that it may have; empty: any of its kind.
    """

    name: str
    kind: str
    help: str
    required: bool = False
    default: Any = None
    option: Option | None = None
    choices: tuple[str, ...] = ()

    @classmethod
    def of(cls, option: Option) -> Field:
        """The field of an option of the command line."""
        kind = {float: "number", int: "whole", str: "text", bool: "flag"}[option.kind]
        return cls(option.name, kind, option.description, option.required, option.default, option)

    def problem(self, value: Any) -> str:
        """Why it cannot be this value; empty if it can."""
        if value is None or (self.option is not None and value in self.option.words):
            return ""
        if not _is(self.kind, value):
            return f"{self.name} must be {_WORDS[self.kind]}, not {_short(value)}"
        if self.choices and value not in self.choices:
            return f"{self.name} must be one of {', '.join(self.choices)}, not {_short(value)}"
        return self.option.problem(value) if self.option is not None else ""

    def to_dict(self) -> dict[str, Any]:
        """For the answer to ``schema``."""
        return {"name": self.name, "kind": self.kind, "required": self.required, "default": self.default,
                "help": self.help}


@dataclass(frozen=True)
class Kind:
    """What can be asked: a line of help, and the fields."""

    help: str
    fields: tuple[Field, ...] = ()


def _fields(*some: Option) -> tuple[Field, ...]:
    return tuple(Field.of(option) for option in some)


_FORMATS = tuple(suffix[1:] for suffix in WRITTEN)
_MICROGRAPHS = Field("micrographs", "texts", "micrograph files; each gets an answer as soon as it is picked", True)
_MODEL = Field("model", "text", "model file, or name in the library; without it that of the process")
_RESULTS = (
    Field("output", "text", "folder for one table a micrograph; without it picks come in the answers alone"),
    Field("format", "text", "of the tables: " + ", ".join(_FORMATS), default="tsv", choices=_FORMATS),
    Field("coordinates", "flag", "whether the answers hold the picks too; without it they do if there is no output"),
)
_EXCLUSION = _fields(options.MARGIN.but(default=None, automatic="as in training, else 0"),
                     options.EXCLUDE_CONTAMINATION.but(default=None)) + (
    Field("masks", "text", "folder of masks named like the micrographs"),)
_PICKING = _fields(options.MIN_DISTANCE, options.PIXEL_SIZE, options.KEEP_BORDERS) + _EXCLUSION

_SEARCH_RADIUS = Option(
    "search_radius", float, "Search radius", "distance from a place within which the best score counts; 0: there",
    default=0.0, unit="Å", minimum=0, maximum=options.LARGEST_LENGTH_ANG)

REQUESTS: dict[str, Kind] = {
    "pick": Kind("pick micrographs with a model", (
        _MICROGRAPHS, _MODEL, *_RESULTS,
        Field("candidates", "text", "folder for one table (.tsv) a micrograph that holds weaker picks too"),
        *_fields(options.THRESHOLD, options.SCORE_SD), *_PICKING)),
    "suggest": Kind("pick micrographs with the general model: candidates to label", (
        _MICROGRAPHS, *_RESULTS, *_fields(
            options.DIAMETER,
            options.THRESHOLD.but(default=None, help="lowest score of a candidate, log-odds", automatic="0"),
            options.BRIGHT), *_PICKING)),
    "score": Kind("what a model says of given places", (
        Field("places", "places", "in pixels of the files, by micrograph", True), _MODEL,
        *_fields(_SEARCH_RADIUS, options.PIXEL_SIZE, options.KEEP_BORDERS))),
    "train": Kind("train a model; progress is told, and requests of picks go before its next update", (
        Field("micrographs", "texts", "micrographs, folders of them, or a STAR file that lists them", True),
        Field("output", "text", "model file to write", True),
        Field("labels", "table", "labelled particles, in pixels of the files"),
        Field("negatives", "table", "places that are no particles, in pixels of the files"),
        *_fields(*options.TRAINING),
        Field("network_settings", "object", "settings of the network by their names"),
        *_fields(options.PIXEL_SIZE, options.KEEP_BORDERS, options.MARGIN, options.EXCLUDE_CONTAMINATION),
        Field("masks", "text", "folder of masks named like the micrographs"))),
    "cancel": Kind("end a request that waits or runs; a training ends after its update, a pick after its micrograph", (
        Field("request", "id", "its id", True),)),
    "info": Kind("what a model is; without a file, what the process is and has loaded", (
        Field("file", "text", "model file"),)),
    "metrics": Kind("counters: micrographs, picks, seconds, background"),
    "schema": Kind("the requests, and the fields of each"),
    "stop": Kind("finish the micrograph, end a training, end the process"),
}
"""What can be asked."""


@dataclass(frozen=True)
class Request:
    """A request that was checked: every field of its kind has a value.

    Attributes
    ----------
    id
        As given; answers carry it.
    do
        One of :data:`REQUESTS`.
    values
        By the names of the fields.
    """

    id: Id
    do: str
    values: dict[str, Any]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Request:
        """Check what a line holds.

        Raises
        ------
        Refused
            It is no request; says which field, what was found and what is wanted.
        """
        id = content.get("id")
        if not (id is None or _is("id", id)):
            raise Refused(f"id must be {_WORDS['id']}, not {_short(id)}")
        do, version = content.get("do"), content.get("protocol", PROTOCOL_VERSION)
        if version != PROTOCOL_VERSION:
            raise Refused(f"protocol {_short(version)} is asked for, this process speaks {PROTOCOL_VERSION}", id=id)
        if not isinstance(do, str) or do not in REQUESTS:
            raise Refused(f"do must be one of {', '.join(REQUESTS)}, not {_short(do)}", id=id)
        given = {name: value for name, value in content.items() if name not in ("id", "do", "protocol")}
        fields = {field.name: field for field in REQUESTS[do].fields}
        unknown = [name for name in given if name not in fields]
        if unknown:
            raise Refused(f"{do} has no field {unknown[0]}; it has {', '.join(fields) or 'none'}", unknown[0],
                          id=id)
        values = {}
        for name, field in fields.items():
            value = given.get(name)
            problem = field.problem(value)
            if value is None and field.required:
                problem = f"{do} needs {name}: {field.help}"
            if problem:
                raise Refused(problem, name, id=id)
            values[name] = field.default if value is None else int(value) if field.kind == "whole" else value
        return cls(id, do, values)


def read_request(line: str) -> Request:
    """The request of a line; raises :class:`Refused`."""
    try:
        content = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {error}; a request is one object on one line") from None
    if not isinstance(content, dict):
        raise Refused(f"a request is an object, not {_short(content)}")
    return Request.of(content)


def schema() -> dict[str, Any]:
    """All requests, JSON-able."""
    return {"protocol": PROTOCOL_VERSION, "requests": {
        name: {"help": kind.help, "fields": [field.to_dict() for field in kind.fields]}
        for name, kind in REQUESTS.items()}}


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _is(kind: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    if kind == "texts":
        return isinstance(value, list) and bool(value) and all(_is("text", item) for item in value)
    if kind == "places":
        return isinstance(value, dict) and all(
            _is("text", name) and isinstance(rows, list) and all(_is_place(row) for row in rows)
            for name, rows in value.items())
    if kind == "table":
        return _is("text", value) or _is("places", value)
    return {"text": isinstance(value, str) and value != "" and "\0" not in value, "number": number,
            "object": isinstance(value, dict), "whole": number and value == int(value), "flag": isinstance(value, bool),
            "id": isinstance(value, str) or number}[kind]


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number with more digits than any number of the program holds
        return False


def _is_place(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 2 and all(_is("number", value) for value in row)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
