"""Where a report comes from, and the files that say it; without what pages are made with, which takes time to load."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pupicker.engine.files.packed import require_file
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import micrograph_key


@dataclass(frozen=True)
class Provenance:
    """Where a report comes from.

    Attributes
    ----------
    command_line
        As it was typed.
    names
        Names to show, by the name of the micrograph's file without folder and extension; the others are shown as paths.
    """

    command_line: str
    names: Mapping[str, str] = field(default_factory=dict)

    def shown(self, micrograph: str | os.PathLike[str]) -> str:
        """The name that the user knows."""
        return self.names.get(micrograph_key(micrograph), str(micrograph))


def read_names(path: Path | None) -> dict[str, str]:
    """Names to show, from a JSON file ``{"mic000001": "20170629_0001.mrc"}``; none without a file.

    Raises
    ------
    InputError
        If it cannot be read as such.
    """
    if path is None:
        return {}
    content = read_object(path)
    if not all(isinstance(name, str) for name in content.values()):
        raise InputError(f"{path}: every value must be the name of a micrograph, in quotes")
    return content


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises
    ------
    InputError
        If there is no such file, or something else in it.
    """
    require_file(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold a JSON object, {{...}}, not {type(content).__name__}")
    return content
