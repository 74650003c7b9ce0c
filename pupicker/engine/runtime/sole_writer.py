"""One run at a time writes a file: the second is told; what a killed one left half-written is cleared away.

A run holds a lock file beside what it writes, and notes in it who it is.  The lock ends with the process, however that
ends, and the file goes with it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import folder_for
from pupicker.shared.json_files import read_json

WAIT_S = 0.5
_LOOKED_AT_S = 0.01
"""So long others hold a lock at which they only look, or less."""

_TRIES = 1000
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}(?P<suffix>\.[^.]+)?")  # the names of pupicker.shared.atomic


@contextmanager
def sole_writer(output: Path, patience_s: float = 0.0, beside: Collection[Path] = ()) -> Iterator[None]:
    """Hold a file, or a folder as a whole, while the block runs.

    Parameters
    ----------
    output
        What is held.
    patience_s
        So long it waits for another run to end.
    beside
        Files in the same folder that only who holds the output writes.

    Raises
    ------
    InputError
        Another run holds it.
    """
    lock, deadline = _Lock(output.with_name(f".{output.name}.lock")), time.monotonic() + patience_s
    with folder_for(output.parent):
        while not lock.take():
            if time.monotonic() >= deadline:
                raise _held(output, lock.noted())
            time.sleep(WAIT_S)
        try:
            lock.note(())
            _clear(output.parent, {output.name, *(path.name for path in beside)})
            yield
        finally:
            lock.release()


@contextmanager
def sole_writer_of_tables(folder: Path, targets: Iterable[Path]) -> Iterator[None]:
    """Hold files of a folder while the block runs: others may write other files there at the same time.

    Raises
    ------
    InputError
        Another run writes one of them.
    """
    names = {target.name for target in targets}
    own = _Lock(folder / f".run-{secrets.token_hex(4)}.lock")
    with folder_for(folder):
        while not own.take():  # another run that begins looks at it
            time.sleep(_LOOKED_AT_S)
        try:
            own.note(names)  # before the others are looked at: of two that begin at once, one at least sees the other
            for path in folder.glob(".run-*.lock"):
                if path != own.path:
                    _check_other(path, names)
            _clear(folder, names)
            yield
        finally:
            own.release()


def _check_other(path: Path, names: Collection[str]) -> None:
    """InputError if a run that is alive writes one of these files; the lock of a dead one is removed."""
    other = _Lock(path)
    if other.take():
        other.release()
        return
    noted = other.noted()
    common = sorted(set(noted.get("files", ())) & set(names))
    if common:
        raise _held(path.with_name(common[0]), noted)


def _held(output: Path, noted: dict[str, Any]) -> InputError:
    who = f" ({noted['who']})" if noted.get("who") else ""
    return InputError(f"{output}: another run is writing it{who}; wait for its end, or give another output", "output")


class _Lock:
    """A file that one process holds; it is there for no longer than that.

    Where no such file can be made, or the file system knows no locks, everyone holds it: nothing is worse than without.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether this process holds it now."""
        for _ in range(_TRIES):
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError:  # nothing can be written there: writing the output will say why
                return True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            except OSError:
                pass
            if self._is(descriptor):
                self._descriptor = descriptor
                return True
            os.close(descriptor)  # who held it removed the file between the two calls: a lock on it holds off nobody
        return True  # a file is never the same twice there

    def _is(self, descriptor: int) -> bool:
        """Whether this is the file that others find under the name."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except OSError:
            return False

    def note(self, names: Collection[str]) -> None:
        """Write who holds it, and the names of the files that it is for."""
        if self._descriptor is not None:
            content = {"who": f"process {os.getpid()} on {socket.gethostname()}", "files": sorted(names)}
            with suppress(OSError):
                os.truncate(self._descriptor, 0)
                os.pwrite(self._descriptor, json.dumps(content).encode(), 0)

    def noted(self) -> dict[str, Any]:
        """What whoever holds it has written; empty if nothing yet."""
        return read_json(self.path)

    def release(self) -> None:
        """Others may have it."""
        if self._descriptor is not None:
            with suppress(OSError):
                self.path.unlink()  # while it is held: afterwards it may be another's
            os.close(self._descriptor)
            self._descriptor = None


def _clear(folder: Path, names: Collection[str]) -> None:
    """Remove temporary files of files with these names, left by runs that were killed: nobody else writes them now."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            found = _TEMPORARY.fullmatch(path.name)
            with suppress(OSError):
                if found is not None and found["stem"] + (found["suffix"] or "") in names and path.is_file():
                    path.unlink()
