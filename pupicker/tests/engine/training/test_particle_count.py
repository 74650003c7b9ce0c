from __future__ import annotations

import math

import pytest
import torch

from pupicker.core.geometry import geometry, max_particles
from pupicker.core.networks import NETWORKS
from pupicker.core.regions.regions import mean_disc_area
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.preparation.task_geometry import first_geometry
from pupicker.engine.runtime.errors import UsageError
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.dataset import Sources, load_training_set
from pupicker.engine.training.initial_count import COMMON_SD, GeneralCount, general_count
from pupicker.engine.training.options import TrainingOptions
from pupicker.engine.training.particle_count import ParticleCount, particle_count
from pupicker.engine.training.validation import LabelledCandidates
from pupicker.tests.engine.blobs import GEOMETRY, training_set
from pupicker.tests.simulated import DIAMETER_ANG, PARTICLES

PIXELS = 160 * 160


def so_many(particles_per_micrograph):
    """Options of a user who knows the number."""
    return TrainingOptions(particles_per_micrograph=particles_per_micrograph)


def candidates(particles, found, labels):
    """So many particles of equal score above an empty background; a part of them is labelled and found."""
    scores = torch.cat([torch.ones(particles), torch.full((50,), -5.0)]).double()
    return LabelledCandidates(scores, torch.ones(found).double(), labels, 1000.0, PIXELS)


def seen(particles, labels=0, hits=0):
    """By the general model, so many particles on a micrograph, picked or not."""
    count = GeneralCount(1.0, PIXELS, labels, hits)
    return GeneralCount(particles * count.recall, PIXELS, labels, hits)


def test_given_number_and_given_prior_are_the_same_thing():
    data = training_set(3, 3).micrographs
    by_number = particle_count(data, GEOMETRY, so_many(12.0))
    assert by_number.particles(2 * PIXELS) == pytest.approx(24) and not by_number.estimated
    prior = 12 * mean_disc_area(GEOMETRY.training_radius_px) / PIXELS
    by_prior = particle_count(data, GEOMETRY, TrainingOptions(class_prior=prior))
    assert by_prior.density == pytest.approx(by_number.density)
    assert "share of the area" in by_prior.source and "12 particles per micrograph" in by_number.source


def test_given_number_is_never_changed():
    given = particle_count(training_set(3).micrographs, GEOMETRY, so_many(12.0))
    for _ in range(5):
        given.learn(candidates(5, 2, 2))
    assert given.particles(PIXELS) == pytest.approx(12)


def test_first_guess_covers_the_stated_area_or_the_labels():
    sparse = particle_count(training_set(1, 0).micrographs, GEOMETRY, TrainingOptions())
    assert sparse.estimated and sparse.particles(PIXELS) * math.pi * 11**2 == pytest.approx(0.15 * PIXELS)
    # Two micrographs with 9 labels, one without: half more than the labels on those that have some.
    dense = training_set(9, 9, 0)
    small = [type(m)(m.path, m.image[:110, :110], m.labels) for m in dense.micrographs]
    assert particle_count(small, GEOMETRY, TrainingOptions()).particles(110 * 110) == pytest.approx(13.5)


@pytest.mark.parametrize("general", [None, 0, 12])
@pytest.mark.parametrize("given", [{}, {"class_prior": 0.02}, {"particles_per_micrograph": 7}])
def test_numbers_do_not_depend_on_the_pixel_size(given, general):
    """All lengths four times as long."""
    data, options = training_set(1, 0).micrographs, TrainingOptions(**given)
    coarse = geometry(4 * GEOMETRY.diameter_ang, 4 * GEOMETRY.working_pixel_size_ang, 22)
    assert coarse.working_pixel_size_ang == 4 * GEOMETRY.working_pixel_size_ang
    fine, other = (particle_count(data, one, options, None if general is None else seen(general)).density
                   for one in (GEOMETRY, coarse))
    assert other == pytest.approx(fine)


