"""Attributes of a set's items, read from its file at once: item by item takes ten times as long."""

from __future__ import annotations

import gc
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import Any, Dict, Iterator, List, Optional

ROWS_AT_ONCE = 5000


class SetError(Exception):
    """A set cannot be read; the message is one line that names its file."""


@contextmanager
def collectorPaused() -> Iterator[None]:
    """While many small objects are made, none of which can be garbage yet, looking for it takes most of the time."""
    wasOn = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wasOn:
            gc.enable()


def hasColumn(path: str, name: str) -> bool:
    """Whether the items of a set have an attribute; False if there is no such set."""
    if not os.path.exists(path):
        return False
    try:
        with closing(sqlite3.connect(path)) as database:
            return name in _columns(database)
    except sqlite3.Error:
        return False


def _columns(database: Any, prefix: str = "") -> Dict[str, str]:
    """Column of each attribute in the table of items."""
    return dict(database.execute("SELECT label_property, column_name FROM %sClasses" % prefix))


def readColumns(path: str, names: List[str], prefix: str = "", enabledOnly: bool = False) -> List[Optional[List[Any]]]:
    """Values of attributes (``id`` is the object's id), in the order of the items; None for one that they do not have.

    `prefix` names one of several sets in a file: ``Class001_``.  With `enabledOnly` those that the user has disabled
    are left out.

    Raises
    ------
    SetError
        The file is missing or is no set.
    """
    if not os.path.exists(path):
        raise SetError("%s: no such file; run the protocol again that made this set." % path)
    try:
        with closing(sqlite3.connect(path)) as database:
            known = dict(_columns(database, prefix), id="id")
            present = [name for name in names if name in known]
            if not present:
                return [None] * len(names)
            values: Dict[str, List[Any]] = {name: [] for name in present}
            rows = database.execute("SELECT %s FROM %sObjects %s ORDER BY id" % (
                ", ".join(known[name] for name in present), prefix, "WHERE enabled=1" if enabledOnly else ""))
            with collectorPaused():
                for piece in iter(lambda: rows.fetchmany(ROWS_AT_ONCE), []):
                    for name, some in zip(present, zip(*piece)):
                        values[name].extend(some)
    except sqlite3.Error as error:
        raise SetError("%s: cannot be read as a set of Scipion (%s)." % (path, error)) from error
    return [values.get(name) for name in names]
