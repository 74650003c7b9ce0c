"""What the HTML reports of training and of picking have in common."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

import pupicker
from pupicker.core.image.background import gaussian_mean
from pupicker.engine.models.model_card import title_of
from pupicker.engine.reports.html import HtmlReport
from pupicker.engine.reports.provenance import Provenance

SMOOTHING = 1 / 6
"""Standard deviation of the Gaussian that makes particles visible in a picture, as a part of their radius."""


def what_was_not_used(page: HtmlReport, run: Mapping[str, Any], origin: Provenance) -> None:
    """Section on what was not used; `run` as :meth:`pupicker.engine.runtime.run_report.Report.to_dict` gives it."""
    quarantined, borders, masked = (run.get(key) or {} for key in ("quarantined", "borders_px", "masked_pixels"))
    excluded = run.get("excluded_share") or {}
    page.section("Left out")
    if not (quarantined or borders or masked or excluded):
        page.paragraph("Nothing: every micrograph was used whole.")
    if quarantined:
        page.alarm(f"Quarantined micrographs, not used at all: {len(quarantined)}")
        rows = []
        for entry in quarantined:
            name = entry["micrograph"]
            rows.append((origin.shown(name), entry["reason"].replace(f"{name}: ", "")))
        page.table(("micrograph", "reason"), rows)
    if borders:
        page.paragraph("Borders that hold no image were cut off, in pixels of the micrograph:")
        page.table(("micrograph", "top", "bottom", "left", "right"), [
            (origin.shown(name), *widths) for name, widths in sorted(borders.items())
        ])
    if masked:
        page.paragraph("Pixels that are NaN, infinite or beyond 1e30 are masked; no pick lies on them:")
        page.table(("micrograph", "pixels"), [(origin.shown(name), n) for name, n in sorted(masked.items())])
    if excluded:
        page.paragraph("Nothing is picked in this share of the area (margin, mask, contamination):")
        page.table(("micrograph", "share"), [(origin.shown(name), f"{n:.1%}") for name, n in sorted(excluded.items())])


def how_it_was_made(page: HtmlReport, origin: Provenance) -> None:
    """Section with the command line and the versions."""
    page.section("How it was made")
    page.code(origin.command_line)
    page.table(("", ""), [
        ("pupicker", pupicker.__version__), ("torch", str(torch.__version__)), ("numpy", np.__version__),
        ("Python", platform.python_version()), ("system", f"{platform.system()} {platform.machine()}"),
    ])


def plain_rows(content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names with spaces, and values that a table can show."""
    return [(_words(name), _plain(value)) for name, value in content.items()]


def _words(name: str) -> str:
    for ending, unit in (("_ang", " (Å)"), ("_px", " (px)"), ("_seconds", " time (s)")):
        if name.endswith(ending):
            name = name[: -len(ending)] + unit
    return title_of(name)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_plain(inner)}" for name, inner in value.items())
    return "-" if value is None else str(value)


def for_the_eye(image: torch.Tensor, radius_px: float) -> np.ndarray:
    """Normalised ``(h, w)`` without most of the noise, so that particles of this radius are visible."""
    return gaussian_mean(image.float(), max(0.5, SMOOTHING * radius_px)).numpy()