def test_what_the_general_weights_see_is_the_first_guess():
    data = training_set(1, 0).micrographs
    assert particle_count(data, GEOMETRY, TrainingOptions(), seen(12)).particles(PIXELS) == pytest.approx(12)
    nothing_seen = particle_count(data, GEOMETRY, TrainingOptions(), seen(0))
    assert nothing_seen.particles(PIXELS) * math.pi * 11**2 == pytest.approx(0.05 * PIXELS)
    assert particle_count(data, GEOMETRY, so_many(7.0), seen(12)).particles(PIXELS) == pytest.approx(7)


def test_objective_is_told_the_whole_unless_the_guess_is_blind():
    data = training_set(1, 0).micrographs
    assert particle_count(data, GEOMETRY, TrainingOptions(), seen(12)).trained_particles(PIXELS) == pytest.approx(12)
    assert particle_count(data, GEOMETRY, so_many(7.0), seen(12)).trained_particles(PIXELS) == pytest.approx(7)
    assert particle_count(data, GEOMETRY, so_many(7.0)).trained_particles(PIXELS) == pytest.approx(7)
    blind = particle_count(data, GEOMETRY, TrainingOptions())
    assert blind.trained_particles(PIXELS) == pytest.approx(0.5 * blind.particles(PIXELS))


def test_guess_and_estimate_weigh_as_many_labels_as_they_rest_on():
    known = particle_count(training_set(1, 0).micrographs, GEOMETRY, TrainingOptions(), seen(10))
    for _ in range(3):
        known.learn(candidates(40, found=5, labels=5))
    assert known.particles(PIXELS) == pytest.approx(20)  # five labels against five: the geometric mean
    for _ in range(5):
        known.learn(candidates(40, found=500, labels=500))
    assert known.particles(PIXELS) == pytest.approx(500, rel=0.05)  # never fewer than are labelled


@pytest.mark.parametrize("network", ["conv31", "conv47"])
def test_general_model_counts_particles(simulated, network):
    field_px = NETWORKS[network].particle_px()
    geometry, _ = first_geometry(simulated.labelled, None, DIAMETER_ANG, field_px)
    table = read_coordinates(simulated.labels, simulated.labelled)
    data = load_training_set(Sources(simulated.labelled, table), geometry, 1, Report("train")).micrographs
    cpu = torch.device("cpu")
    found = general_count(data, geometry, network, cpu)
    assert found.density * found.pixels == pytest.approx(3 * PARTICLES, rel=0.5)
    assert found.labels == 3 * PARTICLES and found.hits > 0.7 * found.labels and found.tells
    pseudo = general_count(data, geometry, network, cpu, pseudo=True)
    assert (pseudo.labels, pseudo.hits, pseudo.tells) == (0, 0, False) and pseudo.expected == found.expected


@pytest.mark.parametrize(("labels", "hits", "recall"), [(0, 0, 0.85), (5, 5, 0.925), (10_000, 8_000, 0.8)])
def test_recall_of_the_general_model_is_told_by_the_labels(labels, hits, recall):
    count = GeneralCount(340.0, 1000, labels, hits)
    assert count.recall == pytest.approx(recall, abs=1e-4)
    assert count.density * 1000 == pytest.approx(340 / recall, rel=1e-4)
    assert count.log_sd > COMMON_SD


def test_three_labels_or_all_of_fewer_have_to_be_found_for_the_number_to_be_told():
    told = {(labels, hits) for labels in range(6) for hits in range(labels + 1)
            if GeneralCount(10.0, 1000, labels, hits).tells}
    assert told == {(1, 1), (2, 2), (3, 3), (4, 3), (4, 4), (5, 3), (5, 4), (5, 5)}


def test_more_labels_tell_the_number_closer():
    sds = [GeneralCount(1.0, 1, labels, int(0.8 * labels)).log_sd for labels in (5, 10, 100, 10_000)]
    assert sds == sorted(sds, reverse=True) and sds[0] > 0.15 and sds[-1] == pytest.approx(COMMON_SD, abs=0.001)


