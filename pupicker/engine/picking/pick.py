"""Picking as a function: what a Python program calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.listing import list_micrographs
from pupicker.engine.models.model_file import Model, load_model
from pupicker.engine.picking.picker import Picker, PickingOptions
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.device import resolve_device
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.run_report import Report
from pupicker.shared.options import THREADS

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Picks:
    """What a picking found.

    Attributes
    ----------
    table
        Picks of all micrographs, best first within each; micrographs are named by their paths.
    micrographs
        Those that were picked, also those without a pick.
    quarantined
        Those that could not be used, each with a line that says why.
    box_size_ang, threshold
        Box for extraction, and lowest score that counted.
    report
        What ``pupicker pick --json`` prints (JSON-able), but for the number of picks of each micrograph.
    """

    table: CoordinateTable
    micrographs: list[Path]
    quarantined: list[tuple[Path, str]]
    box_size_ang: float
    threshold: float
    report: dict[str, Any]


def pick(
    micrographs: AnyPath | Sequence[AnyPath], model: Model | AnyPath, options: PickingOptions | None = None,
    device: str = "auto", threads: int = 0,
) -> Picks:
    """Pick particles with a model.

    Parameters
    ----------
    micrographs
        Files, folders of them, or a STAR file that lists them.
    model
        From :func:`pupicker.load_model`, or its file.
    options
        What is other than the model says: threshold, smallest distance, pixel size, ...
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    threads
        That read micrographs, 0: one a core; more than four are no faster.

    Raises
    ------
    InputError, UsageError
        The model or all of the micrographs cannot be used, or an option makes no sense.  A single micrograph that
        cannot be used stops nothing: it is quarantined.
    """
    check_options({"threads": threads}, [THREADS])
    given = [micrographs] if isinstance(micrographs, (str, os.PathLike)) else list(micrographs)
    paths = list_micrographs(given)
    if not isinstance(model, Model):
        model = load_model(Path(model))
    picker = Picker(model, resolve_device(device), options)
    report, progress = Report("pick"), Progress(len(paths), "picking")
    readers = threads or len(os.sched_getaffinity(0))
    tables = [found.table for found in picker.pick_files(paths, readers, report, progress)]
    report.require_some()
    report.results.update(picker.to_record())
    return Picks(CoordinateTable.concatenate(tables), list(report.done), list(report.quarantined),
                 picker.geometry.box_size_ang, picker.threshold, report.to_dict())
