"""The table of particle coordinates that every reader fills and every writer takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pupicker.shared.columns import OPTIONAL


@dataclass(frozen=True, eq=False)
class CoordinateTable:
    """Particle centres in pixels of the micrograph, first pixel = (0, 0), x = column, y = row.

    Attributes
    ----------
    micrograph
        str ``(n,)`` (object array): name of the micrograph, as the table or the program that made it has it.
    x, y
        float64 ``(n,)``.
    score
        float64 ``(n,)``, higher is better, or None if the particles have none.
    probability
        float64 ``(n,)`` in 0..1, or None.
    score_sd
        float64 ``(n,)``, standard deviation of the score over the symmetric views of the pick, or None.
    pickers
        float64 ``(n,)``, how many pickers have a pick there, or None.
    """

    micrograph: np.ndarray
    x: np.ndarray
    y: np.ndarray
    score: np.ndarray | None = None
    probability: np.ndarray | None = None
    score_sd: np.ndarray | None = None
    pickers: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "micrograph", np.array([str(name) for name in self.micrograph], dtype=object))
        for field in ("x", "y", *OPTIONAL):
            values = getattr(self, field)
            if values is None and field in OPTIONAL:
                continue
            values = np.asarray(values, dtype=np.float64)
            if values.shape != self.micrograph.shape:
                raise ValueError(f"{field} has shape {values.shape}, micrograph {self.micrograph.shape}")
            object.__setattr__(self, field, values)

    def __len__(self) -> int:
        return len(self.micrograph)

    @classmethod
    def empty(cls) -> CoordinateTable:
        """A table without particles."""
        return cls(np.empty(0, dtype=object), np.empty(0), np.empty(0))

    @classmethod
    def concatenate(cls, tables: Sequence[CoordinateTable]) -> CoordinateTable:
        """All rows in order; what is optional is kept where every table that has rows has it."""
        tables = [table for table in tables if len(table)] or list(tables[:1])
        if not tables:
            return cls.empty()

        def joined(field: str) -> np.ndarray | None:
            columns = [getattr(table, field) for table in tables]
            return None if any(column is None for column in columns) else np.concatenate(columns)

        return cls(
            np.concatenate([table.micrograph for table in tables]), np.concatenate([table.x for table in tables]),
            np.concatenate([table.y for table in tables]), *map(joined, OPTIONAL),
        )

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        """Row indices of each micrograph, in order of first appearance."""
        rows: dict[str, list[int]] = {}
        for index, name in enumerate(self.micrograph.tolist()):
            rows.setdefault(name, []).append(index)
        return {name: np.array(indices) for name, indices in rows.items()}

    def names(self) -> list[str]:
        """Names of the micrographs in order of first appearance."""
        return list(self._rows)

    def of(self, name: str) -> CoordinateTable:
        """The rows of one micrograph; empty if it has none."""
        return self.select(self.rows_of(name))

    def rows_of(self, name: str) -> np.ndarray:
        """Indices of the rows of one micrograph."""
        return self._rows.get(name, np.empty(0, dtype=np.intp))

    def select(self, rows: np.ndarray) -> CoordinateTable:
        """The rows of a boolean mask ``(n,)`` or of an index array."""
        values = (getattr(self, field) for field in OPTIONAL)
        return CoordinateTable(
            self.micrograph[rows], self.x[rows], self.y[rows],
            *(None if value is None else value[rows] for value in values),
        )

    def on(self, micrographs: Iterable[object]) -> CoordinateTable:
        """The rows on those of the `micrographs`, which are named by their paths."""
        meant = {str(path) for path in micrographs}
        return self.select(np.array([name in meant for name in self.micrograph.tolist()], dtype=bool))

    def renamed(self, names: Mapping[str, object]) -> CoordinateTable:
        """The same table with micrographs renamed to ``str(names[name])``; names that are not in `names` stay."""
        renamed = [str(names.get(name, name)) for name in self.micrograph.tolist()]
        return replace(self, micrograph=np.array(renamed, dtype=object))

    def scaled(self, factor: float, averaged: bool = False) -> CoordinateTable:
        """Coordinates on the same image with `factor` times as many pixels along each side.

        Fourier cropping, with which micrographs are nearly always downsampled, leaves the centre of the first pixel
        where it is: ``x' = x * factor``.  Averaging of pixels (`averaged`) leaves the edges of the image where they
        are: ``x' = (x + 0.5) * factor - 0.5``.
        """
        shift = 0.5 if averaged else 0.0
        x, y = ((values + shift) * factor - shift for values in (self.x, self.y))
        return replace(self, x=x, y=y)