def test_number_that_the_general_model_tells_stays():
    data = training_set(5, 0).micrographs
    told = particle_count(data, GEOMETRY, TrainingOptions(), seen(8, labels=5, hits=4))
    assert told.known and told.estimated and told.particles(PIXELS) == pytest.approx(8)
    for _ in range(5):
        told.learn(candidates(40, found=5, labels=5))
    told.settle(candidates(40, found=5, labels=5))
    assert told.particles(PIXELS) == pytest.approx(8) == told.trained_particles(PIXELS)
    few = particle_count(data, GEOMETRY, TrainingOptions(), seen(2, labels=5, hits=5))
    assert few.particles(PIXELS) == pytest.approx(5)  # no fewer than are labelled
    guess = particle_count(data, GEOMETRY, TrainingOptions(), seen(8, labels=5, hits=2))
    assert not guess.known


def test_estimate_replaces_the_guess_from_the_third_epoch_on():
    known = ParticleCount(0.01, True, "first guess")
    for epoch, number in enumerate((40, 42, 38, 41, 39, 90, 10), start=1):
        before = known.density
        known.learn(candidates(number, found=10, labels=10))
        if epoch < 3:
            assert known.density == before and known.source == "first guess"
    assert known.particles(PIXELS) == pytest.approx(39)  # the median of 38, 41, 39, 90, 10
    assert "estimated" in known.source


def test_half_of_the_labels_found_means_twice_as_many_particles():
    known = ParticleCount(0.01, True, "")
    for _ in range(3):
        known.learn(candidates(20, found=5, labels=10))
    assert known.particles(PIXELS) == pytest.approx(40)


@pytest.mark.parametrize(("prior", "number", "words"), [
    (0.1, 3.0, "give one"), (0.0, None, "between 0 and 1"), (1.0, None, "between 0 and 1"),
    (float("nan"), None, "between 0 and 1"), (0.9, None, "fit"), (None, 0.0, "above 0"), (None, -3.0, "above 0"),
    (None, float("nan"), "above 0"), (None, 1e5, "fit"),
])
def test_impossible(prior, number, words):
    with pytest.raises(UsageError, match=words):
        particle_count(training_set(3).micrographs, GEOMETRY, TrainingOptions(
            class_prior=prior, particles_per_micrograph=number))


def test_as_many_as_fit_are_possible():
    data = training_set(3).micrographs
    most = max_particles(GEOMETRY, PIXELS)
    assert particle_count(data, GEOMETRY, so_many(most * (1 - 1e-9))).particles(PIXELS) == pytest.approx(most)
    with pytest.raises(UsageError, match=f"only {most:.0f} of 22 A fit"):
        particle_count(data, GEOMETRY, so_many(most * 1.01))


def spread(particles, labels):
    """Particles whose scores separate from five times as many others; every so many is a found label."""
    generator = torch.Generator().manual_seed(1)
    own = torch.randn(particles, generator=generator).double() + 6
    others = torch.randn(5 * particles, generator=generator).double()
    return LabelledCandidates(torch.cat([own, others]), own[:labels], labels, 1e5, PIXELS)


@pytest.mark.parametrize("epochs", [0, 1, 4])
def test_the_number_is_settled_at_the_end(epochs):
    """Ten held-out labels against a guess that is worth five: two thirds of the way in the logarithm."""
    known = particle_count(training_set(1, 0).micrographs, GEOMETRY, TrainingOptions(), seen(10))
    for _ in range(epochs):
        known.learn(candidates(200, found=10, labels=10))
    known.settle(spread(80, 10))
    assert known.particles(PIXELS) == pytest.approx(80 ** (2 / 3) * 10 ** (1 / 3), rel=0.1)
    assert "estimated" in known.source


def test_a_given_number_is_settled_already():
    given = particle_count(training_set(3).micrographs, GEOMETRY, so_many(12.0))
    given.settle(spread(80, 10))
    assert given.particles(PIXELS) == pytest.approx(12)
