"""What is in a file: its beginning, from which the format is told (names lie, contents rarely do), and its text."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

_HEAD_BYTES = 1 << 16
_KINDS = {
    b"\x1f\x8b": "a gzip file", b"BZh": "a bzip2 file", b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"PK\x03\x04": "a zip file (models of PyTorch and Topaz are such)", b"\x80\x02": "a pickle of Python",
    b"\x89PNG": "a PNG picture", b"\xff\xd8\xff": "a JPEG picture",
    b"II*\0": "a TIFF image", b"MM\0*": "a TIFF image", b"II+\0": "a BigTIFF image (frames in EER are such)",
    b"\x89HDF": "an HDF5 file", b"SQLite format 3": "an SQLite file", b"%PDF": "a PDF document",
    b"\x93NUMPY": "a NumPy array (cryoSPARC's .cs are such)", b"\x94CSDAT": "a cryoSPARC file",
    b"\0\0\0\3": "an image of Digital Micrograph", b"\0\0\0\4": "an image of Digital Micrograph",
}
MRC_KIND = "an MRC image"
NO_TEXT = "it is not text, or not in UTF-8: save a table as text in UTF-8"

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
        text = self.head.decode(_encoding(self.head), errors="ignore")
        return "" if "\0" in text else text

    @property
    def kind(self) -> str:
        """What the file is, in words; empty if that is not known."""
        for start, words in _KINDS.items():
            if self.head.startswith(start):
                return words
        if not self.head:
            return "an empty file"
        if self.head[208:211] == b"MAP":
            return MRC_KIND
        return "text" if self.text else ""

    def lines(self) -> list[str]:
        """Those that are neither blank nor comments; the last line may be cut and is left out."""
        lines = self.text.splitlines()
        whole = lines if len(self.head) < _HEAD_BYTES else lines[:-1]
        return [line.strip() for line in whole if line.strip() and not line.startswith("#")]

    def rows(self) -> list[list[str]]:
        """Fields of :meth:`lines`."""
        return [re.split(r"[\s,;]+", line) for line in self.lines()]


def read_text(path: Path) -> str:
    """The whole text of a file: UTF-8, or what Windows calls Unicode, UTF-16 with its mark at the beginning.

    Raises
    ------
    ValueError
        It is neither; the message goes on after a colon.
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        encoding = _encoding(file.read(len(codecs.BOM_UTF16)))
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeError as error:
        raise ValueError(NO_TEXT) from error
    if "\0" in text:
        raise ValueError(NO_TEXT)
    return text


def _encoding(head: bytes) -> str:
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def all_numbers(fields: list[str]) -> bool:
    """Whether each field is a number."""
    return bool(fields) and all(_NUMBER.fullmatch(field) for field in fields)
