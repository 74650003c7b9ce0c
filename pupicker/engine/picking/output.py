"""Where picks go while micrographs finish: a table of each in a folder, or one for all, with an unfinished one beside.

Whatever ends a run, what it picked is on the disk: tables of a folder are written one by one, the unfinished table
every few seconds.  The same command goes on in a folder where a killed one stopped; a picking of what is new leaves out
what has picks already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from pupicker.engine.files.coordinates import (
    CoordinateTable,
    Layout,
    format_to_write,
    read_coordinates,
    shapes_of,
    write_coordinates,
)
from pupicker.engine.files.names import distinct_stems, match_names
from pupicker.engine.picking.picker import MicrographPicker, Picked
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.sole_writer import sole_writer, sole_writer_of_tables
from pupicker.shared.choices import LOWEST_CANDIDATE
from pupicker.shared.digests import file_state
from pupicker.shared.json_files import read_json, write_json
from pupicker.shared.plurals import counted

STATE = ".pupicker-pick.json"
"""In a folder of a run that is not at its end: what it picks with; as old as its start."""

REPORT = "report.json"
WRITING_SHARE = 0.02
"""Of the time goes into the unfinished table, at most."""

SHORTEST_S = 1.0
_LISTED = 3

_log = logging.getLogger(__name__)


def name_problem(name: str, suffix: str) -> str:
    """Why a table with this extension cannot hold this name of a micrograph; empty if it can."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8, and no table can hold it; rename it"
    if any(ord(letter) < 32 for letter in name):
        return "its name holds a line break or another control character, and no table can hold it; rename it"
    if suffix == ".star" and '"' in name and "'" in name:
        return "its name holds both kinds of quotes, and no STAR file can hold it; rename it, or write .tsv"
    return ""


class WeakerPicks:
    """Tables that also hold what is weaker than a pick, so that a threshold can be lowered without picking again.

    Parameters
    ----------
    folder
        For one table (.tsv) a micrograph; None: none are wanted.
    paths
        Micrographs.
    """

    def __init__(self, folder: Path | None, paths: Sequence[Path]) -> None:
        stems = {} if folder is None else distinct_stems(map(str, paths))
        self._targets = {name: Path(folder or "") / f"{stem}.tsv" for name, stem in stems.items()}

    @contextmanager
    def found(self, picker: MicrographPicker) -> Iterator[float]:
        """Yield the threshold; while the block runs the picker finds weaker picks too if they are wanted."""
        threshold = picker.threshold
        if self._targets:
            picker.threshold = min(threshold, LOWEST_CANDIDATE)
        try:
            yield threshold
        finally:
            picker.threshold = threshold

    def cut(self, found: Picked, threshold: float, box_size_px: int) -> Picked:
        """Write all that was found; what is left are the picks."""
        if not self._targets:
            return found
        target, table = self._targets[str(found.path)], found.table
        format_to_write(target).write(target, table, Layout(box_size_px))
        return replace(found, table=table.select(np.asarray(table.score) >= threshold))


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


class OneTable:
    """One table for all micrographs; parameters and attributes as :class:`TablesInFolder`."""

    def __init__(self, output: Path, paths: Sequence[Path], skip_done: bool) -> None:
        self._output, self._paths = output, paths
        self.unfinished = output.with_name(f"{output.stem}.unfinished{output.suffix}")
        self._tables: list[CoordinateTable] = []
        self.done: dict[str, int] = {}
        self._box_size_px: int | None = None
        self._written, self._pause_s = time.monotonic(), SHORTEST_S
        self._skip_done = skip_done

    def _take_up(self) -> None:
        """The picks of an earlier run, finished or not; a micrograph without any is picked again."""
        for file in (self._output, self.unfinished):
            if not file.is_file():
                continue
            table = read_coordinates(file)
            known = {str(path): path for path in match_names(table.names(), self._paths).values()}
            table = table.renamed(match_names(table.names(), self._paths))
            fresh = [name for name in table.names() if name not in self.done]
            self._tables += [table.of(name) for name in fresh]
            self.done.update({name: len(table.of(name)) for name in fresh if name in known})
        if self.done:
            _log.info("%s: the picks of %s are there already, and stay", self._output,
                      counted(len(self.done), "micrograph"))

    def earlier(self) -> list[CoordinateTable]:
        """The picks of those that are done."""
        return list(self._tables)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around all of it: nobody else writes this file; what is done is known from here on."""
        with sole_writer(self._output):
            if self._skip_done:
                self._take_up()
            yield

    def add(self, found: Picked, box_size_px: int) -> None:
        """Keep the picks of a micrograph; now and then they go beside the output."""
        self._tables.append(found.table)
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
        report = self._output.with_name(self._output.name + ".report.json")
        if not report_written and not quarantined and "quarantined" in read_json(report):
            report.unlink()

    def _write(self, path: Path) -> None:
        whole = CoordinateTable.concatenate(self._tables)
        write_coordinates(path, whole, self._paths if path.suffix == ".cs" else None, self._box_size_px)


def expected_picks(found: Mapping[str, int], density: float | None, pixels: int) -> str:
    """A warning if the number of picks is far from what training says; empty if it is not, or nothing is known.

    Parameters
    ----------
    found
        Picks of each micrograph.
    density
        Particles per working pixel in training.
    pixels
        Working pixels that were looked at.
    """
    number, micrographs = sum(found.values()), counted(len(found), "micrograph")
    if found and not number:
        return (f"there is not a single pick on {micrographs}: check the pixel size, the threshold, that"
                " particles are dark, and that the micrographs look like those of the training")
    if not density or density * pixels < FEWEST_EXPECTED:
        return ""
    ratio = number / (density * pixels)
    if LOW <= ratio <= HIGH:
        return ""
    much = f"{ratio:.1f} times as many" if ratio > 1 else f"{1 / ratio:.0f} times fewer"
    picks = counted(number, f"pick on {micrographs} is", f"picks on {micrographs} are")
    return (f"{picks} {much} than training says that there are: check the"
            " pixel size, that particles are dark, and that the micrographs look like those of the training")


FEWEST_EXPECTED = 10
LOW, HIGH = 0.1, 6.0
"""Picks over those expected, beyond which something is wrong: micrographs differ by less."""


def unusual_micrographs(names: Sequence[str]) -> str:
    """A warning that some micrographs are unlike those of the training; empty if none is."""
    if not names:
        return ""
    some = ", ".join(Path(name).name for name in names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
    hold, their = ("it holds", "its") if len(names) == 1 else ("they hold", "their")
    return (f"the background of {counted(len(names), 'micrograph')} is unlike that of the training ({some}): noise,"
            f" contrast or pixel size differ, or {hold} no particles; {their} picks had to stand above {their} own"
            " noise")


__all__ = ["OneTable", "TablesInFolder", "WeakerPicks", "expected_picks", "name_problem", "unusual_micrographs"]
