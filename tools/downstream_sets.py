"""The sets of the downstream comparison: picks above thresholds, as many at random, the truth, and what is new."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import downstream_runs as runs
from demo import choose_labels
from demo_project import DemoProject
from pupicker.engine.files.coordinate_table import CoordinateTable

KEPT = (0.125, 0.25, 0.5, 1.0, 1.25, 1.6)
"""Picks of each set above a threshold, in numbers of particles."""

Points = dict[str, list[tuple[float, float]]]


@dataclass
class Branch:
    """One way to choose particles.

    Attributes
    ----------
    name, group
        Of the branch, and of the curve that it is a point of.
    threshold
        Least score, if it has one.
    draws
        The coordinates of each refinement: equal ones, or others each time.
    classified
        Whether the first of them goes into 2D classes.
    """

    name: str
    group: str
    threshold: float | None
    draws: list[runs.Output]
    classified: bool = False


def positions(table: CoordinateTable) -> Points:
    """Centres by micrograph name."""
    return choose_labels(table, len(table), 0)


def points_of(coordinates: Any) -> list[tuple[str, float, float]]:
    """Name of the micrograph, x and y of each coordinate."""
    return [(item.getMicName(), item.getX(), item.getY()) for item in coordinates]


def some_of(found: list[tuple[str, float, float]], count: int, seed: int) -> Points:
    """`count` of them at random, by micrograph name."""
    chosen: Points = {}
    for index in sorted(np.random.default_rng(seed).choice(len(found), count, replace=False)):
        name, x, y = found[index]
        chosen.setdefault(name, []).append((x, y))
    return chosen


def not_in_half(coordinates: Any, truth: CoordinateTable, radius_px: float, seed: int) -> Points:
    """The coordinates that are none of a random half of the true particles."""
    half = truth.select(np.random.default_rng(seed).permutation(len(truth))[: len(truth) // 2])
    known = runs.hits(coordinates, half, radius_px)
    new: Points = {}
    for item in coordinates:
        if not known[item.getMicId(), item.getX(), item.getY()]:
            new.setdefault(item.getMicName(), []).append((item.getX(), item.getY()))
    return new


class Branches:
    """The sets to compare, made in the project one after the other."""

    def __init__(self, project: DemoProject, folder: Path, micrographs: Any, picked: Any, truth: CoordinateTable,
                 radius_px: float, box_px: int, args: argparse.Namespace) -> None:
        self._project, self._folder, self._micrographs, self._picked = project, folder, micrographs, picked
        self._truth, self._box_px, self._radius_px, self._args = truth, box_px, radius_px, args

    def __iter__(self) -> Iterator[Branch]:
        args, times = self._args, max(1, self._args.refinements)
        series = runs.threshold_series(self._project, (self._picked, "outputCoordinates"), self._thresholds())
        for score, output in series.items():
            yield Branch(f"score {score:g}", "picks above a threshold", score, [output] * times, True)
        everything = self._imported(positions(self._truth), "truth")
        yield Branch("truth", "all true particles", None, [everything] * times, True)
        if not args.refinements:
            return
        sizes = {score: getattr(*output).getSize() for score, output in series.items()}
        particles = list(zip(self._truth.micrograph, self._truth.x, self._truth.y, strict=True))
        for size in sizes.values():
            if size < len(particles):
                yield self._random(particles, size, "true", "as many true particles at random")
        middle = min(sizes, key=lambda score: abs(sizes[score] - len(particles)))
        new = not_in_half(getattr(*series[middle]), self._truth, self._radius_px, args.seed)
        yield Branch("new picks", "picks not in a half of the true particles", None,
                     [self._imported(new, f"new at score {middle:g}")] * times)
        lowest, *stricter = sizes
        for score in stricter:
            yield self._random(points_of(getattr(*series[lowest])), sizes[score], "picks", "as many picks at random")

    def _thresholds(self) -> list[float]:
        if self._args.thresholds:
            return list(self._args.thresholds)
        scores = sorted((item._pupickerScore.get() for item in self._picked.outputCoordinates), reverse=True)
        ranks = [min(len(scores), round(kept * len(self._truth))) for kept in KEPT]
        return sorted({round(scores[rank - 1], 3) for rank in ranks})

    def _random(self, found: list[tuple[str, float, float]], size: int, name: str, group: str) -> Branch:
        draws = [self._imported(some_of(found, size, 1000 * self._args.seed + draw), f"{size} {name}, draw {draw + 1}")
                 for draw in range(self._args.refinements)]
        return Branch(f"{size} {name}", group, None, draws)

    def _imported(self, points: Points, name: str) -> runs.Output:
        table = self._folder / f"{name.replace(' ', '_').replace(',', '')}.sqlite"
        return self._project.import_coordinates(points, self._micrographs, name, self._box_px, table), \
            "outputCoordinates"
