"""A model file without torch: its header, its card, its digest.

A model is a safetensors file: the length of a JSON text (8 bytes, little-endian), the text, the numbers.  Under
``__metadata__`` the text has what training wrote (:data:`HEADER_KEY`) and, in a model that was published, the card
(:data:`CARD_KEY`): specimen, microscope, note, author, date, digest.  The card is in the file and not beside it, so
that a model is one file to hand on; programs that know no cards read past it.  Writing a card moves no number and no
letter of what training wrote, and the digest is of these alone: a model has the same digest with and without a card.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import Any, BinaryIO, Dict, Mapping, Optional, Tuple

from pupicker.shared.atomic import Target, atomic_path

HEADER_KEY, CARD_KEY = "pupicker", "pupicker_card"
CARD_TEXTS = ("specimen", "microscope", "note", "author", "date")
DIGITS_SHOWN = 12  # of a digest, for people
_LONGEST = 500  # letters of a text of a card, which anybody may have written
_CHUNK = 1 << 20
_NUMBERS = {"geometry": ("diameter_ang", "working_pixel_size_ang", "box_size_ang", "min_distance_ang"),
            "": ("class_prior", "suggested_threshold", "schema_version")}
_OF_TRAINING = ("objective", "start", "labels", "micrographs", "particles_per_micrograph", "particles_interval",
                "crowding", "expected_precision", "expected_recall", "expected_average_precision", "validation",
                "training_pixel_size_ang", "software")


def average_precision(facts: Mapping[str, Any]) -> Optional[float]:
    """How good a model is: on labels that were held out, else what its scores let expect; None: not known.

    `facts` are what ``pupicker info --json`` prints, or those of :func:`read_header`.
    """
    validation = facts.get("validation")
    known = validation.get("average_precision") if isinstance(validation, dict) else None
    value = facts.get("expected_average_precision") if known is None else known
    return value if isinstance(value, float) else None


class ModelError(ValueError):
    """A file cannot be used as a model; one line that names it."""


def read_header(path: Target) -> Dict[str, Any]:
    """What training wrote.

    Raises
    ------
    ModelError
        The file is missing, no model, or damaged.
    """
    return _open(path)[2]


def is_model(path: Target) -> bool:
    """Whether a file is a model."""
    try:
        read_header(path)
    except ModelError:
        return False
    return True


def read_card(path: Target) -> Dict[str, str]:
    """The card of a model: :data:`CARD_TEXTS` and ``digest``, each one line, as far as it has them; empty: it has none.

    Raises
    ------
    ModelError
        As :func:`read_header`.
    """
    return _card(_open(path)[1])


def content_digest(path: Target) -> str:
    """SHA-256 of all that decides what a model finds: what training wrote, names, shapes and bytes of the weights.

    Raises
    ------
    ModelError
        As :func:`read_header`.
    """
    offset, whole, _ = _open(path)
    tensors = {name: entry for name, entry in whole.items() if name != "__metadata__"}
    digest = hashlib.sha256(json.dumps(tensors, sort_keys=True).encode("utf-8"))
    digest.update(b"\n" + whole["__metadata__"][HEADER_KEY].encode("utf-8", "surrogatepass") + b"\n")
    with open(path, "rb") as stream:
        stream.seek(offset)
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def digest_problem(path: Target) -> str:
    """What is wrong with a model that has a card: it is not the one that was published; empty if nothing is."""
    stored = read_card(path).get("digest")
    if stored is None or stored == content_digest(path):
        return ""
    return "%s: damaged: it is not the model that was published (digest %s); copy it again" % (
        path, stored[:DIGITS_SHOWN])


def replaced_texts(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """What is lost of a card when another one takes its place, but for its date; empty if nothing is."""
    return ", ".join("%s %r (now %s)" % (name, old[name], repr(new[name]) if new.get(name) else "none")
                     for name in CARD_TEXTS if name != "date" and old.get(name) and old[name] != new.get(name))


def copy_with_card(source: Target, target: Target, card: Mapping[str, str]) -> None:
    """Write a model anew with another card, whole or not at all; the digest of what is written is added to the card.

    Raises
    ------
    ModelError
        The source is no model.
    OSError
        The target cannot be written.
    """
    offset, whole, _ = _open(source)
    metadata = dict(whole["__metadata__"])
    metadata[CARD_KEY] = json.dumps(dict(card, digest=content_digest(source)))
    text = json.dumps(dict(whole, __metadata__=metadata), separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)  # the numbers begin where the processor likes them
    with atomic_path(target) as temporary, open(source, "rb") as old:
        old.seek(offset)
        with open(temporary, "wb") as new:
            new.write(len(text).to_bytes(8, "little") + text)
            shutil.copyfileobj(old, new, _CHUNK)
            new.flush()
            os.fsync(new.fileno())


def facts(header: Mapping[str, Any]) -> Dict[str, Any]:
    """What a list of models says of one: some of the fields of ``pupicker info --json``, under their names.

    Parameters
    ----------
    header
        Of :func:`read_header`; what an older or a damaged one lacks is None.
    """
    found: Dict[str, Any] = {"kind": "model"}
    for part, names in _NUMBERS.items():
        values = header.get(part) if part else header
        found.update({name: _number(values.get(name)) if isinstance(values, dict) else None for name in names})
    network, details = header.get("network"), header.get("details")
    found.update(network=network.get("name") if isinstance(network, dict) else None,
                 network_settings=network.get("settings") if isinstance(network, dict) else None)
    found.update({name: details.get(name) if isinstance(details, dict) else None for name in _OF_TRAINING})
    return found


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _open(path: Target) -> Tuple[int, Dict[str, Any], Dict[str, Any]]:
    """Where the numbers begin, the whole text before them, and what training wrote."""
    if not os.path.isfile(path):
        raise ModelError("%s: there is no such model file" % path)
    try:
        with open(path, "rb") as stream:
            return _read(stream, os.path.getsize(path))
    except PermissionError as error:
        raise ModelError("%s: no permission to read it" % path) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError("%s: not a model of pupicker, or damaged; train, import or copy it again" % path) from error


def _read(stream: BinaryIO, size: int) -> Tuple[int, Dict[str, Any], Dict[str, Any]]:
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= size - 8:
        raise ValueError("no header")
    whole = json.loads(stream.read(length).decode("utf-8"))
    header = json.loads(whole["__metadata__"][HEADER_KEY])
    if not isinstance(header, dict):
        raise ValueError("no header of a model")
    return 8 + length, whole, header


def _card(whole: Dict[str, Any]) -> Dict[str, str]:
    try:
        stored = json.loads(whole["__metadata__"].get(CARD_KEY, "{}"))
    except (ValueError, TypeError, RecursionError):
        stored = {"digest": "unreadable"}  # what is damaged there may be damaged elsewhere
    if not isinstance(stored, dict):
        return {"digest": "unreadable"}
    return {name: one_line(stored[name]) for name in CARD_TEXTS + ("digest",) if stored.get(name)}


def one_line(value: Any) -> str:
    """A text for a terminal or a window: no letters that move a cursor, and not too many."""
    return "".join(letter for letter in " ".join(str(value).split()) if letter.isprintable())[:_LONGEST]
