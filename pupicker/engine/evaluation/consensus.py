"""Tables of several pickers as one; needs no network and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pupicker.core.scores.consensus import (
    combined_probability,
    group_picks,
    logit,
    mean_rank,
    places_of,
    rank_share,
    without_duplicates,
)
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.names import match_names
from pupicker.engine.runtime.errors import InputError, UsageError


@dataclass(frozen=True)
class Combined:
    """What several pickers say together.

    Attributes
    ----------
    table
        Places with score, number of pickers and, if a picker has them, probability; best first on each micrograph.
    places
        Number of places, also of those left out, by the number of pickers that have them.
    agreeing
        ``(M, M)`` picks of one picker that share a place with one of the other; on the diagonal all of a picker.
    shared
        ``(M,)`` picks of each picker that share a place with any other.
    micrographs
        Number of micrographs on which any picker has a pick.
    """

    table: CoordinateTable
    places: dict[int, int]
    agreeing: np.ndarray
    shared: np.ndarray
    micrographs: int


def combine(tables: Sequence[CoordinateTable], distance_px: float, at_least: int = 2) -> Combined:
    """Put the picks of several pickers of the same micrographs together by :mod:`pupicker.core.scores.consensus`.

    Parameters
    ----------
    tables
        In pixels of the same micrographs, whose names may differ in folder and extension; those of the first table that
        has a micrograph are kept.  Every picker is taken to have looked at every micrograph.
    distance_px
        Picks at most so far apart are of one place, and no two places are closer.
    at_least
        Places that fewer pickers have are left out.

    Raises
    ------
    UsageError
        There are fewer pickers than are to agree.
    InputError
        The tables have no micrograph in common.
    """
    if not 1 <= at_least <= len(tables):
        raise UsageError(f"{at_least} pickers are to agree, and there are only {len(tables)}: give as many or"
                         " fewer",
                         "at_least")
    tables = _with_common_names(tables)
    names = list(dict.fromkeys(name for table in tables for name in table.names()))
    whole = [_Picker.of(table) for table in tables]
    found: list[CoordinateTable] = []
    places: dict[int, int] = {}
    agreeing, shared = np.zeros((len(tables), len(tables)), dtype=np.int64), np.zeros(len(tables), dtype=np.int64)
    for name in names:
        here, members = _of_micrograph(whole, name, distance_px)
        there = (members >= 0).astype(np.int64)
        agreeing += there.T @ there
        shared += there[there.sum(1) > 1].sum(0)
        for number, count in zip(*np.unique(there.sum(1), return_counts=True), strict=True):
            places[int(number)] = places.get(int(number), 0) + int(count)
        enough = here.select(there.sum(1) >= at_least)
        kept = without_duplicates(_xy(enough), [_column(enough.pickers), _column(enough.score)], distance_px)
        best = kept[np.argsort(-_column(enough.score)[kept], kind="stable")]
        found.append(enough.select(best))
    return Combined(CoordinateTable.concatenate(found), places, agreeing, shared, len(names))


@dataclass(frozen=True)
class _Picker:
    """A table with what is asked of all of its picks."""

    table: CoordinateTable
    shares: np.ndarray
    floor: float | None

    @classmethod
    def of(cls, table: CoordinateTable) -> _Picker:
        shares = np.ones(len(table)) if table.score is None else rank_share(table.score)
        known = table.probability is not None and len(table)
        return cls(table, shares, float(np.min(_column(table.probability))) if known else None)

    def on(self, name: str) -> tuple[CoordinateTable, np.ndarray]:
        """Its picks on a micrograph, and their shares."""
        rows = self.table.rows_of(name)
        return self.table.select(rows), self.shares[rows]


def _of_micrograph(pickers: Sequence[_Picker], name: str, distance_px: float) -> tuple[CoordinateTable, np.ndarray]:
    """All places of a micrograph, and their picks ``(n, M)``."""
    own, shares = zip(*(picker.on(name) for picker in pickers), strict=True)
    positions = [_xy(table) for table in own]
    members = group_picks(positions, distance_px)
    xy = places_of(positions, members)
    calibrated = [index for index, picker in enumerate(pickers) if picker.floor is not None]
    probability = None
    if calibrated:
        given = _chosen([_column(own[index].probability) for index in calibrated], members[:, calibrated])
        floors = [picker.floor for picker in pickers if picker.floor is not None]
        probability = combined_probability(given, np.array(floors))
    score = mean_rank(_chosen(shares, members)) if probability is None else logit(probability)
    table = CoordinateTable(np.full(len(xy), name, dtype=object), xy[:, 0], xy[:, 1], score, probability,
                            pickers=(members >= 0).sum(1).astype(np.float64))
    return table, members


def _chosen(columns: Sequence[np.ndarray], members: np.ndarray) -> np.ndarray:
    """Values ``(n, K)`` of the picks of each place, NaN where a picker has none."""
    values = np.full(members.shape, np.nan)
    for index, column in enumerate(columns):
        there = members[:, index] >= 0
        values[there, index] = column[members[there, index]]
    return values


def _with_common_names(tables: Sequence[CoordinateTable]) -> list[CoordinateTable]:
    """Micrographs under the names that the first table that has them gives."""
    names: dict[str, None] = {}
    renamed, shared = [], False
    for table in tables:
        found = match_names(table.names(), [Path(name) for name in names])
        known = {str(Path(name)): name for name in names}
        renamed.append(table.renamed({name: known[str(path)] for name, path in found.items()}))
        shared |= bool(found)
        names |= dict.fromkeys(renamed[-1].names())
    if len(tables) > 1 and not shared and sum(1 for table in tables if len(table)) > 1:
        first = [table.names()[0] for table in tables if len(table)]
        raise InputError(f"the tables have no micrograph in common: one names {first[0]!r}, another {first[1]!r}; give"
                         " picks of the same micrographs, or a pattern for their names", "name_pattern")
    return renamed


def _xy(table: CoordinateTable) -> np.ndarray:
    return np.stack([table.x, table.y], axis=1)


def _column(values: np.ndarray | None) -> np.ndarray:
    return np.zeros(0) if values is None else values
