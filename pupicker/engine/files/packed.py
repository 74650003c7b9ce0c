"""Files that are compressed with gzip or bzip2: told by their first bytes, unpacked in memory."""

from __future__ import annotations

import bz2
import gzip
import io
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from pupicker.engine.runtime.errors import InputError


def open_unpacked(path: Path) -> BinaryIO:
    """The open file, or in memory what it holds where it is compressed.

    Raises
    ------
    InputError
        It is no file: a pipe or a device, which would give no bytes, or no end of them; or what is compressed is
        damaged.
    OSError
        It cannot be read.
    """
    require_file(path)
    file = path.open("rb")
    start = file.read(3)
    file.seek(0)
    unpack = gzip.open if start[:2] == b"\x1f\x8b" else bz2.open if start == b"BZh" else None
    if unpack is None:
        return file
    try:
        with file, unpack(file, "rb") as packed:
            return io.BytesIO(packed.read())
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk
            raise
        raise InputError(f"{path}: truncated or damaged: it cannot be unpacked ({error}); copy it again") from error


def require_file(path: Path) -> None:
    """Raise InputError for what is there and is no file, before opening it waits for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # opening says why
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder says so
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
        raise InputError(f"{path}: is {kind}, not a file")
