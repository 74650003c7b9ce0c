"""One table for the picks of all micrographs; until it is whole, an unfinished one is beside it.

Whatever ends a run, what it picked is on the disk: the unfinished table is written every few seconds.  A picking of
what is new leaves out what has picks already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates, write_coordinates
from pupicker.engine.files.names import match_names
from pupicker.engine.picking.picker import Picked
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.run_report import remove_report, report_beside
from pupicker.engine.runtime.sole_writer import sole_writer
from pupicker.shared.plurals import counted

WRITING_SHARE = 0.02
"""Of the time goes into the unfinished table, at most."""

SHORTEST_S = 1.0

_log = logging.getLogger(__name__)


class OneTable:
    """One table for all micrographs.

    Parameters
    ----------
    output
        The table.
    paths
        Micrographs that are picked.
    skip_done
        The picks that are there stay, and their micrographs are left out.
    others
        Micrographs of the other parts of a picking, whose picks are not written over.

    Attributes
    ----------
    done
        Number of picks of each micrograph, by its path, that is left out.
    """

    def __init__(self, output: Path, paths: Sequence[Path], skip_done: bool, others: Sequence[Path] = ()) -> None:
        self._output, self._paths, self._others = output, paths, others
        self.unfinished = output.with_name(f"{output.stem}.unfinished{output.suffix}")
        self._tables: dict[str, CoordinateTable] = {}  # by micrograph: each is in the table once
        self.done: dict[str, int] = {}
        self._box_size_px: int | None = None
        self._written, self._pause_s = time.monotonic(), SHORTEST_S
        self._skip_done = skip_done

    def _take_up(self) -> None:
        """The picks of an earlier run, finished or not; a micrograph without any is picked again."""
        for file in (self._output, self.unfinished):
            if file.is_file():
                table = read_coordinates(file)
                table = table.renamed(match_names(table.names(), self._paths))
                for name in table.names():  # of micrographs that this run was not given, too
                    self._tables.setdefault(name, table.of(name))  # the unfinished table repeats the output
        own = [name for name in map(str, self._paths) if name in self._tables]
        self.done = {name: len(self._tables[name]) for name in own}
        if self.done:
            _log.info("%s: the picks of %s are there already, and stay", self._output,
                      counted(len(self.done), "micrograph"))

    def earlier(self) -> list[CoordinateTable]:
        """The picks of those that are done."""
        return [self._tables[name] for name in self.done]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around all of it: nobody else writes this file; what is done is known from here on."""
        with sole_writer(self._output, beside=(self.unfinished,)):
            if self._skip_done:
                self._take_up()
            else:
                self._spare_other_parts()
            yield

    def _spare_other_parts(self) -> None:
        """Raise at a table that has picks of another part: this one would take their place."""
        if not (self._others and self._output.is_file()):
            return
        try:
            names = read_coordinates(self._output).names()
        except InputError:  # nothing that a part has written
            return
        of_others = match_names(names, self._others)
        if of_others:
            raise InputError(f"{self._output}: holds picks of {counted(len(of_others), 'micrograph')} of other parts"
                             f" ({next(iter(of_others))}), which would be lost: give each part a table of its own, or a"
                             " folder for all, or remove it", "output")

    def add(self, found: Picked, box_size_px: int) -> None:
        """Keep the picks of a micrograph; now and then they go beside the output."""
        self._tables[str(found.path)] = found.table
        self._box_size_px = box_size_px
        if time.monotonic() - self._written > self._pause_s:
            begin = time.monotonic()
            self._write(self.unfinished)
            self._written = time.monotonic()
            self._pause_s = max(SHORTEST_S, (self._written - begin) / WRITING_SHARE)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Around the work: if it fails, the picks so far go beside the output."""
        try:
            yield
        except BaseException:
            if self._tables:
                with suppress(OSError, InputError):  # the first error is the one to tell
                    self._write(self.unfinished)
                    _log.info("the picks of %s are in %s", counted(len(self._tables), "micrograph"), self.unfinished)
            raise

    def finish(self, quarantined: Sequence[Path], report_written: bool) -> None:
        """Write the table, and take away what lay beside it."""
        self._write(self._output)
        self.unfinished.unlink(missing_ok=True)
        if not report_written and not quarantined:
            remove_report(report_beside(self._output))

    def _write(self, path: Path) -> None:
        whole = CoordinateTable.concatenate(list(self._tables.values()))
        write_coordinates(path, whole, self._paths if path.suffix == ".cs" else None, self._box_size_px)
