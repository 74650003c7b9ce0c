"""Whether labels lie where the micrographs have particles, before anything is learnt from them.

A training on labels in the wrong place (mirrored, of binned micrographs, corners of boxes) ends as well as any other,
with a model that picks nonsense.  Here the labels are held against the images, as they are, and mirrored, swapped,
scaled and shifted (:mod:`.label_places`): against their blobs (:mod:`pupicker.core.detection.agreement`), and, where
these do not tell that the labels are right, against what the general model sees (:mod:`.general_witness`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pupicker.core.detection.agreement import agreement, blob_response, values_at, values_moved, weights_of
from pupicker.core.geometry import Geometry
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.engine.preparation.general_witness import UNRELATED, GeneralWitness, Testimony, asked_of
from pupicker.engine.preparation.label_places import Place, other_places
from pupicker.engine.preparation.working_micrograph import Resampled
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.plurals import counted

FEWEST = 5
"""Labels below which nothing is said."""

SUSPICIOUS, CERTAIN = 6.0, 8.0
"""Agreement of another place from which it is said, and from which it is an error.  Of the some hundred places that are
tried, the best by chance has about 4."""

WEAK, UNSEEN = 0.4, 0.25
"""The agreement of the labels as they are, over that of the other place, below which it is said, and is an error."""

RANDOM, FEWEST_OF_RANDOM = 2.0, 20
"""Agreement below which so many labels look like places at random."""

NOTICED, REFUSED = 5e-3, 1e-3
"""Probability that a place which the general model prefers is chance, from which it is said, and is an error."""

SURE = 1e-4
"""Probability of the labels' own agreement with the general model below which they are right, whatever blobs say."""

BRIGHT = -6.0
"""Agreement below which labels are brighter than their surroundings."""

SHIFT_DIAMETERS, LEAST_SHIFT_DIAMETERS = 1.5, 0.3
MOST_MICROGRAPHS, MOST_LABELS = 12, 2000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """How well labels agree with the images, as they are and at the best other place.

    Attributes
    ----------
    labels
        How many were looked at.
    agreement, place, better
        With blobs: of the labels as they are, the place that agrees best, how well.
    testimony
        Of the general model; None: blobs tell enough.
    bright
        Whether the general model sees particles at the labels in the inverted images.
    """

    labels: int
    agreement: float
    place: Place
    better: float
    testimony: Testimony | None = None
    bright: bool = False

    @property
    def decided(self) -> bool:
        """Whether blobs tell that the labels are right, or right and bright, so that nobody else has to be asked."""
        return self.agreement >= SUSPICIOUS or self.agreement <= BRIGHT

    @property
    def elsewhere(self) -> bool:
        """Whether another place is the likely one; bright particles have dark rims beside them, which is no place."""
        return self._blobs(SUSPICIOUS, WEAK) or self._general(NOTICED)

    @property
    def certain(self) -> bool:
        """Whether it is for certain."""
        return self._blobs(CERTAIN, UNSEEN) or self._general(REFUSED)

    @property
    def cured(self) -> Place:
        """The other place: the one that blobs tell, if they do."""
        return self.place if self.testimony is None or self._blobs(SUSPICIOUS, WEAK) else self.testimony.place

    @property
    def cure(self) -> str:
        """In words; empty if there is none."""
        return f"{self.cured.words} they would be on particles" if self.elsewhere else ""

    @property
    def seen(self) -> str:
        """What speaks for it, in words."""
        if self.testimony is None or self._blobs(SUSPICIOUS, WEAK):
            return (f"agreement with the images {self.agreement:.1f}, where places at random have about 0"
                    f" and these have {self.better:.1f}")
        return (f"the general model sees no particles where they are, and there it sees so many that chance would do it"
                f" once in {1 / max(self.testimony.place_chance, 1e-9):.0f} times")

    @property
    def random(self) -> bool:
        """Whether so many labels agree no better than places at random do, whoever is asked."""
        unseen = self.testimony is None or (self.testimony.chance > UNRELATED and not self.bright)
        return self.agreement < RANDOM and unseen and self.labels >= FEWEST_OF_RANDOM

    def _blobs(self, agreement: float, share: float) -> bool:
        known = self.testimony is not None and self.testimony.chance < SURE  # by the general model, where they are
        return self.better >= agreement and abs(self.agreement) <= share * self.better and not known

    def _general(self, error: float) -> bool:
        said = self.testimony
        return said is not None and said.place_chance <= error and said.chance > UNRELATED and not self.bright


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
    counts = [len(labels.of(str(micrograph.path))) for micrograph in some]
    if sum(counts) < FEWEST:
        return None
    finding = BlobWitness(some, geometry).finding(labels)
    if finding.decided:
        return finding
    asked = [some[index] for index in asked_of(some, counts)]
    return with_testimony(finding, GeneralWitness(asked, geometry), asked, labels)


