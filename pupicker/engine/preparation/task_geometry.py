"""Lengths of a task from the micrographs that it is about."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pupicker.core.geometry import Geometry, Overrides, geometry
from pupicker.engine.files.micrographs import read_header, resolve_pixel_size
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.runtime.run_report import Report


def first_geometry(
    paths: Sequence[Path], pixel_size_ang: float | None, diameter_ang: float, particle_px: float,
    overrides: Overrides | None = None, report: Report | None = None,
) -> tuple[Geometry, float]:
    """Lengths of the task, and the pixel size that they follow from: the middle one of all readable headers.

    A single wrong header decides nothing then; its micrograph is quarantined where it is read, if it cannot be used.
    If none can be read, all are quarantined in `report`; without it the first one's error is raised.
    `overrides` are lengths that are kept.
    """
    problems: list[tuple[Path, InputError]] = []
    found: list[float] = []
    for path in paths:
        try:
            found.append(resolve_pixel_size(read_header(path), pixel_size_ang))
        except InputError as error:
            problems.append((path, error))
        if found and pixel_size_ang is not None:
            break
    if not found:
        if report is None:
            raise problems[0][1]
        for path, problem in problems:
            report.quarantine(path, problem)
        report.require_some()
    pixel_size = statistics.median_low(found)
    try:
        return geometry(diameter_ang, pixel_size, particle_px, overrides), pixel_size
    except ValueError as error:
        raise UsageError(str(error)) from error


def training_geometry(
    paths: Sequence[Path], values: Mapping[str, Any], particle_px: float
) -> tuple[Geometry, float]:
    """Lengths of a training as they were chosen, by the names of the options, and the pixel size they follow from.

    Raises
    ------
    UsageError
        The lengths cannot be together, or leave no room for negatives around labels, where these are asked for.
    """
    overrides = Overrides(
        values["working_pixel_size"], values["training_radius"], values["min_distance"], values["box_size"])
    found, pixel_size = first_geometry(paths, values["pixel_size"], values["diameter"], particle_px, overrides)
    if values["ring_negatives"]:
        try:
            _ = found.ring_px  # whether there is room for them
        except ValueError as error:
            raise UsageError(str(error), "ring_negatives") from error
    return found, pixel_size
