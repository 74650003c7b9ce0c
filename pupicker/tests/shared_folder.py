"""What is made once for all tests and processes of a run."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Scipion's tests run without it too
    import pytest

VARIABLE = "PUPICKER_TESTS_SHARED"


def shared_folder(factory: pytest.TempPathFactory | None = None) -> Path:
    """The folder for it; of this process alone where no pytest runs."""
    if VARIABLE not in os.environ:
        if factory is None:
            folder = Path(tempfile.mkdtemp(prefix="pupicker_shared_"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        else:
            base = factory.getbasetemp()
            folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
            folder.mkdir(exist_ok=True)
        os.environ[VARIABLE] = str(folder)
    return Path(os.environ[VARIABLE])


@contextmanager
def one_at_a_time(folder: Path, name: str) -> Iterator[Path]:
    """Path in the folder that no other process makes meanwhile; it may be there already."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / name
