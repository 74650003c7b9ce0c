"""What was labelled so far: particles and places that are none, on disk after every change, with undo.

The file is written under a temporary name and renamed: whatever ends the program, it holds all but the last click.
"""

from __future__ import annotations

import math
import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from pupicker.shared.atomic import write_text
from pupicker.shared.columns import POSITION
from pupicker.shared.json_files import read_json, write_json

Point = Tuple[float, float]
PARTICLES, NOT_PARTICLES = "particles", "not_particles"
KINDS = (PARTICLES, NOT_PARTICLES)
SCHEMA = 1
MOST_STEPS = 500  # that can be undone
DIGITS = 2  # of a pixel


class LabelRecordError(Exception):
    """A file of labels cannot be gone on with; the message is one line that names it."""


class _Step(NamedTuple):
    """A change of one micrograph: its places before and after."""

    key: str
    before: Dict[str, List[Point]]
    after: Dict[str, List[Point]]


class LabelRecord:
    """Labels by the key of their micrograph; centres in pixels of the file, the first pixel has its centre at (0, 0).

    Parameters
    ----------
    path
        JSON file to go on with, or to begin; without one nothing is kept.
    kinds
        Of places.
    numbers
        Written beside the places, by their names.

    Attributes
    ----------
    diameterAng
        Of the particle; :meth:`setDiameter` changes it.
    error
        Why the last change is not on disk, in words; empty: it is.

    Raises
    ------
    LabelRecordError
        The file is there, but holds something else.
    """

    def __init__(self, path: str = "", kinds: Sequence[str] = KINDS,
                 numbers: Optional[Dict[str, float]] = None) -> None:
        self.error = ""
        self.path, self._kinds, self._numbers = path, tuple(kinds), numbers or {}
        self.diameterAng = 0.0
        self._places: Dict[str, Dict[str, List[Point]]] = {}
        self._done: List[_Step] = []
        self._undone: List[_Step] = []
        if path and os.path.exists(path):
            self._read()

    def _read(self) -> None:
        content = read_json(self.path)
        if content.get("schema") != SCHEMA:
            raise LabelRecordError("%s: holds no labels of this version of pupicker; give another folder." % self.path)
        self.diameterAng = float(content.get("diameter_ang") or 0.0)
        for key, places in content.get("micrographs", {}).items():
            self._places[key] = {kind: [(float(x), float(y)) for x, y in places.get(kind, ())] for kind in self._kinds}

    # ------------------------- what is there -------------------------
    def places(self, key: str, kind: str = PARTICLES) -> List[Point]:
        """Centres on a micrograph."""
        return list(self._places.get(key, {}).get(kind, ()))

    def number(self, kind: str = PARTICLES) -> int:
        """How many there are on all micrographs."""
        return sum(len(places.get(kind, ())) for places in self._places.values())

    def labelled(self, kind: str = PARTICLES) -> Dict[str, List[Point]]:
        """The micrographs that have some, with them."""
        return {key: list(places[kind]) for key, places in sorted(self._places.items()) if places.get(kind)}

    def micrographs(self) -> List[str]:
        """Keys of those that have places of any kind."""
        return [key for key, places in self._places.items() if any(places.values())]

    def nearest(self, key: str, x: float, y: float, reachPx: float,
                kinds: Optional[Sequence[str]] = None) -> Optional[Tuple[str, int]]:
        """Kind and number of the place that is closest, if one is within `reachPx`; of some kinds, or of any."""
        found = [(math.hypot(x - px, y - py), kind, number) for kind in kinds or self._kinds
                 for number, (px, py) in enumerate(self._places.get(key, {}).get(kind, ()))]
        closest = min(found, default=None)
        return (closest[1], closest[2]) if closest is not None and closest[0] <= reachPx else None

    # ------------------------- changes -------------------------
    def add(self, key: str, points: Sequence[Point], kind: str = PARTICLES) -> None:
        """Add places; they are one step for :meth:`undo`."""
        if points:
            self._change(key, lambda places: places[kind].extend((round(x, DIGITS), round(y, DIGITS))
                                                                 for x, y in points))

    def remove(self, key: str, kind: str, number: int) -> None:
        """Remove one."""
        self._change(key, lambda places: places[kind].pop(number))

    def removeAll(self, key: str, inside: Callable[[Point], bool]) -> int:
        """Remove all places for which `inside` is true; how many there were."""
        number = sum(inside(point) for kind in self._kinds for point in self.places(key, kind))
        if number:
            self._change(key, lambda places: places.update(
                {kind: [point for point in places[kind] if not inside(point)] for kind in self._kinds}))
        return number

    def move(self, key: str, kind: str, number: int, point: Point) -> None:
        """Put one elsewhere."""
        def put(places: Dict[str, List[Point]]) -> None:
            places[kind][number] = (round(point[0], DIGITS), round(point[1], DIGITS))
        self._change(key, put)

    def exchange(self, key: str, removed: Sequence[Tuple[str, int]], added: Mapping[str, Sequence[Point]]) -> None:
        """Remove places, given by kind and number, and add others; one step for :meth:`undo`."""
        def put(places: Dict[str, List[Point]]) -> None:
            for kind in self._kinds:
                places[kind] = [point for number, point in enumerate(places[kind]) if (kind, number) not in removed]
                places[kind] += [(float(x), float(y)) for x, y in added.get(kind, ())]
        if removed or any(len(points) for points in added.values()):
            self._change(key, put)

    def rename(self, keys: Mapping[str, str]) -> None:
        """Take other keys for some micrographs; at the start, before there is anything to undo."""
        self._places = {keys.get(key, key): places for key, places in self._places.items()}

    def setDiameter(self, diameterAng: float) -> None:
        """Take a new diameter; it is written with the next change, or by :meth:`save`."""
        self.diameterAng = diameterAng

    def canUndo(self, again: bool = False) -> bool:
        """Whether there is a change to take back, or one to make again."""
        return bool(self._undone if again else self._done)

    def undo(self) -> str:
        """Take the last change back; key of the micrograph it was on, empty if there is none."""
        if not self._done:
            return ""
        step = self._done.pop()
        self._undone.append(step)
        self._places[step.key] = self._copy(step.before)
        self.keep()
        return step.key

    def redo(self) -> str:
        """Make the change again that was taken back; as :meth:`undo`."""
        if not self._undone:
            return ""
        step = self._undone.pop()
        self._done.append(step)
        self._places[step.key] = self._copy(step.after)
        self.keep()
        return step.key

    def _change(self, key: str, change: Callable[[Dict[str, List[Point]]], Any]) -> None:
        before = self._copy(self._places.get(key, {}))
        after = self._copy(before)
        change(after)
        self._places[key] = after
        self._done = self._done[1 - MOST_STEPS:] + [_Step(key, before, self._copy(after))]
        self._undone.clear()
        self.keep()

    # ------------------------- files -------------------------
    def keep(self) -> None:
        """Write the file; :attr:`error` says why not, where that fails: the change is made all the same."""
        try:
            self.save()
            self.error = ""
        except OSError as error:
            self.error = "NOT SAVED: %s: %s" % (self.path, error.strerror or error)

    def save(self) -> None:
        """Write the file; raises OSError."""
        if self.path:
            write_json(self.path, {"schema": SCHEMA, "diameter_ang": self.diameterAng, **self._numbers, "micrographs": {
                key: places for key, places in sorted(self._places.items()) if any(places.values())}})

    def writeTable(self, path: str, kind: str = PARTICLES, names: Optional[Mapping[str, str]] = None) -> None:
        """Write the places of a kind as ``pupicker train`` takes them; keys name the micrographs, or `names` by key."""
        named = {key: (names or {}).get(key, key) for key in self.labelled(kind)}
        rows = ["\t".join(POSITION)]
        rows += ["%s\t%.2f\t%.2f" % (named[key], x, y) for key, points in self.labelled(kind).items()
                 for x, y in points]
        write_text(path, "\n".join(rows) + "\n")

    def _copy(self, places: Dict[str, List[Point]]) -> Dict[str, List[Point]]:
        return {kind: list(places.get(kind, ())) for kind in self._kinds}
