"""Models of the library in the engine: by name for a picking, published with a card.

What the library is, and how it is read, says :mod:`pupicker.shared.model_library`.
"""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pupicker.engine.models.model_file import load_model
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.runtime.sole_writer import sole_writer
from pupicker.shared.model_header import (
    DIGITS_SHOWN,
    ModelError,
    content_digest,
    copy_with_card,
    read_card,
    replaced_texts,
)
from pupicker.shared.model_library import find_model, is_name, library_file, library_folders

_PATIENCE_S = 60.0  # publishing is a matter of a second

_log = logging.getLogger(__name__)


def model_file(given: str | os.PathLike[str]) -> Path:
    """The file of a model that is given as a file or as the name of a model of the library; a file that exists wins.

    Raises
    ------
    InputError
        There is neither, which says what names are near; or the model of the library is damaged.
    """
    path = Path(given)
    if path.exists() or not is_name(str(given)):
        return path
    try:
        return Path(find_model(str(given), library_folders()).path)
    except ModelError as error:
        raise InputError(str(error), "model") from error


def publish(source: Path, name: str, folder: Path, card: Mapping[str, str | None], replace: bool = False) -> Path:
    """Put a model into a folder of the library; nothing is written unless it is whole.

    Parameters
    ----------
    source
        A model; what its own card says stays where `card` says nothing.
    name
        In the library.
    folder
        Is made if it is missing.
    card
        Some of :data:`pupicker.shared.model_header.CARD_TEXTS`; the date is today's if none is given.
    replace
        Whether another model under this name may be overwritten.  The same model may always get another card: what is
        lost of the card that it had is logged as a warning.

    Returns
    -------
    Path
        Its file in the library.

    Raises
    ------
    InputError
        The source cannot be used, or nothing can be written there.
    UsageError
        Another model has this name.
    """
    load_model(source)
    target = Path(library_file(str(folder), name))
    try:
        texts = {**read_card(source), "date": date.today().isoformat()}
        texts |= {key: value for key, value in card.items() if value}
        texts.setdefault("author", _user())
        with sole_writer(target, _PATIENCE_S):
            if target.exists() and not replace:
                _require_the_same(source, target)
                lost = replaced_texts(read_card(target), texts)
                if lost:
                    _log.warning("%s: the same model was published before; replaced on its card: %s", target, lost)
            copy_with_card(source, target, texts)
    except ModelError as error:
        raise InputError(str(error)) from error
    except OSError as error:
        raise InputError(f"{folder}: nothing can be published there ({error.strerror or error}); choose another folder",
                         "folder") from error
    return target


def _require_the_same(source: Path, target: Path) -> None:
    try:
        theirs, their_card = content_digest(target), read_card(target)
    except ModelError:
        theirs, their_card = "unreadable", {}
    if theirs != content_digest(source):
        by = " by ".join(their_card[key] for key in ("date", "author") if key in their_card)
        raise UsageError(f"{target}: another model has this name (digest {theirs[:DIGITS_SHOWN]}"
                         f"{', of ' + by if by else ''}); choose another name, or replace it", "name", "replace")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        return ""
