"""A folder with one table of picks for each micrograph, written as they finish.

Whatever ends a run, what it picked is on the disk, and the same command goes on where a killed one stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pupicker.engine.files.coordinates import CoordinateTable, Layout, format_to_write, read_coordinates, shapes_of
from pupicker.engine.picking.picker import Picked
from pupicker.engine.runtime.sole_writer import sole_writer_of_tables
from pupicker.shared.digests import file_state
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted

STATE = ".pupicker-pick.json"
"""In a folder of a run that is not at its end: what it picks with; as old as its start."""

REPORT = "report.json"
_LISTED = 3

_log = logging.getLogger(__name__)


class TablesInFolder:
    """One table for each micrograph.

    Parameters
    ----------
    folder
        For the tables.
    targets
        File of each micrograph, by its path.
    identity
        Text that differs when the model or an option does: another killed run is not gone on with.
    skip_done
        Whether micrographs with a table are left out.

    Attributes
    ----------
    done
        Micrographs that need not be picked, and how many picks they have.
    """

    def __init__(self, folder: Path, targets: Mapping[str, Path], identity: str, skip_done: bool) -> None:
        self._folder, self._targets, self._state = folder, targets, folder / STATE
        self._identity, self._skip_done = identity, skip_done
        self.done: dict[str, int] = {}

    def _take_up(self) -> None:
        """Find what is done, and note that this run has begun."""
        goes_on = read_json(self._state).get("identity") == self._identity
        if not goes_on:
            write_json(self._state, {"identity": self._identity})
        state = file_state(str(self._state))  # gone, if a run on other micrographs has just ended here
        since = state[1] if state else time.time_ns()
        there = {name: path for name, path in self._targets.items() if path.is_file() and (
            self._skip_done or (goes_on and path.stat().st_mtime_ns >= since))}
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
        with sole_writer_of_tables(self._folder, list(self._targets.values())):
            self._take_up()
            yield

    def add(self, found: Picked, box_size_px: int) -> None:
        """Write the picks of a micrograph; also if there are none: an empty table says that it was picked."""
        target = self._targets[str(found.path)]
        shapes = shapes_of([str(found.path)]) if target.suffix == ".cs" else {}
        format_to_write(target).write(target, found.table, Layout(box_size_px, shapes))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Around the work; tables are whole however it ends."""
        yield

    def finish(self, quarantined: Sequence[Path], report_written: bool) -> None:
        """What is in the folder is of this run: other things of earlier runs go, or are named."""
        for path in quarantined:
            stale = self._targets.get(str(path))
            if stale is not None and stale.is_file():
                stale.unlink()
                _log.info("%s: is of an earlier run, its micrograph cannot be used now, and it is removed", stale)
        report = self._folder / REPORT
        if not report_written and not quarantined and "quarantined" in read_json(report):
            report.unlink()
        self._state.unlink(missing_ok=True)
        own = {path.name for path in self._targets.values()}
        endings = {path.suffix for path in self._targets.values()}
        others = sorted(path.name for path in self._folder.iterdir() if path.suffix in endings
                        and path.name not in own and not path.name.startswith("."))
        if others and not self._skip_done:
            _log.info("%s: holds %s not of this run: %s%s", self._folder, counted(
                len(others), "table of a micrograph that is", "tables of micrographs that are"),
                      ", ".join(others[:_LISTED]), ", ..." if len(others) > _LISTED else "")
