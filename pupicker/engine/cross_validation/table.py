"""The results of a cross-validation as a table: for people, as TSV, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pupicker.engine.cross_validation.folds import CellSummary, FoldResult, common_density, summarise

_COLUMNS = ("average_precision", "average_precision_error", "recall", "recall_error", "picks_per_micrograph", "seconds")


class Table:
    """One row a cell of the grid.

    Attributes
    ----------
    titles
        ``updates=200, objective=pn`` of each cell.
    values
        Name and value of each axis.
    cells
        Index -> summary, of the cells that did not fail.
    failures
        Index -> reason, of the others.
    best
        Index of the cell with the highest average precision; None if all failed.
    """

    def __init__(
        self, titles: Sequence[str], values: Sequence[Mapping[str, str]], results: Mapping[int, Sequence[FoldResult]],
        failures: Mapping[int, str],
    ) -> None:
        self.titles, self.values, self.failures = titles, values, failures
        self.density = common_density(list(results.values())) if results else 0.0
        self.cells: dict[int, CellSummary] = {i: summarise(folds, self.density) for i, folds in results.items()}
        self.best = max(self.cells, key=self._merit) if self.cells else None

    def _merit(self, index: int) -> tuple[float, float]:
        """Of equal average precisions (it ends at one) the cell with the higher recall is better."""
        cell = self.cells[index]
        return round(cell.average_precision, 4), cell.recall

    def as_good_as_best(self) -> list[str]:
        """Titles of the other cells whose mean is within one standard error of the best one's."""
        if self.best is None:
            return []
        best = self.cells[self.best]
        lowest = best.average_precision - (best.average_precision_error or 0.0)
        return [self.titles[i] for i, c in self.cells.items() if i != self.best and c.average_precision >= lowest]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able dictionary."""
        cells = []
        for i, title in enumerate(self.titles):
            known = asdict(self.cells[i]) if i in self.cells else {"failed": self.failures[i]}
            cells.append({"cell": title, "values": dict(self.values[i]), **known})
        best = None if self.best is None else self.titles[self.best]
        return {"cells": cells, "best": best, "as_good": self.as_good_as_best(), "particles_per_ang2": self.density}

    def to_tsv(self) -> str:
        """One line a cell: its values, the numbers, why it failed."""
        axes = list(self.values[0])
        lines = ["\t".join([*axes, *_COLUMNS, "failed"])]
        for i, values in enumerate(self.values):
            numbers = [_number(getattr(self.cells[i], name)) if i in self.cells else "" for name in _COLUMNS]
            lines.append("\t".join([*values.values(), *numbers, self.failures.get(i, "")]))
        return "\n".join(lines) + "\n"

    def rows(self) -> list[tuple[str, ...]]:
        """For the screen."""
        rows: list[tuple[str, ...]] = [("cell", "average precision", "recall at threshold", "picks a micrograph", "")]
        for i, title in enumerate(self.titles):
            if i in self.cells:
                cell = self.cells[i]
                rows.append((title, _with_error(cell.average_precision, cell.average_precision_error),
                             _with_error(cell.recall, cell.recall_error), f"{cell.picks_per_micrograph:.1f}",
                             "best" if i == self.best else ""))
            else:
                rows.append((title, "failed", "", "", self.failures[i]))
        return rows


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _with_error(value: float, error: float | None) -> str:
    return f"{value:.3f}" if error is None else f"{value:.3f} ± {error:.3f}"
