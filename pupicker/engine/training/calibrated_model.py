"""From a trained network to a model: what its scores mean, where to cut them, what is recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pupicker.core.networks import Classifier
from pupicker.core.networks.cell_head import CellNetwork
from pupicker.core.regions.regions import mean_disc_area
from pupicker.core.scores.likelihood import (
    Calibration,
    calibrate,
    calibrate_by_number,
    particles_found,
    with_bound,
    with_total,
)
from pupicker.engine.models.model_file import Model
from pupicker.engine.models.training_record import TrainingRecord
from pupicker.engine.training.dataset import TrainingSet
from pupicker.engine.training.options import Task
from pupicker.engine.training.particle_count import ParticleCount
from pupicker.engine.training.suggested_threshold import expected_of_thresholds
from pupicker.engine.training.validation import LabelledCandidates


@dataclass(frozen=True)
class Evidence:
    """Candidates that tell what the scores of a network mean.

    Attributes
    ----------
    found
        Those of the training micrographs, or of representative ones, and all their labels.
    held_out
        Those of held-out labels, from when the network had not seen them; None if nothing was held out.
    orientations
        Of a micrograph, over which the logits are averaged.
    """

    found: LabelledCandidates
    held_out: LabelledCandidates | None = None
    orientations: int = 1


def calibrated_model(
    network: Classifier, data: TrainingSet, task: Task, count: ParticleCount, evidence: Evidence, record: TrainingRecord
) -> Model:
    """The model; the source of the class prior and the expected curve are added to its record.

    Parameters
    ----------
    network
        That picks, in evaluation mode: a trained one, or one with a layer for cells.
    count
        Of particles, as it is settled.
    evidence
        Made with `network`.
    """
    calibration = calibration_of(count, evidence)
    threshold, expected = expected_of_thresholds(
        calibration, evidence.found.scores, count.particles(evidence.found.pixels))
    recorded = replace(record, class_prior_source=count.source, **expected)
    prior = count.density * mean_disc_area(task.geometry.training_radius_px)
    network = network.cpu()
    trained, head = (network.base, network.head) if isinstance(network, CellNetwork) else (network, None)
    return Model(
        trained, task.options.fitting.network, data.mixture, task.geometry, calibration, prior, threshold, recorded,
        evidence.orientations, data.exclusion.to_header(), head,
        evidence.found.levels,
    )


def calibration_of(count: ParticleCount, evidence: Evidence) -> Calibration:
    """Level from the candidates of all micrographs; slope from held-out labels if only those tell the number."""
    found, held_out = evidence.found, evidence.held_out
    particles = count.particles(found.pixels)
    if count.known:
        return calibrate_by_number(found.scores, particles_found(particles, len(found.hits), found.labels))
    if held_out is None:
        return with_bound(calibrate(found.scores, found.hits, found.labels, particles), len(found.scores))
    number = count.particles(held_out.pixels)
    calibration = calibrate(held_out.scores, held_out.hits, held_out.labels, number)
    # Particles that are candidates at all, in proportion: a share that calibration had to lower stays lowered.
    calibration = with_total(calibration, found.scores, particles / number * calibration.share * len(held_out.scores))
    return with_bound(calibration, len(found.scores))
