"""How many particles to expect: given by the user, or estimated while training.

Rule when nothing is given.  The general model and the labels tell the number before training
(:mod:`pupicker.engine.training.initial_count`), and it stays.  If the general model finds fewer than three labels, that
is a guess only: at least as many as cover 5 % of the area, and 1.5 times what is labelled on the labelled micrographs;
without a general model, as many as cover 15 %.  Then the number is estimated after every epoch from the scores of the
held-out labels (:mod:`pupicker.core.scores.class_prior`).  From the third epoch on the median of the last five
estimates counts as much as there are held-out labels, and the guess of the general model as much as five (a weighted
mean of logarithms): two or three labels alone would tell very little.  Without held-out labels the training labels take
their place, which makes the estimate a little too small.  After training the number is settled on the candidates of the
best epoch in the held-out micrographs, by a closer estimate (:mod:`pupicker.core.scores.score_mixture`): calibration,
threshold and what the user is told rest on that.

Without a general model the objective is told only :data:`CAUTIOUS_SHARE` of an estimated number: the estimate is an
upper bound, then with nothing to hold it, and a network that starts from nothing finds particles where there are none
if the prior is too large.  With them it is told the whole: a network that knows what particles look like and is told
that half of them are none learns the labelled ones by heart, while half as many again do no harm (section 7 of the
method).  A number given by the user is taken as it is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from pupicker.core.geometry import Geometry, max_particles
from pupicker.core.regions.regions import mean_disc_area
from pupicker.core.scores.class_prior import estimate_particles
from pupicker.core.scores.score_mixture import mixture_particles
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.training.dataset import LabelledMicrograph
from pupicker.engine.training.initial_count import PRIOR_LABELS, GeneralCount
from pupicker.engine.training.options import TrainingOptions
from pupicker.engine.training.validation import LabelledCandidates
from pupicker.shared.plurals import counted

INITIAL_COVER = 0.15
MIN_COVER = 0.05
LABEL_FACTOR = 1.5
FIRST_ESTIMATE = 3
CAUTIOUS_SHARE = 0.5
WINDOW = 5


@dataclass
class ParticleCount:
    """Particles per working pixel.

    Attributes
    ----------
    density
        Particles per working pixel, as known now.
    estimated
        Whether :meth:`learn` may change it.
    estimates
        One for each epoch so far.
    source
        In words, for the log.
    initial, prior_labels
        The initial count, and as many labels as it counts; zero if it is not that of the general model.
    log_sd
        Standard deviation of the logarithm of a number that the general model has told; None: it has not.
    """

    density: float
    estimated: bool
    source: str
    initial: float = 0.0
    prior_labels: float = 0.0
    log_sd: float | None = None
    estimates: list[float] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Whether the user or the general model has told the number: there is nothing to learn."""
        return not self.estimated or self.log_sd is not None

    def particles(self, pixels: float) -> float:
        """Expected in so many working pixels."""
        return self.density * pixels

    def trained_particles(self, pixels: float) -> float:
        """The number that the objective is told for so many working pixels."""
        cautious = not self.known and not self.prior_labels
        return self.particles(pixels) * (CAUTIOUS_SHARE if cautious else 1.0)

    def learn(self, candidates: LabelledCandidates) -> None:
        """Take an epoch's estimate into account; nothing happens if the user gave the number."""
        if self.known:
            return
        number = estimate_particles(candidates.scores, candidates.hits, candidates.labels, candidates.max_particles)
        self.estimates.append(number / candidates.pixels)
        if len(self.estimates) >= FIRST_ESTIMATE:
            self._take(statistics.median(self.estimates[-WINDOW:]), candidates.labels)

    def settle(self, candidates: LabelledCandidates) -> None:
        """After the training: estimate once more, from the candidates of the best epoch and by all their scores."""
        if not self.known:
            number = mixture_particles(candidates.scores, candidates.hits, candidates.labels, candidates.max_particles)
            self._take(number / candidates.pixels, candidates.labels)

    def _take(self, density: float, labels: int) -> None:
        share = labels / (labels + self.prior_labels)
        self.density = density**share * self.initial ** (1 - share)
        self.source = "estimated from the scores of labels and of all candidates"


def particle_count(
    micrographs: Sequence[LabelledMicrograph], geometry: Geometry, options: TrainingOptions,
    general: GeneralCount | None = None,
) -> ParticleCount:
    """What is known before training; `general`: what the general model sees.

    Raises
    ------
    UsageError
        If more particles are given than fit.
    """
    class_prior, particles_per_micrograph = options.class_prior, options.particles_per_micrograph
    pixels = sum(m.pixels for m in micrographs)
    area = pixels * geometry.working_pixel_size_ang**2
    max_density = max_particles(geometry, area) / pixels
    if class_prior is not None:
        name, given = "class_prior", class_prior / mean_disc_area(geometry.training_radius_px)
        what = f"the share of the area {class_prior:g}"
    elif particles_per_micrograph is not None:
        name, given = "particles_per_micrograph", particles_per_micrograph * len(micrographs) / pixels
        what = f"{counted(f'{particles_per_micrograph:g}', 'particle')} per micrograph"
    else:
        initial = _initial_density(micrographs, geometry, max_density, general)
        if general is None:
            return ParticleCount(initial, True, "first guess")
        if general.tells:
            return ParticleCount(initial, True, "told by the general model and the labels", log_sd=general.log_sd)
        return ParticleCount(initial, True, "first guess", initial, PRIOR_LABELS)
    if given > max_density:
        per_micrograph = pixels / len(micrographs)
        raise UsageError(
            f"{what} means {given * per_micrograph:.0f} on an average micrograph, but only"
            f" {max_density * per_micrograph:.0f} of {geometry.diameter_ang:g} A fit, {geometry.min_distance_ang:g} A"
            " apart; give fewer or check the diameter",
            name, "diameter",
        )
    return ParticleCount(given, False, f"given by {what}")


def _initial_density(
    micrographs: Sequence[LabelledMicrograph], geometry: Geometry, max_density: float, general: GeneralCount | None
) -> float:
    labelled = [m for m in micrographs if len(m.labels)]
    known = sum(len(m.labels) for m in labelled) / sum(m.pixels for m in labelled)
    if general is not None and general.tells:
        return min(max(general.density, known), max_density)
    disc_px = math.pi * (geometry.diameter_ang / geometry.working_pixel_size_ang / 2) ** 2
    cover = INITIAL_COVER / disc_px if general is None else max(MIN_COVER / disc_px, general.density)
    return min(max(cover, LABEL_FACTOR * known), max_density)
