"""Whether labels lie where the micrographs have particles, before anything is learnt from them.

A training on labels in the wrong place (mirrored, of binned micrographs, corners of boxes) ends as well as any other,
with a model that picks nonsense.  Here the labels are held against the images, as they are, and mirrored, swapped,
scaled and shifted (:mod:`pupicker.core.detection.agreement`).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pupicker.core.detection.agreement import agreement, blob_response, values_at
from pupicker.core.geometry import Geometry
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.errors import InputError

FEWEST = 5
"""Labels below which nothing is said."""

SUSPICIOUS, CERTAIN = 6.0, 8.0
"""Agreement of another place from which it is said, and from which it is an error.  Of the some hundred places that are
tried, the best by chance has about 4."""

WEAK, NONE = 0.4, 0.25
"""The agreement of the labels as they are, over that of the other place, below which it is said, and is an error."""

RANDOM, FEWEST_OF_RANDOM = 2.0, 20
"""Agreement below which so many labels look like places at random."""

BRIGHT = -6.0
"""Agreement below which labels are brighter than their surroundings."""

SCALES = (1.0, 2.0, 4.0, 8.0, 3.0, 0.5, 0.25, 0.125, 1 / 3)
SHIFT_DIAMETERS, LEAST_SHIFT_DIAMETERS = 1.5, 0.3
MOST_MICROGRAPHS, MOST_LABELS = 12, 2000
NEAR_DIAMETERS, MOST_DOUBLED = 0.15, 0.1
SCORE_GROUPS, FEWEST_OF_GROUP = 8, 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Another place of the labels: their scale, axes swapped, then mirrored, then moved, in pixels of the file."""

    scale: float = 1.0
    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False
    shift: tuple[float, float] = (0.0, 0.0)

    def of(self, table: CoordinateTable, micrograph: Resampled) -> Tensor:
        """The labels of a micrograph there, ``(n, 2)`` in working pixels."""
        own = table.of(str(micrograph.path))
        x, y = own.x * self.scale, own.y * self.scale
        x, y = (y, x) if self.swap else (x, y)
        rows, columns = micrograph.shape
        x = columns - 1 - x if self.flip_x else x
        y = rows - 1 - y if self.flip_y else y
        return torch.from_numpy(micrograph.to_working(x + self.shift[0], y + self.shift[1]))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those that mend it."""
        given = {"scale": self.scale != 1.0, "swap_xy": self.swap, "flip_x": self.flip_x, "flip_y": self.flip_y}
        return tuple(name for name, needed in given.items() if needed)

    @property
    def words(self) -> str:
        """What has to be done to the labels."""
        said = [f"scaled by {self.scale:.4g}"] * (self.scale != 1.0) + ["with x and y swapped"] * self.swap
        axes = "x and y" if self.flip_x and self.flip_y else "x" if self.flip_x else "y"
        said += [f"mirrored in {axes}"] * (self.flip_x or self.flip_y)
        if any(self.shift):
            said.append(f"moved by {self.shift[0]:+.0f}, {self.shift[1]:+.0f} px (are they corners of boxes?)")
        return " and ".join(said)


@dataclass(frozen=True)
class Finding:
    """How well labels agree with the images, as they are and at the best other place."""

    labels: int
    agreement: float
    place: Place
    better: float

    @property
    def elsewhere(self) -> bool:
        """Whether the other place is the likely one; bright particles have dark rims beside them, which is no place."""
        return self.better >= SUSPICIOUS and abs(self.agreement) <= WEAK * self.better

    @property
    def certain(self) -> bool:
        """Whether it is for certain."""
        return self.better >= CERTAIN and abs(self.agreement) <= NONE * self.better

    @property
    def cure(self) -> str:
        """In words; empty if there is none."""
        return f"{self.place.words} they would be on particles" if self.elsewhere else ""


def find_place(micrographs: Sequence[Resampled], labels: CoordinateTable, geometry: Geometry) -> Finding | None:
    """Hold labels against the images; None if there are too few to tell.

    Parameters
    ----------
    micrographs
        At the working pixel size; of the labelled ones some are looked at.
    labels
        In pixels of the files; those outside count too.
    geometry
        Lengths of the task.
    """
    some = [micrograph for micrograph in micrographs if len(labels.of(str(micrograph.path)))]
    some = some[:: max(1, -(-len(some) // MOST_MICROGRAPHS))]
    count = sum(len(labels.of(str(micrograph.path))) for micrograph in some)
    if count < FEWEST:
        return None
    diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
    responses = [blob_response(micrograph.pixels, diameter) for micrograph in some]

    def agreement_at(place: Place) -> float:
        positions = [place.of(labels, micrograph) for micrograph in some]
        return agreement(values_at(responses, positions), positions, diameter)

    own = agreement_at(Place())
    found = [(agreement_at(place), place) for place in _places(some[0].pixel_size_ang)]
    found.append(_shifted(responses, [Place().of(labels, micrograph) for micrograph in some], some[0], diameter))
    better, place = max(found, key=lambda pair: pair[0])
    return Finding(count, own, place, better)


def say_place(finding: Finding | None) -> None:
    """Log what is suspicious.

    Raises
    ------
    InputError
        It is certain that the labels are meant elsewhere.
    """
    if finding is None:
        return
    seen = (f"agreement with the images {finding.agreement:.1f}, where places at random have about 0"
            f" and these have {finding.better:.1f}")
    if finding.elsewhere:
        text = f"the labels look as if they lay in the wrong place: {finding.cure} ({seen})"
        if finding.certain:
            raise InputError(f"{text}; mend the table, or say that the labels are right", *finding.place.parameters,
                             "no_check_labels")
        _log.warning("%s", text, extra={"parameters": finding.place.parameters})
    elif finding.agreement <= BRIGHT:
        _log.warning("the labels are brighter than their surroundings (agreement %.1f): is the contrast inverted?"
                     " Particles must be dark", finding.agreement)
    elif finding.agreement < RANDOM and finding.labels >= FEWEST_OF_RANDOM:
        _log.warning("the %d labels look like places at random (agreement with the images %.1f): check that they are of"
                     " these micrographs, and the diameter", finding.labels, finding.agreement)


def say_doubtful_rows(micrographs: Sequence[Resampled], labels: CoordinateTable, geometry: Geometry) -> None:
    """Log labels that are there twice, and those whose scores are so low that nothing is to be seen there."""
    some = [micrograph for micrograph in micrographs if len(labels.of(str(micrograph.path)))]
    near = NEAR_DIAMETERS * geometry.diameter_ang / geometry.working_pixel_size_ang
    places = [Place().of(labels, micrograph) for micrograph in some]
    doubled = sum(int((torch.cdist(xy, xy) < near).sum(dim=1).gt(1).sum()) for xy in places
                  if len(xy) <= MOST_LABELS)
    total = sum(map(len, places))
    if doubled > MOST_DOUBLED * total:
        _log.warning("%d of %d labels have another one within %.2g diameters: two tables of the same particles?",
                     doubled, total, NEAR_DIAMETERS)
    if labels.score is None:
        return
    some = some[:: max(1, -(-len(some) // MOST_MICROGRAPHS))]
    diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
    values = values_at([blob_response(m.pixels, diameter) for m in some], [Place().of(labels, m) for m in some])
    scores = np.concatenate([np.asarray(labels.of(str(m.path)).score) for m in some])
    lowest = _lowest_useful(scores, values.nan_to_num().double().numpy())
    if lowest is not None:
        low = int((np.asarray(labels.score) < lowest).sum())
        _log.warning("%d of %d labels have scores below %.3g, and nothing is to be seen there: the output of a picker"
                     " before its threshold? A lowest score of %.3g would leave them out", low, len(labels), lowest,
                     lowest, extra={"parameters": ("min_score",)})


def _lowest_useful(scores: np.ndarray, values: np.ndarray) -> float | None:
    """Score below which answers are those of places at random, though those above are not; None if there is none."""
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2 * FEWEST_OF_GROUP:
        return None
    size = max(FEWEST_OF_GROUP, len(order) // SCORE_GROUPS)
    groups = [order[start:start + size] for start in range(0, len(order) - size + 1, size)]
    means = [float(values[group].mean()) for group in groups]
    surest = means[0]
    if surest * size**0.5 < SUSPICIOUS:
        return None
    for place in range(1, len(groups)):
        rest, lowest = np.concatenate(groups[place:]), float(scores[groups[place - 1]].min())
        if float(values[rest].mean()) < NONE * surest and lowest > scores[rest].min():
            return lowest
    return None


def _places(pixel_size_ang: float) -> Iterator[Place]:
    """All but the labels' own; a table in A has to be scaled by the inverse pixel size."""
    scales = dict.fromkeys((*SCALES, round(1 / pixel_size_ang, 6)))
    either = (False, True)
    for scale, swap, flip_x, flip_y in itertools.product(scales, either, either, either):
        if (scale, swap, flip_x, flip_y) != (1.0, False, False, False):
            yield Place(scale, swap, flip_x, flip_y)


def _shifted(
    responses: Sequence[Tensor], positions: Sequence[Tensor], first: Resampled, diameter: float
) -> tuple[float, Place]:
    """The best common shift that is larger than a part of the diameter."""
    step = max(1.0, diameter / 12)
    reach = int(SHIFT_DIAMETERS * diameter / step)
    thinned = [xy[:: max(1, sum(map(len, positions)) // MOST_LABELS)] for xy in positions]
    best, place = -np.inf, Place()
    for across, down in itertools.product(range(-reach, reach + 1), repeat=2):
        shift = (across * step, down * step)
        if np.hypot(*shift) < LEAST_SHIFT_DIAMETERS * diameter:
            continue
        found = agreement(values_at(responses, thinned, shift), thinned, diameter)
        if found > best:
            best, place = found, Place(shift=(shift[0] * first.step[1], shift[1] * first.step[0]))
    return best, place
