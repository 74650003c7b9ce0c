"""Digest of what a training learns from: the files as they are stored, the tables, and what is done to them.

Nothing that was computed from the files goes in: another processor rounds otherwise, and a training that was stopped
goes on where the queue starts it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.runtime.errors import InputError

_CHUNK = 1 << 20


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    return digest.hexdigest()


def data_digest(
    files: Mapping[Path, str], tables: Sequence[CoordinateTable | None], exclusion: Exclusion, *choices: object
) -> str:
    """Of a training set.

    Parameters
    ----------
    files
        Micrographs in their order, and the digest of each.
    tables
        Labels, and places that are no particles; the order of rows does not count.
    exclusion
        Margin, contamination and the masks' files count; a limit that was found does not.
    choices
        Whatever else changes the images.
    """
    digest = hashlib.sha256(repr((exclusion.margin_ang, exclusion.contamination, *choices)).encode())
    for path, stored in files.items():
        mask = exclusion.masks.of(path) if exclusion.masks else None
        digest.update(f"\n{stored} {file_digest(mask) if mask else ''}".encode())
        for table in tables:
            own = CoordinateTable.empty() if table is None else table.of(str(path))
            digest.update(b"\n" + np.unique(np.stack([own.x, own.y], axis=1), axis=0).tobytes())
    return digest.hexdigest()
