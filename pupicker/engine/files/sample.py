"""The beginning of a file, from which its format is told: names lie, contents rarely do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HEAD_BYTES = 1 << 16
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

    def rows(self) -> list[list[str]]:
        """Fields of the lines that are neither blank nor comments; the last line may be cut and is left out."""
        lines = self.text.splitlines()
        whole = lines if len(self.head) < _HEAD_BYTES else lines[:-1]
        return [re.split(r"[\s,;]+", line.strip()) for line in whole if line.strip() and not line.startswith("#")]


def all_numbers(fields: list[str]) -> bool:
    """Whether each field is a number."""
    return bool(fields) and all(_NUMBER.fullmatch(field) for field in fields)
