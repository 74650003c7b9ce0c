"""cryoSPARC's ``.cs``: a NumPy array of records, positions as fractions of the micrograph's width and height.

``location/center_x_frac`` times the columns and ``location/center_y_frac`` times the rows of
``location/micrograph_shape`` (rows, columns) are column and row in the MRC file that cryoSPARC wrote, from the first
pixel: nothing is flipped.  Micrographs that another program wrote from the same movies may be mirrored against those.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.files.coordinates.numbers import check_finite
from pupicker.engine.files.coordinates.source import Source
from pupicker.engine.files.sample import Sample
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import atomic_path

if TYPE_CHECKING:
    from pupicker.engine.files.coordinates.layout import Layout

SUFFIXES: tuple[str, ...] = (".cs",)

_X, _Y = "location/center_x_frac", "location/center_y_frac"
_SHAPE, _PATH = "location/micrograph_shape", "location/micrograph_path"
_SCORES = ("pick_stats/ncc_score", "topaz_score/score", "deep_picker/score")
_STREAM = b"\x94CSDAT"  # the newer format, which only cryoSPARC's own tools read


def recognises(sample: Sample) -> bool:
    """A NumPy file, or the newer format."""
    return sample.head.startswith((b"\x93NUMPY", _STREAM))


def read(path: Path, source: Source) -> CoordinateTable:
    """Read picks or particles; particles whose places lie in the passthrough file are refused with that word."""
    if Sample.of(path).head.startswith(_STREAM):
        raise InputError(f"{path}: cryoSPARC's stream format; export the group of results, which writes .cs files")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header that NumPy takes for an old one
            rows = np.load(path, allow_pickle=False)
        names = rows.dtype.names or ()
    except OSError:
        raise
    except Exception as error:  # whatever the parser of headers meets in a damaged one
        raise InputError(f"{path}: not a file of cryoSPARC, or damaged ({' '.join(str(error).split())})") from error
    if _X not in names or _Y not in names:
        raise InputError(f"{path}: has no {_X} and {_Y}; give the passthrough file of the same job, or that of the"
                         " picking job")
    if _SHAPE not in names or rows.ndim != 1:
        raise InputError(f"{path}: has no {_SHAPE}, without which its fractions mean nothing; export the particles of"
                         " the picking job")
    if rows[_SHAPE].ndim != 2 or rows[_X].ndim != 1 or rows[_Y].ndim != 1:
        raise InputError(f"{path}: damaged: its columns have other shapes than cryoSPARC writes")
    shape = np.asarray(rows[_SHAPE], dtype=np.float64)
    if np.any(shape <= 0):
        raise InputError(f"{path}: row {int(np.argmax((shape <= 0).any(axis=1))) + 1}: {_SHAPE} is 0, without which its"
                         " fractions mean nothing; export the particles of the picking job")
    # The fractions are 32-bit: a thousandth of a pixel is what they can tell.
    x = check_finite(np.round(rows[_X].astype(np.float64) * shape[:, 1], 3), _X, path)
    y = check_finite(np.round(rows[_Y].astype(np.float64) * shape[:, 0], 3), _Y, path)
    named = [_text(value) for value in rows[_PATH]] if _PATH in names else [source.micrograph] * len(rows)
    score = next((rows[field] for field in _SCORES if field in names), None)
    if score is not None:
        score = check_finite(score.astype(np.float64), "score", path)
    return CoordinateTable(np.array(named, dtype=object), x, y, score)


def write(path: Path, table: CoordinateTable, layout: Layout) -> None:
    """Write picks that an imported group of results takes; their micrographs are known by path.

    Raises
    ------
    InputError
        The size of a micrograph is not known: it divides the coordinates.
    """
    missing = [name for name in table.names() if name not in layout.shapes]
    if missing:
        raise InputError(f"{path}: a .cs file needs the sizes of the micrographs, and {missing[0]!r} is not there; give"
                         " the micrographs", "micrographs")
    shapes = np.array([layout.shapes[name] for name in table.micrograph], dtype=np.uint32).reshape(-1, 2)
    longest = max((len(name.encode()) for name in table.names()), default=1)
    rows = np.zeros(len(table), dtype=[
        ("uid", "<u8"), ("location/micrograph_uid", "<u8"), ("location/exp_group_id", "<u4"),
        (_PATH, f"S{longest}"), (_SHAPE, "<u4", (2,)), (_X, "<f4"), (_Y, "<f4"), (_SCORES[0], "<f4"),
    ])
    rows["uid"] = [_uid(f"{name} {index}") for index, name in enumerate(table.micrograph)]
    rows["location/micrograph_uid"] = [_micrograph_uid(name) for name in table.micrograph]
    rows[_PATH] = [name.encode() for name in table.micrograph]
    rows[_SHAPE] = shapes
    rows[_X], rows[_Y] = table.x / shapes[:, 1], table.y / shapes[:, 0]
    if table.score is not None:
        rows[_SCORES[0]] = table.score
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _uid(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _micrograph_uid(name: str) -> int:
    """The number that cryoSPARC puts in front of the names of its micrographs, else one that follows from the name."""
    found = re.match(r"(\d{15,20})_", Path(name).name)
    number = int(found.group(1)) if found else 0
    return number if 0 < number < 1 << 64 else _uid(name)
