"""Topaz with the settings that do best on labels that it was not shown, as a careful user would choose them.

For each start and scale Topaz learns from the labels of some micrographs; whole micrographs with about a third of the
labels are left out.  The models after several numbers of updates pick these, and the average precision is estimated
from the labels left out (:mod:`pupicker.core.scores.early_stopping`; the true number of particles on these micrographs
is told, as it is told to Topaz's training).  The best start, scale and number of updates of a set and a number of
labels are used with all labels.  No test micrograph is looked at, except that all are downsampled and normalised, each
by itself.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.datasets import BenchmarkSet, read_table
from benchmarks.common.methods import TOPAZ_RADIUS_PX, Topaz, topaz_scale
from pupicker.core.scores.early_stopping import pu_average_precision
from pupicker.core.scores.metrics import match_picks

LEFT_OUT_SHARE = 1 / 3
COARSE_PX = 13  # extent of a particle at the coarser scale: the paper's recipes have 7 to 15
UPDATES = {"topaz-conv31": (300, 1000, 3000), "topaz-resnet8": (75, 150, 300)}
"""How long each may train; an update of resnet8 takes ten times as long as one of conv31."""


@dataclass(frozen=True)
class Setting:
    """What is chosen."""

    start: str
    scale: int
    radius_px: int
    updates: int


def scales(chosen: BenchmarkSet) -> list[int]:
    """Two whole factors of downsampling: a particle of about 22 pixels, and one of about 13."""
    fine = topaz_scale(chosen)
    coarse = round(chosen.diameter_ang / chosen.pixel_size_ang / COARSE_PX)
    return [fine, max(fine + 1, coarse)]


def left_out_names(rows: Sequence[tuple[str, float, float]], share: float = LEFT_OUT_SHARE) -> set[str]:
    """Micrographs that together hold a share of the labels nearest to `share`, some of several at least.

    Raises
    ------
    ValueError
        All labels are on one micrograph.
    """
    count = {name: sum(row[0] == name for row in rows) for name in sorted({row[0] for row in rows})}
    some = [names for size in range(1, len(count)) for names in combinations(count, size)]
    if not some:
        raise ValueError("the labels are on one micrograph: none can be left out")
    return set(min(some, key=lambda names: abs(sum(count[n] for n in names) / len(rows) - share)))


def measure(topaz: Topaz, chosen: BenchmarkSet, table: Path, start: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Average precision of what is left out after each number of updates.

    `settings` has `scale`, `radius_px` and `updates`.
    """
    rows = read_table(table)
    names = left_out_names(rows)
    topaz.preprocessed(chosen, settings["scale"])  # of the whole set: it is made once
    own = replace(chosen, training=[p for p in chosen.training if p.stem not in names],
                  test=[p for p in chosen.training if p.stem in names])
    schedule = {**settings, "budget_updates": max(settings["updates"]),
                "moments": [n / max(settings["updates"]) for n in settings["updates"]]}
    with tempfile.TemporaryDirectory(prefix="topaz-") as name:
        work = Path(name)
        kept = work / "kept.tsv"
        kept.write_text("micrograph\tx\ty\n" + "".join(f"{m}\t{x}\t{y}\n" for m, x, y in rows if m not in names))
        models, training, _ = topaz.train(start, own, kept, schedule, work)
        scores = {}
        for updates, model in models.items():
            topaz.extract(own, model, settings["scale"], work, work / "picks.tsv")
            scores[str(updates)] = left_out_precision(own, rows, work / "picks.tsv")
    return {"average_precision": max(scores.values()), "left_out_by_updates": scores, "training": training,
            "left_out_labels": sum(row[0] in names for row in rows)}


def left_out_precision(chosen: BenchmarkSet, rows: Sequence[tuple[str, float, float]], picks: Path) -> float:
    """Average precision of the picks of `chosen.test`, estimated from its labels among `rows`."""
    found, labels = _scored(picks), 0
    scores: list[np.ndarray] = [np.zeros(0)]
    hits: list[np.ndarray] = [np.zeros(0)]
    for path in chosen.test:
        xy = np.array([(x, y) for m, x, y in rows if m == path.stem]).reshape(-1, 2)
        own = found.get(path.stem, np.zeros((0, 3)))
        taken = match_picks(own[:, :2], own[:, 2], xy, chosen.match_radius_px)
        labels += len(xy)
        scores.append(own[:, 2])
        hits.append(own[taken >= 0, 2])
    every, hit = (torch.from_numpy(np.concatenate(some)) for some in (scores, hits))
    return pu_average_precision(every, hit, labels, chosen.particles(chosen.test))


def best(records: Sequence[dict[str, Any]], name: str, labels: int) -> Setting | None:
    """Of what is recorded for a set and a number of labels: the best mean over its draws; None if there is nothing.

    Only settings that were measured with the same draws are compared.
    """
    values: dict[Setting, dict[int, float]] = {}
    for r in records:
        if (r["set"], r["labels"]) == (name, labels):
            for updates, value in r["left_out_by_updates"].items():
                setting = Setting(r["method"], r["settings"]["scale"], r["settings"]["radius_px"], int(updates))
                values.setdefault(setting, {})[r["draw"]] = value
    if not values:
        return None
    most = max(len(draws) for draws in values.values())
    full = {setting: draws for setting, draws in values.items() if len(draws) == most}
    return max(full, key=lambda setting: (statistics.mean(full[setting].values()), -setting.updates))


def settings_of(chosen: BenchmarkSet, scale: int, updates: Sequence[int]) -> dict[str, Any]:
    """Of a measurement; Topaz's radius of 3 at the finer scale, 2 at the coarser one, where a disc of 3 is too wide."""
    radius = TOPAZ_RADIUS_PX if scale == topaz_scale(chosen) else TOPAZ_RADIUS_PX - 1
    return {"scale": scale, "radius_px": radius, "updates": list(updates), "left_out_share": round(LEFT_OUT_SHARE, 3)}


def _scored(picks: Path) -> dict[str, np.ndarray]:
    """Name -> rows x, y, score."""
    out: dict[str, list[tuple[float, float, float]]] = {}
    for line in picks.read_text().splitlines()[1:]:
        name, x, y, score = line.split("\t")
        out.setdefault(name, []).append((float(x), float(y), float(score)))
    return {name: np.array(rows) for name, rows in out.items()}
