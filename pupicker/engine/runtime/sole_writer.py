"""One run at a time writes a file: the second is told; what a killed one left half-written is cleared away."""

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

from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import folder_for

WAIT_S = 0.5
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}(?:\.[^.]+)?")  # the names of pupicker.shared.atomic


@contextmanager
def sole_writer(output: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a file, or a folder as a whole, while the block runs.

    Parameters
    ----------
    output
        What is held.
    patience_s
        So long it waits for another run to end.

    Raises
    ------
    InputError
        Another run holds it.
    """
    lock = output.with_name(f".{output.name}.lock")
    with folder_for(output.parent):
        descriptor, deadline = _opened(lock), time.monotonic() + patience_s
        while descriptor is not None and not _lock(descriptor):
            holder = _content(lock).get("who", "")
            os.close(descriptor)
            if time.monotonic() >= deadline:
                raise _held(output, holder)
            time.sleep(WAIT_S)
            descriptor = _opened(lock)  # anew: whoever held it has removed the file
        try:
            if descriptor is not None:
                _note(descriptor, ())
            _clear(output.parent, {output.stem, output.name})
            yield
        finally:
            _release(lock, descriptor)


@contextmanager
def sole_writer_of_tables(folder: Path, targets: Iterable[Path]) -> Iterator[None]:
    """Hold files of a folder while the block runs: others may write other files there at the same time.

    Raises
    ------
    InputError
        Another run writes one of them.
    """
    own = folder / f".run-{secrets.token_hex(4)}.lock"
    targets = list(targets)
    names = {target.name for target in targets}
    with folder_for(folder):
        descriptor = _opened(own)
        if descriptor is not None and _lock(descriptor):
            _note(descriptor, names)
        try:
            for other in folder.glob(".run-*.lock"):
                if other != own:
                    _check_other(other, folder, names)
            _clear(folder, {target.stem for target in targets})
            yield
        finally:
            _release(own, descriptor)


def _check_other(lock: Path, folder: Path, names: Collection[str]) -> None:
    """InputError if a run that is alive writes one of these files; the lock of a dead one is removed."""
    descriptor = _opened(lock, create=False)
    if descriptor is None:
        return
    try:
        if _lock(descriptor):
            lock.unlink(missing_ok=True)
            return
        held = _content(lock)
        common = sorted(set(held.get("files", ())) & set(names))
        if common:
            raise _held(folder / common[0], held.get("who", ""))
    finally:
        os.close(descriptor)


def _held(output: Path, holder: str) -> InputError:
    who = f" ({holder})" if holder else ""
    return InputError(f"{output}: another run is writing it{who}; wait for its end, or give another output", "output")


def _opened(lock: Path, create: bool = True) -> int | None:
    """Descriptor of a lock's file; None where nothing may be written: writing the output will say why."""
    try:
        return os.open(lock, os.O_RDWR | (os.O_CREAT if create else 0), 0o666)
    except OSError:
        return None


def _lock(descriptor: int) -> bool:
    """Whether nobody else holds it; True, too, where the file system knows no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _note(descriptor: int, names: Collection[str]) -> None:
    content = {"who": f"process {os.getpid()} on {socket.gethostname()}", "files": sorted(names)}
    with suppress(OSError):
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(content).encode(), 0)


def _content(lock: Path) -> dict[str, str]:
    try:
        return dict(json.loads(lock.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _release(lock: Path, descriptor: int | None) -> None:
    if descriptor is not None:
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _clear(folder: Path, stems: Collection[str]) -> None:
    """Remove temporary files of these outputs, left by runs that were killed: nobody else writes them now."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            found = _TEMPORARY.fullmatch(path.name)
            with suppress(OSError):
                if found is not None and found["stem"] in stems and path.is_file():
                    path.unlink()