def with_testimony(
    finding: Finding, witness: GeneralWitness, micrographs: Sequence[Resampled], labels: CoordinateTable
) -> Finding:
    """What the general model says of labels that blobs do not tell enough of."""
    def positions(place: Place) -> list[Tensor]:
        return [place.of(labels, micrograph) for micrograph in micrographs]

    finding = replace(finding, testimony=witness.testify(positions))
    if not (finding.elsewhere or finding.random):
        return finding
    return replace(finding, bright=witness.chances([positions(Place())], -1)[0] < UNRELATED)


class BlobWitness:
    """Answers of micrographs to a filter for blobs of the particle's size."""

    def __init__(self, micrographs: Sequence[Resampled], geometry: Geometry) -> None:
        self._micrographs = micrographs
        self._diameter = geometry.diameter_ang / geometry.working_pixel_size_ang
        self._responses = [blob_response(micrograph.pixels, self._diameter) for micrograph in micrographs]

    def finding(self, labels: CoordinateTable) -> Finding:
        """How well labels agree, as they are and at the best other place."""
        def positions(place: Place) -> list[Tensor]:
            return [place.of(labels, micrograph) for micrograph in self._micrographs]

        found = [(self._agreement(positions(place)), place)
                 for place, _ in other_places(self._micrographs[0].pixel_size_ang)]
        own = positions(Place())
        found.append(_shifted(self._responses, own, self._micrographs[0], self._diameter))
        better, place = max(found, key=lambda pair: pair[0])
        return Finding(sum(map(len, own)), self._agreement(own), place, better)

    def _agreement(self, positions: Sequence[Tensor]) -> float:
        return agreement(values_at(self._responses, positions), positions, self._diameter)


def say_place(finding: Finding | None) -> None:
    """Log what is suspicious.

    Raises
    ------
    InputError
        It is certain that the labels are meant elsewhere.
    """
    if finding is None:
        return
    if finding.elsewhere:
        text = f"the labels look as if they lay in the wrong place: {finding.cure} ({finding.seen})"
        if finding.certain:
            raise InputError(f"{text}; mend the table, or say that the labels are right", *finding.cured.parameters,
                             "no_check_labels")
        _log.warning("%s", text, extra={"parameters": finding.cured.parameters})
    elif finding.agreement <= BRIGHT or finding.bright:
        _log.warning("the labels are brighter than their surroundings (agreement %.1f): is the contrast inverted?"
                     " Particles must be dark", finding.agreement)
    elif finding.random:
        _log.warning("the %s look like places at random (agreement with the images %.1f): check that they are of"
                     " these micrographs, and the diameter", counted(finding.labels, "label"), finding.agreement)


def _shifted(
    responses: Sequence[Tensor], positions: Sequence[Tensor], first: Resampled, diameter: float
) -> tuple[float, Place]:
    """The best common shift that is larger than a part of the diameter."""
    step = max(1.0, diameter / 12)
    reach = int(SHIFT_DIAMETERS * diameter / step)
    steps = torch.arange(-reach, reach + 1) * step
    shifts = torch.cartesian_prod(steps, steps)
    shifts = shifts[torch.linalg.vector_norm(shifts, dim=1) >= LEAST_SHIFT_DIAMETERS * diameter]
    thinned = [xy[:: max(1, sum(map(len, positions)) // MOST_LABELS)] for xy in positions]
    found = values_moved(responses, thinned, shifts).nan_to_num().double() @ weights_of(thinned, diameter)
    best = int(found.argmax())
    across, down = shifts[best].tolist()
    return float(found[best]), Place(shift=(across * first.step[1], down * first.step[0]))
