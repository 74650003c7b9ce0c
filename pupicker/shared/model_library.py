"""The model library: folders of models that are found by name.

A folder of the user, in which he publishes, and any number of the site, which may be read-only
(:data:`USER_VARIABLE`, :data:`SITE_VARIABLE`).  Every model file in them is in the library under its own name; the
folder of the user comes first, so that his model hides one of the site with the same name.  There is no index that
could be wrong: a model is added by copying a file, and taken away by deleting it.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from pupicker.shared.choices import MODEL_SUFFIX
from pupicker.shared.model_header import (
    CARD_TEXTS,
    ModelError,
    average_precision,
    content_digest,
    digest_problem,
    facts,
    read_card,
    read_header,
)

USER_VARIABLE, SITE_VARIABLE = "PUPICKER_USER_MODELS", "PUPICKER_MODELS"
USER, SITE = "user", "site"
ALIKE_DIAMETER = 1.25  # a model is for particles up to so many times larger or smaller
_NEEDED = ("diameter_ang", "working_pixel_size_ang", "box_size_ang", "min_distance_ang")
_NEAREST = 3  # names that are told where one is not known


class Folder(NamedTuple):
    """A folder of the library, and whether it is of the user or of the site."""

    path: str
    owner: str


@dataclass(frozen=True)
class Entry:
    """A model of the library.

    Attributes
    ----------
    name, path, owner
        Its name, its file, and whose folder that is in: ``user`` or ``site``.
    facts
        Of :func:`pupicker.shared.model_header.facts`.
    card
        Of :func:`pupicker.shared.model_header.read_card`; its ``digest`` is that of the file.
    problem
        Why it cannot be used, in one line; empty if it can.
    hidden
        Whether a folder before this one has a model of this name.
    """

    name: str
    path: str
    owner: str
    facts: Dict[str, Any] = field(default_factory=dict)
    card: Dict[str, str] = field(default_factory=dict)
    problem: str = ""
    hidden: bool = False

    @property
    def state(self) -> str:
        """``damaged``, ``hidden``, or empty for what can be used."""
        return "damaged" if self.problem else "hidden" if self.hidden else ""

    @property
    def average_precision(self) -> Optional[float]:
        """Of its picks, as far as it is known."""
        return average_precision(self.facts)

    def to_dict(self) -> Dict[str, Any]:
        """JSON-able; every text of the card is there, empty where it is not known."""
        texts = {name: self.card.get(name, "") for name in CARD_TEXTS + ("digest",)}
        return dict(texts, name=self.name, path=self.path, owner=self.owner, problem=self.problem, hidden=self.hidden,
                    **self.facts)


def library_folders(variables: Optional[Mapping[str, str]] = None) -> List[Folder]:
    """The folders in their order; they need not exist.

    Parameters
    ----------
    variables
        Where they are named; None: in the environment.
    """
    variables = os.environ if variables is None else variables
    folders = [Folder(user_folder(variables), USER)]
    for text in (variables.get(SITE_VARIABLE) or "").split(os.pathsep):
        if text.strip():
            folders.append(Folder(os.path.abspath(os.path.expanduser(text.strip())), SITE))
    return folders


def user_folder(variables: Optional[Mapping[str, str]] = None) -> str:
    """The folder of the user: where the variable says, else ``pupicker/models`` among the data of programs."""
    variables = os.environ if variables is None else variables
    given = (variables.get(USER_VARIABLE) or "").strip()
    data = os.environ.get("XDG_DATA_HOME") or os.path.join("~", ".local", "share")
    return os.path.abspath(os.path.expanduser(given or os.path.join(data, "pupicker", "models")))


def library_file(folder: str, name: str) -> str:
    """Where a model of this name is in a folder."""
    return os.path.join(folder, name + MODEL_SUFFIX)


def read_entry(path: str, owner: str = "", hidden: bool = False) -> Entry:
    """What a model file, usually of the library, holds; what is wrong with it is in the entry."""
    name = _without_suffix(os.path.basename(path))
    try:
        header, card = read_header(path), read_card(path)
        problem = digest_problem(path)
        card = card if problem else dict(card, digest=content_digest(path))
    except (ModelError, OSError) as error:  # it may be taken away at any time
        return Entry(name, path, owner, problem=str(error), hidden=hidden)
    found = facts(header)
    missing = [fact for fact in _NEEDED if found[fact] is None]
    if missing and not problem:
        problem = "%s: damaged: its header has no %s; copy it again" % (path, ", ".join(missing))
    return Entry(name, path, owner, found, card, problem, hidden)


def library_entries(folders: Iterable[Folder]) -> List[Entry]:
    """All models, folder by folder, sorted by name; a folder that is not there has none."""
    entries: List[Entry] = []
    known = set()
    for folder in folders:
        names = names_in(folder.path)
        entries += [read_entry(library_file(folder.path, name), folder.owner, name in known) for name in names]
        known.update(names)
    return entries


def matching(entries: Iterable[Entry], words: Sequence[str] = (), diameter_ang: Optional[float] = None,
             pixel_size_ang: Optional[float] = None) -> List[Entry]:
    """Those that are searched for.

    Parameters
    ----------
    words
        Each is somewhere in the name or the card, whatever the case.
    diameter_ang
        Of the particle, in Å: models of particles of about this size, the most alike first.
    pixel_size_ang
        Of micrographs, in Å: models that can pick them, because they work at this pixel size or a coarser one.
    """
    found = [entry for entry in entries if _has_words(entry, words)]
    if pixel_size_ang is not None:
        found = [entry for entry in found
                 if (entry.facts.get("working_pixel_size_ang") or 0) * 1.001 >= pixel_size_ang]
    if diameter_ang is not None:
        found = [entry for entry in found if _unlike(entry, diameter_ang) <= ALIKE_DIAMETER]
        found.sort(key=lambda entry: _unlike(entry, diameter_ang or 0))
    return found


def find_model(given: str, folders: Sequence[Folder]) -> Entry:
    """The model of a name.

    Raises
    ------
    ModelError
        There is none, or it is damaged; one line that says what is near.
    """
    name = _without_suffix(given)
    for folder in folders:
        if name in names_in(folder.path):
            entry = read_entry(library_file(folder.path, name), folder.owner)
            if entry.problem:
                raise ModelError(entry.problem)
            return entry
    raise ModelError("%s: there is no such model file, nor a model of this name in the library; %s"
                     % (given, _nearest(name, folders)))


def is_name(given: str) -> bool:
    """Whether it can be the name of a model of the library: it has no folder."""
    return bool(given) and os.path.basename(given) == given


def _nearest(name: str, folders: Sequence[Folder]) -> str:
    by_letters = {known.lower(): known for folder in folders for known in names_in(folder.path)}
    if not by_letters:
        return "the library is empty: pupicker models publish puts models there"
    near = difflib.get_close_matches(name.lower(), sorted(by_letters), _NEAREST, 0.5)
    near += [known for known in sorted(by_letters) if name.lower() in known and known not in near]
    names = ", ".join(by_letters[known] for known in near[:_NEAREST])
    return "the nearest names are %s" % names if names else "pupicker models list shows the names"


def names_in(folder: str) -> List[str]:
    """Names of the models of a folder, sorted; none if it is not there."""
    try:
        files = os.listdir(folder)
    except OSError:
        return []
    return sorted(_without_suffix(name) for name in files
                  if name.endswith(MODEL_SUFFIX) and not name.startswith("."))


def _without_suffix(name: str) -> str:
    return name[: -len(MODEL_SUFFIX)] if name.endswith(MODEL_SUFFIX) else name


def _has_words(entry: Entry, words: Sequence[str]) -> bool:
    text = " ".join([entry.name] + [entry.card.get(name, "") for name in CARD_TEXTS]).lower()
    return all(word.lower() in text for word in words)


def _unlike(entry: Entry, diameter_ang: float) -> float:
    """How many times the larger of the two diameters is the smaller one."""
    own = entry.facts.get("diameter_ang") or 0
    if own <= 0 or diameter_ang <= 0:
        return float("inf")
    return max(own / diameter_ang, diameter_ang / own)
