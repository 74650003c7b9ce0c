from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import pupicker

REPOSITORY = Path(pupicker.__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def examples():
    """The folder of the examples."""
    folder = REPOSITORY / "examples"
    if not folder.is_dir():
        pytest.skip("needs the repository: examples is not beside the package")
    return folder


@pytest.fixture(scope="session")
def environment():
    """That of an example: it starts ``pupicker`` by its name."""
    binaries = str(Path(sys.executable).parent)
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": binaries + os.pathsep + os.environ["PATH"],
            "OMP_NUM_THREADS": "1", "PUPICKER_DEVICE": "cpu"}
