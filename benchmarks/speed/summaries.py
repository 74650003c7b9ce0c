"""Medians and spreads of what was recorded, and what a micrograph costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """Median, least, most and number of some values."""

    median: float
    low: float
    high: float
    count: int

    def text(self, digits: int) -> str:
        """Median, and the range if there is one."""
        spread = f" ({self.low:.{digits}f}–{self.high:.{digits}f})" if self.count > 1 else ""
        return f"{self.median:.{digits}f}{spread}"


def spread(values: Iterable[float | None]) -> Spread | None:
    """Of those that are there; None: none is."""
    there = [value for value in values if value is not None]
    return Spread(statistics.median(there), min(there), max(there), len(there)) if there else None


def newest(runs: list[Record]) -> list[Record]:
    """Without runs of a version of a program if the same part, set and program was run with a later one."""
    latest: dict[tuple[str, str, str], Record] = {}
    for run in sorted(runs, key=lambda r: str(r["finished"])):
        latest[run["part"], run["set"], run["program"]] = run
    return [run for run in runs if run["version"] == latest[run["part"], run["set"], run["program"]]["version"]]


def chosen(runs: list[Record], **wanted: object) -> list[Record]:
    """Those with these fields, in the order of their repetitions."""
    return sorted((run for run in runs if all(run.get(name) == value for name, value in wanted.items())),
                  key=lambda run: int(run["repeat"]))


def values(runs: list[Record], name: str, **wanted: object) -> list[float | None]:
    """A field of those runs."""
    return [run.get(name) for run in chosen(runs, **wanted)]


def marginal(runs: list[Record], name: str) -> Spread | None:
    """What a micrograph more costs: runs of a program on lists of two lengths, those of a repetition compared.

    `name` is a field such as ``cpu_s``; None without two lengths.
    """
    counts = sorted({run["count"] for run in runs})
    if len(counts) < 2:
        return None
    short, long = counts[0], counts[-1]
    pairs = zip(chosen(runs, count=short), chosen(runs, count=long), strict=False)
    return spread((more[name] - less[name]) / (long - short) for less, more in pairs)


def fixed(runs: list[Record], name: str) -> float | None:
    """What a process costs beside its micrographs: the rest."""
    one, counts = marginal(runs, name), sorted({run["count"] for run in runs})
    whole = spread(values(runs, name, count=counts[0])) if counts else None
    return None if one is None or whole is None else whole.median - counts[0] * one.median
