"""What a run did: micrographs done, micrographs quarantined and why, results; written as JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pupicker.engine.runtime.errors import InputError, PuPickerError
from pupicker.shared.choices import EXIT_DONE, EXIT_QUARANTINED
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted, none_can

_log = logging.getLogger(__name__)


@dataclass
class Report:
    """Collected while a command runs.

    Attributes
    ----------
    command
        Its name.
    done
        Micrographs that were used.
    quarantined
        Those that were not, with one line that says why.
    masked
        Pixels that are no values (NaN, infinite, beyond 1e30), of micrographs that have some.
    borders
        Width in pixels (top, bottom, left, right) of what holds no image and was cut off, of micrographs that have it.
    excluded
        Share of each micrograph's area in which nothing is picked, where there is some.
    without_mask
        Micrographs without a mask, where masks were given.
    results
        Whatever else the command reports.
    word
        Makes a line of an error, in the words of whoever asked for the work.
    """

    command: str
    done: list[Path] = field(default_factory=list)
    quarantined: list[tuple[Path, str]] = field(default_factory=list)
    masked: dict[str, int] = field(default_factory=dict)
    borders: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    excluded: dict[str, float] = field(default_factory=dict)
    without_mask: list[str] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    word: Callable[[PuPickerError], str] = str
    _parameters: tuple[str, ...] = field(default=(), init=False, repr=False)

    def used(self, path: Path, masked: int = 0, borders: tuple[int, int, int, int] = (0, 0, 0, 0)) -> None:
        """Note that a micrograph was used, and what of it was not; logged too, borders once."""
        self.done.append(path)
        if masked:
            self.masked[str(path)] = masked
            _log.info("%s: %s NaN, infinite or beyond 1e30, and masked", path,
                      counted(masked, "pixel is", "pixels are"))
        if any(borders):
            if not self.borders:
                _log.info(
                    "%s: borders without an image are left out: top %d, bottom %d, left %d, right %d px; said once,"
                    " the report lists all; they can be kept", path, *borders, extra={"parameters": ("keep_borders",)},
                )
            self.borders[str(path)] = borders

    def not_used(self, path: Path, reason: str) -> None:
        """Take back :meth:`used`: a micrograph that was read turns out to be unusable."""
        self.done.remove(path)
        self.masked.pop(str(path), None)
        self.borders.pop(str(path), None)
        self.quarantine(path, reason)

    def note_excluded(self, path: Path, share: float, without_mask: bool) -> None:
        """Note the share of a micrograph in which nothing is picked, and whether it lacks a mask; the latter once."""
        if share:
            self.excluded[str(path)] = round(share, 5)
        if without_mask:
            if not self.without_mask:
                _log.info("%s: has no mask, nothing is masked; said once, the report lists all", path)
            self.without_mask.append(str(path))

    def quarantine(self, path: Path, reason: str | PuPickerError) -> None:
        """Set a micrograph aside; logged at once, and said again in the report."""
        line = " ".join((self.word(reason) if isinstance(reason, PuPickerError) else reason).split())
        line = line.encode("utf-8", "backslashreplace").decode()  # a name need not be text
        if not self.quarantined and isinstance(reason, PuPickerError):
            self._parameters = reason.parameters
        self.quarantined.append((path, line))
        _log.warning("quarantined: %s", line if str(path) in line else f"{path}: {line}")

    def require_some(self) -> None:
        """Raise if no micrograph could be used."""
        if not self.done and self.quarantined:
            reason = self.quarantined[0][1]
            number = len(self.quarantined)
            raise InputError(f"{none_can(number, 'micrograph')} be used{'; the first' if number > 1 else ''}: {reason}",
                             *self._parameters)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able dictionary."""
        return {
            "command": self.command,
            "done": [str(p) for p in self.done],
            "quarantined": [{"micrograph": _text(p), "reason": reason} for p, reason in self.quarantined],
            "masked_pixels": self.masked,
            "borders_px": {name: list(widths) for name, widths in self.borders.items()},
            **({"excluded_share": self.excluded} if self.excluded else {}),
            **({"without_mask": self.without_mask} if self.without_mask else {}),
            **self.results,
        }

    def write(self, path: Path) -> None:
        """Write the JSON file."""
        write_json(path, self.to_dict())

    @property
    def exit_code(self) -> int:
        """Done, or done with micrographs were quarantined."""
        return EXIT_QUARANTINED if self.quarantined else EXIT_DONE


def report_beside(output: Path, part: str | None = None) -> Path:
    """The report of a run, where nobody says another file: in the folder that it writes, or beside its file.

    Parameters
    ----------
    output
        What the run writes.
    part
        ``I/N`` if others write into the folder too, each its part.
    """
    if output.is_dir():
        return output / f"report{part_in_names(part)}.json"
    return output.with_name(f"{output.name}.report.json")


def part_in_names(part: str | None) -> str:
    """What tells the files of one part from those of the others: ``_3_of_8``; empty if there is only one."""
    return "" if part is None else f"_{part.replace('/', '_of_')}"


def remove_report(path: Path) -> None:
    """Remove what an earlier run reported there, if it is a report."""
    if "quarantined" in read_json(path):
        path.unlink()


def _text(path: Path) -> str:
    """A path whose bytes are no text, with these written out."""
    return str(path).encode("utf-8", "backslashreplace").decode()
