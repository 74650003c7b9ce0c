"""JSON files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from typing import Any, Dict


def readJson(path: str) -> Dict[str, Any]:
    """Content of a JSON file; empty if it is not there (yet) or not complete."""
    try:
        with open(path, encoding="utf-8") as stream:
            return dict(json.load(stream))
    except (OSError, ValueError):
        return {}


def writeJson(path: str, content: Dict[str, Any]) -> None:
    """Write `content` to `path` at once, never half."""
    temporary = path + ".part"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
    os.replace(temporary, path)
