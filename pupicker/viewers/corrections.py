"""What a user changes of scored picks by hand: taken away, added, marked as no particle; on disk at once, with undo."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from pupicker.convert.corrections import ADDED, EXCLUDED, KINDS, NOT_PARTICLES, REMOVED
from pupicker.viewers.scored_set import ScoredSet
from pupicker.window.label_record import LabelRecord

NOWHERE = (0.0, 0.0)  # a micrograph that is excluded has one place of that kind
Point = Tuple[float, float]


class Corrections:
    """Changes of a set of picks; the picks themselves stay as they are until a new set is made.

    Parameters
    ----------
    path
        File to go on with, or to begin.
    data
        The picks.
    rows
        Which picks are on each micrograph, by its id.
    """

    def __init__(self, path: str, data: ScoredSet, rows: Dict[int, Any]) -> None:
        self.record = LabelRecord(path, KINDS)
        self.data, self._rows = data, rows
        self.gone = np.zeros(len(data.score), dtype=bool)
        for micId in rows:
            self._update(micId)

    def rowsOf(self, micId: int) -> Any:
        """Rows of the picks of a micrograph."""
        return self._rows.get(micId, np.zeros(0, dtype=int))

    # ------------------------- what is there -------------------------
    def number(self) -> int:
        """Of all changes."""
        return sum(self.record.number(kind) for kind in KINDS)

    def places(self, micId: int, kind: str) -> List[Point]:
        """Places on a micrograph."""
        return self.record.places(str(micId), kind)

    def isExcluded(self, micId: int) -> bool:
        return bool(self.places(micId, EXCLUDED))

    def _update(self, micId: int) -> None:
        """Note which picks of a micrograph are gone."""
        rows = self._rows.get(micId)
        if rows is None:
            return
        gone = set(self.places(micId, REMOVED)) | set(self.places(micId, NOT_PARTICLES))
        data = self.data
        self.gone[rows] = [self.isExcluded(micId) or (float(data.x[row]), float(data.y[row])) in gone for row in rows]

    def nearestPick(self, micId: int, x: float, y: float, reachPx: float, kept: Any) -> int:
        """Row of the pick that is closest within `reachPx` among those that the mask `kept` keeps; -1: none."""
        rows = self.rowsOf(micId)
        rows = rows[kept[rows]]
        if not len(rows):
            return -1
        distance = np.hypot(self.data.x[rows] - x, self.data.y[rows] - y)
        best = int(np.argmin(distance))
        return int(rows[best]) if distance[best] <= reachPx else -1

    # ------------------------- changes -------------------------
    def toggle(self, micId: int, x: float, y: float, reachPx: float, kept: Any, asNegative: bool) -> None:
        """A click: take the circle there away; where there is none, add a pick, or a place that is no particle."""
        key = str(micId)
        marked = self.record.nearest(key, x, y, reachPx, (ADDED, NOT_PARTICLES))
        row = self.nearestPick(micId, x, y, reachPx, kept)
        if row >= 0:
            self.remove(micId, [row], asNegative)
            return
        if marked is not None:
            self.record.remove(key, *marked)
        if marked is None or (asNegative and marked[0] == ADDED):
            self.record.add(key, [(x, y)], NOT_PARTICLES if asNegative else ADDED)
        self._update(micId)

    def remove(self, micId: int, rows: Sequence[int], asNegative: bool = False) -> None:
        """Take picks away; as negatives they are for the next training too."""
        places = [(float(self.data.x[row]), float(self.data.y[row])) for row in rows]
        self.record.addSeveral(str(micId), {NOT_PARTICLES if asNegative else REMOVED: places})
        self._update(micId)

    def restore(self, micId: int, row: int) -> bool:
        """Take a pick in again that was taken away; whether it had been."""
        place = (float(self.data.x[row]), float(self.data.y[row]))
        for kind in (NOT_PARTICLES, REMOVED):
            if place in self.places(micId, kind):
                self.record.remove(str(micId), kind, self.places(micId, kind).index(place))
                self._update(micId)
                return True
        return False

    def move(self, micId: int, row: int, point: Point) -> None:
        """Put a pick elsewhere."""
        place = (float(self.data.x[row]), float(self.data.y[row]))
        self.record.addSeveral(str(micId), {REMOVED: [place], ADDED: [point]})
        self._update(micId)

    def exclude(self, micId: int) -> None:
        """Leave a whole micrograph out, or take it in again."""
        if self.isExcluded(micId):
            self.record.remove(str(micId), EXCLUDED, 0)
        else:
            self.record.addSeveral(str(micId), {EXCLUDED: [NOWHERE]})
        self._update(micId)

    def undo(self, again: bool = False) -> int:
        """Take the last change back, or make it again; id of the micrograph it was on, 0 if there is none."""
        key = self.record.redo() if again else self.record.undo()
        if key:
            self._update(int(key))
        return int(key or 0)
