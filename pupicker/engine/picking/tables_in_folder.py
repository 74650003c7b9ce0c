"""A folder with one table of picks for each micrograph, written as they finish.

Whatever ends a run, what it picked is on the disk, and the same command goes on where a killed one stopped.  Several
processes may write into one folder, each its part of the micrographs: what is of one part has a name of its own, and
what is of all is made of what all have written.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pupicker.engine.files.coordinates import (
    INDEXED,
    CoordinateTable,
    Layout,
    format_to_write,
    index_of,
    read_coordinates,
    shapes_of,
    write_index,
)
from pupicker.engine.files.names import distinct_stems
from pupicker.engine.picking.picker import Picked
from pupicker.engine.picking.record import Record
from pupicker.engine.runtime.run_report import part_in_names, remove_report, report_beside
from pupicker.engine.runtime.sole_writer import sole_writer, sole_writer_of_tables
from pupicker.shared.plurals import counted, first_of

RECORD = ".pupicker-pick"
INDEX_PATIENCE_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """The micrographs of a run: all, or those of one part, beside which others are picked.

    Attributes
    ----------
    given
        Micrographs of all parts: how their tables are called depends on all of them.
    paths
        Those that this run picks.
    part
        ``I/N``; None: there are no others.
    """

    given: Sequence[Path]
    paths: Sequence[Path]
    part: str | None = None


class TablesInFolder:
    """One table for each micrograph.

    Parameters
    ----------
    folder
        For the tables.
    ending
        Of their names, which begin as those of the micrographs.
    share
        Micrographs.
    identity
        Text that differs when the model or an option does: another killed run is not gone on with.
    skip_done
        Whether micrographs with a table are left out.

    Attributes
    ----------
    done
        Micrographs that need not be picked, and how many picks they have.
    """

    def __init__(self, folder: Path, ending: str, share: Share, identity: str, skip_done: bool) -> None:
        self._folder, self._ending, self._part, self._skip_done = folder, ending, share.part, skip_done
        stems = distinct_stems(map(str, share.given))
        self._of_all = {name: folder / f"{stem}{ending}" for name, stem in stems.items()}
        self._targets = {name: self._of_all[name] for name in map(str, share.paths)}
        self._record = Record(folder / f"{RECORD}{part_in_names(share.part)}", identity)
        self.done: dict[str, int] = {}

    def _take_up(self) -> None:
        """Find what is done."""
        written = self._record.written({path.name: name for name, path in self._targets.items()})
        there = {name: path for name, path in self._targets.items()
                 if path.name in written or (self._skip_done and path.is_file())}
        self.done = {name: len(read_coordinates(path)) for name, path in there.items()}
        if self.done:
            of_all = f"of {counted(len(self._targets), 'micrograph')}"
            _log.info("%s: %s", self._folder, counted(
                len(self.done), f"{of_all} is picked already, and is left as it is",
                f"{of_all} are picked already, and are left as they are"))

    def earlier(self) -> list[CoordinateTable]:
        """The picks of those that are done."""
        return [read_coordinates(self._targets[name]) for name in self.done]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around all of it: nobody else writes these files; what is done is known from here on."""
        with sole_writer_of_tables(self._folder, self._targets.values()):
            self._take_up()
            yield

    def add(self, found: Picked, box_size_px: int) -> None:
        """Write the picks of a micrograph; also if there are none: an empty table says that it was picked."""
        target = self._targets[str(found.path)]
        shapes = shapes_of([str(found.path)]) if target.suffix == ".cs" else {}
        format_to_write(target).write(target, found.table, Layout(box_size_px, shapes))
        self._record.add(target.name, str(found.path))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Around the work; tables are whole however it ends."""
        yield

    def finish(self, quarantined: Sequence[Path], report_written: bool) -> None:
        """What is in the folder is of this run and of other parts: things of earlier runs go, or are named."""
        for path in quarantined:
            stale = self._targets.get(str(path))
            if stale is not None and stale.is_file():
                stale.unlink()
                _log.info("%s: is of an earlier run, its micrograph cannot be used now, and it is removed", stale)
        if not report_written and not quarantined:
            remove_report(report_beside(self._folder, self._part))
        if self._ending in INDEXED:
            self._write_index()
        self._record.forget({path.name for path in self._targets.values()})
        if not self._skip_done:
            self._name_others()

    def _write_index(self) -> None:
        """Of all parts, as far as they are: who ends last finds the tables of all."""
        index = index_of(self._folder, self._ending)
        with sole_writer(index, INDEX_PATIENCE_S):  # else one that looked earlier could write later
            write_index(index, {name: path for name, path in self._of_all.items() if path.is_file()})

    def _name_others(self) -> None:
        own = {path.name for path in self._of_all.values()}
        others = sorted(path.name for path in self._folder.iterdir() if path.name.endswith(self._ending)
                        and path.name not in own and not path.name.startswith("."))
        if others:
            _log.info("%s: holds %s not of this run: %s", self._folder, counted(
                len(others), "table of a micrograph that is", "tables of micrographs that are"),
                      first_of(others))


__all__ = ["Share", "TablesInFolder"]
