"""Digests of values and files: what tells that a step has to run again."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, List, Sequence


def digest_of(*items: Any) -> str:
    """Short digest of JSON-able values: an argument of every step that has to run again when one of them changes."""
    return hashlib.sha1(json.dumps(items, sort_keys=True).encode("utf-8")).hexdigest()[:12]


def file_digest(path: str) -> str:
    """Digest of the content of a (small) file."""
    with open(path, "rb") as stream:
        return hashlib.sha1(stream.read()).hexdigest()[:12]


def file_state(path: str) -> List[int]:
    """Size and time of a file; empty if there is none, or a broken link."""
    try:
        state = os.stat(path)
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]


def tables_state(path: str, suffixes: Sequence[str]) -> List[Any]:
    """The same of a table, or of all files below a folder with one of the suffixes, each with its name.

    A folder has a time of its own, which a file that is written in place leaves as it was.
    """
    if not os.path.isdir(path):
        return file_state(path)
    files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names
             if os.path.splitext(name)[1].lower() in suffixes]
    return [[os.path.relpath(file, path), file_state(file)] for file in sorted(files)]
