"""Where the tests find real micrographs and files of other programs; they are no part of the package."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE_THE_REPOSITORY = Path(__file__).parents[2].parent / "shared"


def shared(relative: str) -> Path:
    """A path in the shared folder; skips the test, naming the path, where it is missing."""
    path = Path(os.environ.get("PUPICKER_SHARED", _BESIDE_THE_REPOSITORY)) / relative
    if not path.exists():
        pytest.skip(f"real data not found: {path} (set PUPICKER_SHARED)")
    return path
