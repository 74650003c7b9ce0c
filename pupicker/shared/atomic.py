"""Files appear whole or not at all: written under a temporary name in the same folder, then renamed.

Nor does an empty folder stay of what could not be written.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Iterator, Union

Target = Union[str, "os.PathLike[str]"]

_UMASK = os.umask(0)  # it can only be read by setting it; once, before there are threads
os.umask(_UMASK)


@contextmanager
def folder_for(folder: Target) -> Iterator[Path]:
    """Make a folder, with those above it, for what the block writes; if that fails, what was made and is empty goes."""
    folder = Path(folder)
    made = [] if folder.is_dir() else [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # something is in it
            for path in made:
                path.rmdir()
        raise


@contextmanager
def atomic_path(target: Target) -> Iterator[Path]:
    """Yield a temporary path that becomes `target` when the block ends without an exception.

    The temporary name starts with a dot, so that folder listings of micrographs or tables never pick it up, and
    keeps the suffix, because writers choose formats by it.  Missing parent folders are made.  The file gets the usual
    permissions, whatever the writer gave it: models are shared between users.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    with folder_for(target.parent):
        try:
            yield temporary
            temporary.chmod(0o666 & ~_UMASK)
            os.replace(temporary, target)
        except OSError as error:
            if error.filename not in (None, str(temporary), temporary):
                raise
            # A full disk: which file it was is what the user wants to know.  numpy has no more to say than numbers.
            reason = error.strerror or "not all of it could be written (%s); is the disk full?" % error
            raise OSError(error.errno or errno.ENOSPC, reason, str(target)) from error
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


@contextmanager
def atomic_text(target: Target) -> Iterator[IO[str]]:
    """Yield a stream for UTF-8 that becomes `target` when the block ends without an exception."""
    with atomic_path(target) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        yield stream


def append_text(target: Target, text: str) -> None:
    """Append `text` as UTF-8; OSErrors name the file."""
    try:
        with open(target, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        error.filename = str(target)
        raise


def write_text(target: Target, text: str) -> None:
    """Write `text` as UTF-8 to `target` atomically; OSError where it holds a name of a file that is no text."""
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OSError(errno.EILSEQ, "a name in it is not UTF-8; rename that file", str(target)) from error
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
