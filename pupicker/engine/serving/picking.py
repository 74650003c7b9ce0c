"""The answers to ``pick``, ``suggest``, ``score`` and ``info``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pupicker.engine.files.coordinates import CoordinateTable, shapes_of
from pupicker.engine.files.coordinates.formats import format_to_write
from pupicker.engine.files.coordinates.layout import Layout
from pupicker.engine.files.names import distinct_stems, name_problem
from pupicker.engine.files.targets import check_two_folders
from pupicker.engine.models.model_card import card
from pupicker.engine.picking.picker import MicrographPicker, Picked
from pupicker.engine.picking.weaker_picks import WeakerPicks
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.errors import InputError, PuPickerError
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.serving.pickers import Pickers
from pupicker.engine.serving.requests import Request
from pupicker.shared.columns import OPTIONAL
from pupicker.shared.counters import Counters
from pupicker.shared.plurals import counted

Answer = dict[str, Any]

_log = logging.getLogger(__name__)


class Cancelled(PuPickerError):
    """A request ended before its end, because that was asked for."""


@dataclass(frozen=True)
class Work:
    """What the handlers of requests share.

    Attributes
    ----------
    pickers, counters
        What is loaded, what was done.
    threads
        That read micrographs.
    """

    pickers: Pickers
    counters: Counters
    threads: int


@dataclass(frozen=True)
class Job:
    """A request that is being answered.

    Attributes
    ----------
    request
        What is asked.
    tell
        Sends an answer before the last one.
    stop
        Whether to end early.
    """

    request: Request
    tell: Callable[[Answer], None] = field(default=lambda answer: None)
    stop: Callable[[], bool] = field(default=lambda: False)

    @property
    def values(self) -> dict[str, Any]:
        """The fields."""
        return self.request.values


def pick(job: Job, work: Work) -> Answer:
    """Pick with a model, or with the general one; one answer for each micrograph, in their order.

    Raises
    ------
    PuPickerError
        The model or an option cannot be used; :class:`Cancelled`.
    """
    values, report = job.values, Report(job.request.do)
    given = list(dict.fromkeys(Path(name) for name in values["micrographs"]))
    paths = _nameable(given, values, report)
    tables = _Tables(values, paths)
    if job.request.do == "pick":
        picker: MicrographPicker = work.pickers.for_pick(values, given)
    else:
        picker = work.pickers.for_suggest(values, given, report)
    told, begin = _Told(job, work.counters, report), time.monotonic()
    with tables.weaker.found(picker) as threshold:
        for found in picker.pick_files(paths, work.threads, report, Progress(len(paths), "picking")):
            told.quarantined()
            box_size = picker.geometry.box_size_px(found.pixel_size_ang)
            found = tables.weaker.cut(found, threshold, box_size)
            tables.write(found, box_size)
            told.picked(found, box_size, tables.of(found.path))
            if job.stop() and len(report.done) + len(report.quarantined) < len(given):
                raise Cancelled(f"ended after {told.number} of {counted(len(given), 'micrograph')}")
    told.quarantined()
    return {**report.to_dict(), **picker.to_record(), "picks": told.picks, "seconds": _since(begin)}


def _nameable(paths: Sequence[Path], values: dict[str, Any], report: Report) -> list[Path]:
    """Those whose names the tables can hold; the others are quarantined."""
    wanted = {"output": values["format"], "candidates": "tsv"}
    suffixes = [f".{suffix}" for name, suffix in wanted.items() if values.get(name)]
    kept = []
    for path in paths:
        problems = [name_problem(str(path), suffix) for suffix in suffixes]
        if any(problems):
            report.quarantine(path, f"{path}: {max(problems)}")
        else:
            kept.append(path)
    return kept


class _Tables:
    """Where the tables of a request go, if it wants any."""

    def __init__(self, values: dict[str, Any], paths: Sequence[Path]) -> None:
        self._targets = _targets(values["output"], values["format"], paths)
        candidates = values.get("candidates")
        _check_folder(candidates, "candidates")
        if candidates and values["output"]:
            check_two_folders(Path(values["output"]), Path(candidates))
        self.weaker = WeakerPicks(Path(candidates) if candidates else None, paths)

    def of(self, path: Path) -> Path | None:
        """The table of a micrograph."""
        return self._targets.get(str(path))

    def write(self, found: Picked, box_size_px: int) -> None:
        """Write the picks of a micrograph, at once, also where there is none."""
        target = self.of(found.path)
        if target is not None:
            shapes = shapes_of([str(found.path)]) if target.suffix == ".cs" else {}
            format_to_write(target).write(target, found.table, Layout(box_size_px, shapes))


class _Told:
    """What was told of a request that picks."""

    def __init__(self, job: Job, counters: Counters, report: Report) -> None:
        self._job, self._counters, self._report = job, counters, report
        self._last, self._aside = time.monotonic(), 0
        self.number, self.picks = 0, 0

    def picked(self, found: Picked, box_size_px: int, target: Path | None) -> None:
        """Tell of a micrograph."""
        seconds, self._last = _since(self._last), time.monotonic()
        table, name = found.table, str(found.path)
        score = None if table.score is None or not len(table) else round(float(np.median(table.score)), 4)
        null = None if found.null_level is None else round(found.null_level, 4)
        self.number, self.picks = self.number + 1, self.picks + len(table)
        self._counters.picked(len(table), seconds, null, score)
        wanted = self._job.values["coordinates"]
        inline = target is None if wanted is None else wanted
        self._job.tell({
            "event": "micrograph", "micrograph": name, "picks": len(table), "null_level": null, "usual": found.usual,
            "score_median": score, "seconds": seconds, "pixel_size_ang": found.pixel_size_ang,
            "box_size_px": box_size_px,
            "excluded_share": self._report.excluded.get(name, 0.0), "table": None if target is None else str(target),
            **(columns_of(table) if inline else {}),
        })

    def quarantined(self) -> None:
        """Tell of those that were set aside since the last time."""
        for path, reason in self._report.quarantined[self._aside:]:
            self._counters.add("quarantined")
            self._counters.write()
            self._job.tell({"event": "quarantined", "micrograph": str(path), "reason": reason})
        self._aside = len(self._report.quarantined)


def score(job: Job, work: Work) -> Answer:
    """What a model says of places; one answer for each micrograph, also for one that cannot be used."""
    values = job.values
    asked = {**values, "threshold": None, "min_distance": None, "score_sd": False, "margin": None, "masks": None,
             "exclude_contamination": None, "micrographs": list(values["places"])}
    picker = work.pickers.for_pick(asked, [])
    for name, rows in values["places"].items():
        xy = np.array(rows, dtype=np.float64).reshape(-1, 2)
        try:
            micrograph = picker.prepare(Path(name))
        except InputError as error:
            work.counters.add("quarantined")
            job.tell({"event": "quarantined", "micrograph": name, "reason": str(error)})
            continue
        _say_outside(micrograph, xy)
        found = picker.score_places(micrograph, xy, values["search_radius"] or 0.0)
        columns = dict(zip(("score", "probability", "score_sd"), (_rounded(column) for column in found), strict=True))
        job.tell({"event": "micrograph", "micrograph": name, "x": _rounded(xy[:, 0]), "y": _rounded(xy[:, 1]),
                  **columns})
        if job.stop():
            raise Cancelled(f"ended at {name}")
    return {"threshold": picker.threshold}


def _say_outside(micrograph: Resampled, xy: np.ndarray) -> None:
    """Warn of places that are not on the micrograph: what is told of them is told of its edge."""
    x, y = xy.T
    height, width = micrograph.shape
    outside = int(((x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)).sum())
    if outside:
        _log.warning("%s: %s outside of its %d x %d pixels, and told the scores of its edge", micrograph.path,
                     counted(outside, "place is", "places are"), width, height)


def info(job: Job, work: Work) -> Answer:
    """The card of a model."""
    return {**card(work.pickers.model(job.values["file"])), "file": job.values["file"]}


def columns_of(table: CoordinateTable) -> dict[str, list[float]]:
    """Positions in pixels of the file, and what else is known of them, as lists of one length."""
    columns = {name: getattr(table, name) for name in ("x", "y", *OPTIONAL)}
    return {name: _rounded(values) for name, values in columns.items() if values is not None}


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]


def _targets(output: str | None, suffix: str, paths: Sequence[Path]) -> dict[str, Path]:
    """The table of each micrograph; none if none are wanted."""
    if not output:
        return {}
    _check_folder(output, "output")
    return {name: Path(output) / f"{stem}.{suffix}" for name, stem in distinct_stems(map(str, paths)).items()}


def _check_folder(name: str | None, field: str) -> None:
    if name and Path(name).is_file():
        raise InputError(f"{name}: is a file; give a folder for the tables", field)


def _since(begin: float) -> float:
    return round(time.monotonic() - begin, 3)
