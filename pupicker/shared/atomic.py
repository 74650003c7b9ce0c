"""Files appear whole or not at all: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, Union

Target = Union[str, "os.PathLike[str]"]

_UMASK = os.umask(0)  # it can only be read by setting it; once, before there are threads
os.umask(_UMASK)


@contextmanager
def atomic_path(target: Target) -> Iterator[Path]:
    """Yield a temporary path that becomes `target` when the block ends without an exception.

    The temporary name starts with a dot, so that folder listings of micrographs or tables never pick it up, and
    keeps the suffix, because writers choose formats by it.  Missing parent folders are made.  The file gets the usual
    permissions, whatever the writer gave it: models are shared between users.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)
        os.replace(temporary, target)
    except OSError as error:
        if error.filename in (None, str(temporary), temporary):
            error.filename = str(target)  # a full disk: which file it was is what the user wants to know
        raise
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_text(target: Target, text: str) -> None:
    """Write `text` as UTF-8 to `target` atomically; OSError where it holds a name of a file that is no text."""
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OSError(errno.EILSEQ, "a name in it is not UTF-8; rename that file", str(target)) from error
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
