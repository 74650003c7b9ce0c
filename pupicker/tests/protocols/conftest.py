"""Every test of this folder needs Scipion: select or leave them out with ``-m scipion``."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    for item in items:
        if str(item.fspath).startswith(here + os.sep):
            item.add_marker(pytest.mark.scipion)
