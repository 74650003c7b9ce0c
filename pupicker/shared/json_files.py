"""JSON files that appear whole or not at all."""

from __future__ import annotations

import json
from typing import Any, Dict

from pupicker.shared.atomic import Target, write_text


def read_json(path: Target) -> Dict[str, Any]:
    """Content of a JSON file; empty if it is not there (yet), not complete, or no object."""
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Target, content: Any) -> None:
    """Write `content` to `path` at once, never half; missing parent folders are made."""
    write_text(path, json.dumps(content, indent=2) + "\n")
