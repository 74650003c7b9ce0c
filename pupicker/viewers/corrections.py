"""What a user changes of scored picks by hand: taken away, added, marked as no particle; on disk at once, with undo."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from pupicker.convert.corrections import (
    ADDED,
    CLICK_REACH,
    DIAMETER_PX,
    EXCLUDED,
    KINDS,
    MOVED,
    MOVED_FROM,
    NOT_PARTICLES,
    REMOVED,
    changesText,
    frozenCopy,
    givesWay,
)
from pupicker.viewers.scored_set import ScoredSet
from pupicker.window.label_record import LabelRecord

NOWHERE = (0.0, 0.0)  # a micrograph that is excluded has one place of that kind
LISTED = ""  # kind of a pick of the list; its number is its row
PICKS = (ADDED, MOVED)  # places by hand that are picks
Point = Tuple[float, float]
Marked = Tuple[str, int]  # kind and number of what is at a place


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
    diameterPx
        Of a particle, in pixels of the micrographs.

    Attributes
    ----------
    gone
        Mask of the picks that are not there any more: on micrographs that are left out, too.
    """

    def __init__(self, path: str, data: ScoredSet, rows: Dict[int, Any], diameterPx: float) -> None:
        self.record = LabelRecord(path, KINDS, {DIAMETER_PX: diameterPx})
        self._diameter = diameterPx
        self.take(data, rows)

    def take(self, data: ScoredSet, rows: Dict[int, Any]) -> None:
        """Take other picks; the changes stay, and can be undone as before."""
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

    def text(self) -> str:
        """How many changes there are, in words."""
        return changesText(*map(self.record.number, (ADDED, MOVED, REMOVED, NOT_PARTICLES, EXCLUDED)))

    def places(self, micId: int, kind: str) -> List[Point]:
        """Places on a micrograph."""
        return self.record.places(str(micId), kind)

    def byHand(self, micId: int) -> List[Point]:
        """Picks of a micrograph that the list does not have; none if it is left out."""
        return [] if self.isExcluded(micId) else [point for kind in PICKS for point in self.places(micId, kind)]

    def numberByHand(self) -> int:
        """Picks that the list does not have, of all micrographs that are not left out."""
        return sum(len(self.byHand(int(key))) for key in {*self.record.labelled(ADDED), *self.record.labelled(MOVED)})

    def isExcluded(self, micId: int) -> bool:
        """Whether a micrograph is left out."""
        return bool(self.places(micId, EXCLUDED))

    def _update(self, micId: int) -> None:
        """Note which picks of a micrograph are gone."""
        rows = self._rows.get(micId)
        if rows is None:
            return
        gone = {place for kind in (REMOVED, MOVED_FROM, NOT_PARTICLES) for place in self.places(micId, kind)}
        x, y = self.data.x[rows], self.data.y[rows]
        picks = [point for kind in PICKS for point in self.places(micId, kind)]
        self.gone[rows] = (givesWay(x, y, picks, self.places(micId, NOT_PARTICLES), self._diameter)
                           | [place in gone for place in zip(x.tolist(), y.tolist())] | self.isExcluded(micId))

    def nearest(self, micId: int, x: float, y: float, kept: Any) -> Optional[Marked]:
        """What a click means: the circle that is closest, of the places by hand and the picks that `kept` keeps."""
        found = [(math.hypot(px - x, py - y), kind, number) for kind in (*PICKS, NOT_PARTICLES)
                 for number, (px, py) in enumerate(self.places(micId, kind))]
        rows = self.rowsOf(micId)
        rows = rows[kept[rows]]
        if len(rows):
            distance = np.hypot(self.data.x[rows] - x, self.data.y[rows] - y)
            best = int(np.argmin(distance))
            found.append((float(distance[best]), LISTED, int(rows[best])))
        closest = min(found, default=None)
        return closest[1:] if closest is not None and closest[0] <= CLICK_REACH * self._diameter else None

    def _point(self, micId: int, marked: Marked) -> Point:
        kind, number = marked
        if kind == LISTED:
            return float(self.data.x[number]), float(self.data.y[number])
        return self.places(micId, kind)[number]

    # ------------------------- changes -------------------------
    def _change(self, micId: int, gone: Sequence[Marked], added: Dict[str, List[Point]],
                removedKind: str = REMOVED) -> None:
        """Take away what is `gone`, picks of the list as `removedKind`, and add places; one step."""
        added = {kind: list(points) for kind, points in added.items()}
        removed: List[Marked] = []
        for kind, number in gone:
            if kind == LISTED:
                added.setdefault(removedKind, []).append(self._point(micId, (kind, number)))
                continue
            removed.append((kind, number))
            if kind == MOVED:  # where it was before, it is taken away now
                removed.append((MOVED_FROM, number))
                added.setdefault(REMOVED, []).append(self.places(micId, MOVED_FROM)[number])
        self.record.exchange(str(micId), removed, added)
        self._update(micId)

    def toggle(self, micId: int, x: float, y: float, kept: Any, asNegative: bool) -> None:
        """A click: take the circle there away; where there is none, add a pick, or a place that is no particle."""
        marked = self.nearest(micId, x, y, kept)
        if marked is None:
            self._change(micId, [], {NOT_PARTICLES if asNegative else ADDED: [(round(x, 2), round(y, 2))]})
        elif asNegative and marked[0] in PICKS:
            self._change(micId, [marked], {NOT_PARTICLES: [self._point(micId, marked)]})
        else:
            self._change(micId, [marked], {}, NOT_PARTICLES if asNegative else REMOVED)

    def remove(self, micId: int, rows: Sequence[int], asNegative: bool = False) -> None:
        """Take picks of the list away; as negatives they are for the next training too."""
        self._change(micId, [(LISTED, int(row)) for row in rows], {}, NOT_PARTICLES if asNegative else REMOVED)

    def removeInside(self, micId: int, inside: Callable[[Point], bool], kept: Any) -> bool:
        """Take all picks away for which `inside` is true, of the list and by hand; whether there was one."""
        rows = self.rowsOf(micId)
        picks: List[Marked] = [(LISTED, int(row)) for row in rows[kept[rows]]]
        picks += [(kind, number) for kind in PICKS for number in range(len(self.places(micId, kind)))]
        gone = [marked for marked in picks if inside(self._point(micId, marked))]
        self._change(micId, gone, {})
        return bool(gone)

    def restore(self, micId: int, row: int) -> None:
        """Take a pick in again that was taken away by hand; nothing if it was not."""
        place = self._point(micId, (LISTED, row))
        reachPx = CLICK_REACH * self._diameter
        marked = (self.record.nearest(str(micId), *place, reachPx, (NOT_PARTICLES,))
                  or self.record.nearest(str(micId), *place, 0.0, (REMOVED,)))
        if marked is not None:
            self.record.remove(str(micId), *marked)
            self._update(micId)

    def move(self, micId: int, marked: Marked, point: Point) -> None:
        """Put a pick, or a place by hand, elsewhere; no place is a pick and no particle at once."""
        kind, number = marked
        other = PICKS if kind == NOT_PARTICLES else (NOT_PARTICLES,)
        gone = [(one, place) for one in other for place, (x, y) in enumerate(self.places(micId, one))
                if math.hypot(x - point[0], y - point[1]) <= CLICK_REACH * self._diameter]
        if kind == LISTED:
            self._change(micId, gone, {MOVED_FROM: [self._point(micId, marked)], MOVED: [point]})
        elif gone:  # what was moved before may be another number then
            self._change(micId, [*gone, marked], {ADDED if kind == MOVED else kind: [point]})
        else:
            self.record.move(str(micId), kind, number, point)
            self._update(micId)

    def exclude(self, micId: int) -> None:
        """Leave a whole micrograph out, or take it in again."""
        excluded = self.isExcluded(micId)
        self.record.exchange(str(micId), [(EXCLUDED, 0)] if excluded else [], {} if excluded else {EXCLUDED: [NOWHERE]})
        self._update(micId)

    def undo(self, again: bool = False) -> int:
        """Take the last change back, or make it again; id of the micrograph it was on, 0 if there is none."""
        key = self.record.redo() if again else self.record.undo()
        if key:
            self._update(int(key))
        return int(key or 0)

    # ------------------------- for a run -------------------------
    def freeze(self) -> str:
        """Path of a copy of the changes as they are now, for a run that makes a set of them; empty if there is none."""
        if not self.number():
            return ""
        self.record.save()
        return frozenCopy(self.record.path)
