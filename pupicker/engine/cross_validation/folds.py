r"""Cross-validation over micrographs: which options of a training would pick best what it has not seen?

The labelled micrographs are dealt into K folds with about as many labels each.  For every fold a model is trained on
all other micrographs, from the beginning and with everything a training does, and picks the fold.  Whole micrographs
are held out because neighbouring particles look alike.  Micrographs without labels are trained on in every fold.  The
grey levels are normalised for all together, which needs no label.

A cell of the grid is judged by the average precision estimated from the fold's labels
(:mod:`pupicker.core.scores.early_stopping`). The estimate grows with the number of particles that is assumed, so all
cells are judged with the same one: the median of what the trainings of all cells found.  The error of a mean over folds
is its standard error.

Limits: few labels in a fold make a rough estimate, and the best of many cells looks a little better than it is.
"""

from __future__ import annotations

import hashlib
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from pupicker.core.regions.regions import mean_disc_area
from pupicker.core.scores.early_stopping import pu_average_precision
from pupicker.engine.models.training_record import Validation
from pupicker.engine.runtime.device import on_device
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.training.dataset import TrainingSet
from pupicker.engine.training.options import Task
from pupicker.engine.training.train import train
from pupicker.engine.training.validation import find_candidates


@dataclass(frozen=True)
class FoldResult:
    """What a training found in the fold that it had not seen; JSON-able.

    Attributes
    ----------
    scores, hits
        Log-likelihood ratios of all candidates, and of those that hit a label.
    labels, micrographs, area_ang2
        Of the fold.
    threshold
        That the model suggests.
    density
        Particles per Å² that the training found.
    updates, seconds
        Of the training.
    """

    scores: list[float]
    hits: list[float]
    labels: int
    micrographs: int
    area_ang2: float
    threshold: float
    density: float
    updates: int
    seconds: float

    def average_precision(self, density: float) -> float:
        """Estimate for so many particles per Å²."""
        scores, hits = (torch.tensor(values, dtype=torch.float64) for values in (self.scores, self.hits))
        return pu_average_precision(scores, hits, self.labels, max(density * self.area_ang2, 1.0))

    @property
    def recall(self) -> float:
        """Share of the labels that is picked at the suggested threshold."""
        return sum(score >= self.threshold for score in self.hits) / self.labels

    @property
    def picks_per_micrograph(self) -> float:
        """At the suggested threshold."""
        return sum(score >= self.threshold for score in self.scores) / self.micrographs

    def to_dict(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


@dataclass(frozen=True)
class CellSummary:
    """Mean and standard error over folds (None for a single fold) of one cell."""

    average_precision: float
    average_precision_error: float | None
    recall: float
    recall_error: float | None
    picks_per_micrograph: float
    folds: list[dict[str, float]]
    seconds: float


def deal_folds(data: TrainingSet, folds: int, seed: int) -> list[list[int]]:
    """Indices of the labelled micrographs of each fold; fewer folds if there are fewer such micrographs.

    Raises
    ------
    InputError
        Fewer than two micrographs have labels.
    """
    counts = [len(m.labels) for m in data.micrographs]
    labelled = [i for i, count in enumerate(counts) if count]
    if len(labelled) < 2:
        raise InputError(
            f"cross-validation holds out whole micrographs, but only {len(labelled)} has labels: label particles on"
            " two or more"
        )
    order = torch.randperm(len(labelled), generator=torch.Generator().manual_seed(seed)).tolist()
    dealt: list[list[int]] = [[] for _ in range(min(folds, len(labelled)))]
    for i in sorted((labelled[place] for place in order), key=lambda i: -counts[i]):
        # First to the empty ones, then to the one with the fewest labels.
        min(dealt, key=lambda fold: (bool(fold), sum(counts[j] for j in fold))).append(i)
    return [sorted(fold) for fold in dealt]


def train_and_test(data: TrainingSet, fold: Sequence[int], task: Task, stop: Callable[[], bool]) -> FoldResult:
    """Train on what is not in the fold, pick the fold.

    Parameters
    ----------
    fold
        Indices of the micrographs that are held out.
    stop
        Asked after every update; True ends with :class:`pupicker.engine.training.trainer.Interrupted`.
    """
    begin = time.monotonic()
    remaining = replace(data, micrographs=[m for i, m in enumerate(data.micrographs) if i not in fold])
    model = train(remaining, task, stop=stop)
    held_out = [data.micrographs[i] for i in fold]
    found = find_candidates(
        on_device(model.picking_network, task.device), held_out, [m.labels for m in held_out],
        [m.labels[:0] for m in held_out], task.geometry, model.orientations,
    )
    ratio = model.calibration.log_likelihood_ratio
    area = task.geometry.working_pixel_size_ang**2
    density = model.class_prior / mean_disc_area(task.geometry.training_radius_px)
    best = model.record.validation or Validation()
    return FoldResult(
        _rounded(ratio(found.scores)), _rounded(ratio(found.hits)), found.labels, len(held_out), found.pixels * area,
        round(model.suggested_threshold, 4) - 1e-4, density / area, best.best_updates or 0,
        round(time.monotonic() - begin, 1),
    )


@contextmanager
def warned_once(seen: set[tuple[str, ...]]) -> Iterator[None]:
    """What a training warns of is logged for the first of many only: the others say the same with other numbers.

    Parameters
    ----------
    seen
        Parameters that a warning was about so far; it grows.
    """
    def is_new(record: logging.LogRecord) -> bool:
        about = tuple(getattr(record, "parameters", ()))
        if record.levelno < logging.WARNING or not about:
            return True
        known = about in seen
        seen.add(about)
        return not known

    logger = logging.getLogger(train.__module__)
    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


def common_density(results: Sequence[Sequence[FoldResult]]) -> float:
    """Particles per Å² that all cells are judged with."""
    return statistics.median(fold.density for cell in results for fold in cell)


def summarise(results: Sequence[FoldResult], density: float) -> CellSummary:
    """Of one cell."""
    precision, recall = [fold.average_precision(density) for fold in results], [fold.recall for fold in results]
    folds = [
        {"average_precision": round(ap, 4), "recall": round(fold.recall, 4), "labels": fold.labels,
         "picks_per_micrograph": round(fold.picks_per_micrograph, 1), "threshold": round(fold.threshold, 4),
         "updates": fold.updates, "seconds": fold.seconds}
        for ap, fold in zip(precision, results, strict=True)
    ]
    return CellSummary(
        statistics.mean(precision), _standard_error(precision), statistics.mean(recall), _standard_error(recall),
        statistics.mean(fold.picks_per_micrograph for fold in results), folds, sum(fold.seconds for fold in results),
    )


def _standard_error(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def fold_digest(data: TrainingSet, fold: Sequence[int], *choices: Any) -> str:
    """Names the file that keeps a fold's result: it is the same for the same data, choices and version."""
    import pupicker

    text = "\n".join([pupicker.__version__, data.digest, repr(list(fold)), *map(repr, choices)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
