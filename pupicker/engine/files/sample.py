"""The beginning of a file, from which its format is told: names lie, contents rarely do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HEAD_BYTES = 1 << 16
_KINDS = {
    b"\x1f\x8b": "a gzip file", b"BZh": "a bzip2 file", b"\xfd7zXZ": "an xz file",
    b"PK\x03\x04": "a zip file (models of PyTorch and Topaz are such)", b"\x80\x02": "a pickle of Python",
    b"\x89PNG": "a PNG picture", b"\xff\xd8\xff": "a JPEG picture",
    b"II*\0": "a TIFF image", b"MM\0*": "a TIFF image", b"II+\0": "a BigTIFF image (frames in EER are such)",
    b"\x89HDF": "an HDF5 file", b"SQLite format 3": "an SQLite file", b"%PDF": "a PDF document",
    b"\x93NUMPY": "a NumPy array (cryoSPARC's .cs are such)", b"\x94CSDAT": "a cryoSPARC file",
    b"\0\0\0\3": "an image of Digital Micrograph", b"\0\0\0\4": "an image of Digital Micrograph",
}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Sample:
    """A file and its first bytes.

    Attributes
    ----------
    path
        The file.
    head
        Its first 64 KiB.
    """

    path: Path
    head: bytes

    @classmethod
    def of(cls, path: Path) -> Sample:
        """Read it; raises OSError where there is no such file."""
        with path.open("rb") as file:
            return cls(path, file.read(_HEAD_BYTES))

    @property
    def suffix(self) -> str:
        """Extension in small letters."""
        return self.path.suffix.lower()

    @property
    def text(self) -> str:
        """The bytes as text; empty if they are none."""
        return "" if b"\0" in self.head else self.head.decode("utf-8-sig", errors="ignore")

    @property
    def kind(self) -> str:
        """What the file is, in words; empty if that is not known."""
        for start, words in _KINDS.items():
            if self.head.startswith(start):
                return words
        if not self.head:
            return "an empty file"
        return "text" if self.text else ""

    def rows(self) -> list[list[str]]:
        """Fields of the lines that are neither blank nor comments; the last line may be cut and is left out."""
        lines = self.text.splitlines()
        whole = lines if len(self.head) < _HEAD_BYTES else lines[:-1]
        return [re.split(r"[\s,;]+", line.strip()) for line in whole if line.strip() and not line.startswith("#")]


def all_numbers(fields: list[str]) -> bool:
    """Whether each field is a number."""
    return bool(fields) and all(_NUMBER.fullmatch(field) for field in fields)
