from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pupicker.core.detection.candidates import pick_image
from pupicker.core.networks import NETWORKS, build
from pupicker.core.objectives import OBJECTIVES
from pupicker.core.regions.patches import PatchGrid, patch_grid
from pupicker.core.scores.likelihood import USUAL_SLOPE, calibrate, with_bound
from pupicker.engine.models.initial_weights import Start, load_start
from pupicker.engine.runtime.errors import PuPickerError
from pupicker.engine.training.calibrated_model import Evidence, calibration_of
from pupicker.engine.training.dataset import split_validation
from pupicker.engine.training.minibatches import Minibatch, make_sampler
from pupicker.engine.training.optimisation import Fitting, FittingOptions
from pupicker.engine.training.options import Hooks, Task, TrainingOptions
from pupicker.engine.training.particle_count import ParticleCount
from pupicker.engine.training.trainer import Interrupted, Training
from pupicker.engine.training.validation import LabelledCandidates, find_candidates, representative
from pupicker.tests.engine.blobs import GEOMETRY, micrograph, training_set

FITTING = FittingOptions(network="conv31", network_settings={"width": 4, "dropout": 0.2}, batch_size=32, positives=4,
                         seed=2)
OPTIONS = TrainingOptions(FITTING, updates=16, epoch_updates=4, patience=3)
DATA = training_set(5, 5, 5)
CPU = torch.device("cpu")


def training(options=OPTIONS, data=DATA, fraction=0.3, **hooks):
    return Training(data, split_validation(data, fraction, 0), Task(GEOMETRY, options), Hooks(**hooks))


def assert_same_model(one, other):
    ours, theirs = one.network.state_dict(), other.network.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert one.record.curve == other.record.curve
    assert (one.calibration, one.class_prior, one.suggested_threshold) == (
        other.calibration, other.class_prior, other.suggested_threshold
    )


WITH_ALL = replace(OPTIONS, fitting=replace(FITTING, autoencoder=0.1), ring_negatives=True)
"""Everything that adds state or draws random numbers."""

CASES = {"none held out": (OPTIONS, 0.0), "held out": (OPTIONS, 0.3), "with all terms": (WITH_ALL, 0.3)}


@pytest.fixture(scope="module")
def reference():
    """Without interruption."""
    return {case: training(options, fraction=fraction).run() for case, (options, fraction) in CASES.items()}


# ---- going on


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=6)
@given(asked=st.integers(0, 40))
def test_a_stop_after_any_update_loses_nothing(reference, case, asked):
    """The last saved state, through JSON as in the checkpoint, leads to the model of the undisturbed training."""
    options, fraction = CASES[case]
    questions, saved = [], []

    def stop():
        questions.append(None)
        return len(questions) > asked

    def save(tensors, progress):
        saved.append(({name: t.clone() for name, t in tensors.items()}, json.loads(json.dumps(progress))))

    first = training(options, fraction=fraction, stop=stop, save=save)
    try:
        model = first.run()
    except Interrupted as error:
        assert error.parameters == (("resume",) if saved else ())  # without a checkpoint nothing can be resumed
        second = training(options, fraction=fraction)
        if saved:
            second.restore(*saved[-1])
        model = second.run()
    assert_same_model(model, reference[case])


def test_state_has_contiguous_tensors_of_its_own():
    """What a checkpoint writer keeps must not change as the training goes on."""
    saved = []
    training(save=lambda tensors, progress: saved.append((tensors, float(tensors["network.head.bias"])))).run()
    assert len(saved) > 3
    assert all(float(tensors["network.head.bias"]) == bias for tensors, bias in saved)
    assert all(t.is_contiguous() for tensors, _ in saved for t in tensors.values())


# ---- the course of a training


def test_validation_chooses_the_length_and_refit_repeats_it():
    model = training().run()
    curve = model.record.curve
    selection = [epoch.updates for epoch in curve if epoch.stage == "selection"]
    refit = [epoch.updates for epoch in curve if epoch.stage == "refit"]
    best = model.record.validation.best_updates
    assert selection == [4, 8, 12, 16][: len(selection)] and best in selection
    assert refit == list(range(4, best + 1, 4))
    assert all(epoch.validation is not None for epoch in curve[: len(selection)])


def test_patience_ends_the_selection():
    options = TrainingOptions(FITTING, updates=400, epoch_updates=2, patience=2, refit=False)
    model = training(options).run()
    curve, best = model.record.curve, model.record.validation.best_updates
    assert curve[-1].updates < 400 and curve[-1].updates - best >= 4


def test_patience_is_counted_in_epochs():
    fitted = training(TrainingOptions(FITTING, updates=400, epoch_updates=4, patience=3))
    fitted.best_updates = 8
    for updates, over in ((8, False), (19, False), (20, True), (400, True)):
        fitted.fitting.updates = updates
        assert fitted._out_of_patience() is over


def test_a_training_starts_from_the_given_weights_and_so_does_its_refit():
    """With next to no learning the network in the end is the one it was given, but for the shifted bias."""
    given = build("conv31", width=4, dropout=0.2).state_dict()
    still = replace(OPTIONS, fitting=replace(FITTING, learning_rate=1e-9), updates=4)
    task = Task(GEOMETRY, still, start=Start("given", weights=given))
    model = Training(DATA, split_validation(DATA, 0.3, 0), task).run()
    assert {epoch.stage for epoch in model.record.curve} == {"selection", "refit"}
    for name, tensor in model.network.state_dict().items():
        if tensor.is_floating_point() and name != "head.bias" and "running" not in name:
            torch.testing.assert_close(tensor, given[name], rtol=1e-4, atol=1e-6)


def test_the_number_is_settled_on_labels_that_were_held_out(monkeypatch):
    """The network knows the others by heart."""
    settled, settle = [], ParticleCount.settle

    def watched(count, candidates):
        settled.append(candidates.labels)
        settle(count, candidates)

    monkeypatch.setattr(ParticleCount, "settle", watched)
    split = split_validation(DATA, 0.3, 0)
    Training(DATA, split, Task(GEOMETRY, OPTIONS)).run()
    held_out = sum(int(held.sum()) for held in split.held_out)
    assert settled == [held_out] and held_out < DATA.label_count


def test_probabilities_add_up_to_the_particles_that_are_candidates():
    """After the refit logits are shifted: the level comes from all candidates, the slope from held-out ones."""
    generator = torch.Generator().manual_seed(5)
    held = torch.cat([torch.randn(300, generator=generator) - 4, torch.randn(60, generator=generator) + 2]).double()
    seen = LabelledCandidates(held, held[310:340], 30, 1e4, 10_000)
    found = LabelledCandidates(torch.cat([held, held]) + 3.0, held[310:340] + 3.0, 30, 1e4, 20_000)
    calibration = calibration_of(ParticleCount(60 / 10_000, True, "estimated"), Evidence(found, seen))
    before = calibrate(seen.scores, seen.hits, seen.labels, 60)
    expected = 2 * before.share * len(held)
    assert float(calibration.probability(found.scores).sum()) == pytest.approx(expected, rel=0.01)  # but for the bound
    assert float(before.probability(found.scores).sum()) > 1.2 * expected and calibration.slope == before.slope


def test_where_the_number_is_known_it_alone_sets_the_level():
    """Learnt labels score too high to tell a slope."""
    generator = torch.Generator().manual_seed(5)
    scores = torch.cat([torch.randn(300, generator=generator) - 4, torch.randn(60, generator=generator) + 2]).double()
    found = LabelledCandidates(scores, torch.full((9,), 20.0).double(), 10, 1e4, 10_000)
    for count in (ParticleCount(60 / 10_000, False, "given"), ParticleCount(60 / 10_000, True, "told", log_sd=0.2)):
        calibration = calibration_of(count, Evidence(found))
        assert calibration.slope == USUAL_SLOPE
        assert float(calibration.probability(scores).sum()) == pytest.approx(60 * 9 / 10, rel=0.02)


def test_without_refit_the_network_is_that_of_the_best_epoch():
    saved = {}
    options = TrainingOptions(FITTING, updates=16, epoch_updates=4, patience=3, refit=False)
    kept = training(options, save=lambda tensors, progress: saved.update({int(tensors["updates"]): tensors})).run()
    best = saved[kept.record.validation.best_updates]
    for name, value in kept.network.state_dict().items():
        assert torch.equal(value, best[f"average.{name}"]), name


def test_refit_sees_the_labels_that_were_held_out():
    """Two trainings that differ in one held-out label alone: the same selection up to it, another model."""
    split = split_validation(DATA, 0.3, 0)
    hidden = split.validation[0]
    micrographs = list(DATA.micrographs)
    own = micrographs[hidden]
    moved = own.labels.clone()
    moved[0] += 9
    micrographs[hidden] = type(own)(own.path, own.image, moved)
    other = type(DATA)(micrographs, DATA.mixture, DATA.digest)
    options = TrainingOptions(FITTING, particles_per_micrograph=9, updates=4, epoch_updates=4)
    model, changed = training(options).run(), training(options, data=other).run()
    losses = [[epoch.loss for epoch in m.record.curve] for m in (model, changed)]
    assert losses[0][0] == losses[1][0] and losses[0][1] != losses[1][1]


def test_training_separates_the_discs():
    """A few seconds of training find the nine discs of an unseen micrograph; every label is a random one of them."""
    fitting = FittingOptions(network_settings={"width": 8}, batch_size=64, positives=8, learning_rate=3e-3)
    model = training(TrainingOptions(fitting, particles_per_micrograph=9, updates=80, epoch_updates=40)).run()
    unseen = micrograph(99, 9)
    xy, logit = pick_image(model.network, unseen.image, GEOMETRY.min_distance_ang)
    best = xy[:9]
    distance = torch.cdist(unseen.labels, best)
    assert int((distance.min(1).values < 4).sum()) >= 8
    assert bool((logit[:-1] >= logit[1:]).all())


def test_loss_that_is_not_finite_is_an_error():
    fitting = FittingOptions(network_settings={"width": 4}, batch_size=32, positives=4, learning_rate=1e30)
    with pytest.raises(PuPickerError, match="lower the learning rate"):
        training(TrainingOptions(fitting, updates=200, epoch_updates=100)).run()


def test_scores_that_are_no_numbers_are_an_error_too():
    """One step: the loss before it is finite, what the network gives after it is not."""
    fitting = FittingOptions(network_settings={"width": 4}, batch_size=32, positives=4, learning_rate=1e30)
    with pytest.raises(PuPickerError, match="lower the learning rate"):
        training(TrainingOptions(fitting, updates=1, epoch_updates=1)).run()


# ---- one fit


class Nothing:
    """A sampler of noise, always the same, without labelled negatives."""

    has_negatives = False

    def draw(self, positives, unlabelled, generator, negatives=0, rows=None):
        crops = torch.randn((positives + negatives, 1, 31, 31), generator=generator)
        patches = torch.randn((unlabelled // 4, 1, 35, 35), generator=generator)
        counted = torch.rand((len(patches), 4), generator=generator) < 0.8
        return Minibatch(crops, patches, counted, crops, patches)


def test_fitting_ignores_global_random_numbers():
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        fitting = Fitting(FITTING, CPU)
        fitting.update_many(Nothing(), 0.02, 5, lambda: False)
        results.append(fitting.state())
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


@pytest.mark.parametrize("start", ["random", "general"])
def test_fitting_starts_at_the_prior_and_nothing_else_of_the_start_changes(start):
    weights = None if start == "random" else load_start(start, "conv31", build("conv31")).weights
    fitting = Fitting(FittingOptions(network="conv31", seed=2), CPU, weights)
    before = fitting.state()
    fitting.update_many(Nothing(), 0.02, 0, lambda: False)
    after = fitting.state()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"network.head.bias", "average.head.bias"}
    noise = Nothing().draw(1, 8000, torch.Generator().manual_seed(7)).patches
    with torch.no_grad():
        logits = fitting.network.train()(noise)
    assert float(torch.sigmoid(logits).mean()) == pytest.approx(0.02, rel=0.25)


def test_decoder_is_state_of_the_training_and_no_part_of_the_model(reference):
    saved = []
    training(WITH_ALL, save=lambda tensors, progress: saved.append(tensors)).run()
    assert any(name.startswith("decoder.") for name in saved[-1])
    own, plain = reference["with all terms"], reference["held out"]
    assert own.network.state_dict().keys() == plain.network.state_dict().keys()


def test_a_weight_of_zero_is_no_autoencoder_and_leaves_the_training_as_it_was():
    fitting = Fitting(replace(FITTING, autoencoder=0.0), CPU)
    assert fitting.decoder is None
    with_decoder = Fitting(replace(FITTING, autoencoder=1.0), CPU)
    ours, theirs = fitting.network.state_dict(), with_decoder.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)  # the decoder is drawn after the network


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_autoencoder_learns_to_draw_with_every_objective(objective):
    """The reported loss holds the distance to the picture, which falls."""
    sampler = make_sampler(DATA.micrographs, [torch.zeros(5, dtype=torch.bool)] * 3, 2.4, PatchGrid(31, 4, 4), CPU)
    fitting = Fitting(replace(FITTING, objective=objective, autoencoder=1.0, learning_rate=3e-3), CPU)
    first, last = (fitting.update_many(sampler, 0.03, 12, lambda: False) for _ in range(2))
    assert last < first - 20


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_fitted(name):
    grid = patch_grid(NETWORKS[name].receptive_field_px, NETWORKS[name].total_stride)
    sampler = make_sampler(DATA.micrographs, [torch.zeros(5, dtype=torch.bool)] * 3, 2.4, grid, CPU)
    fitting = Fitting(replace(FITTING, network=name, network_settings={"width": 2, "norm": "group"}), CPU)
    before = fitting.state()
    assert math.isfinite(fitting.update_many(sampler, 0.03, 2, lambda: False))
    after = fitting.state()
    moved = [name for name, _ in fitting.network.named_parameters()
             if not torch.equal(after[f"network.{name}"], before[f"network.{name}"])]
    assert len(moved) == len(list(fitting.network.parameters()))


# ---- candidates


def test_calibration_is_that_of_the_network_and_the_orientations_that_pick(reference):
    model = reference["none held out"]
    labels, none = [m.labels for m in DATA.micrographs], [m.labels[:0] for m in DATA.micrographs]
    expected = model.record.particles_per_micrograph * len(labels)
    fits = {}
    for network, number in ((model.picking_network, 1), (model.picking_network, 2), (model.network, 1)):
        found = find_candidates(network, DATA.micrographs, labels, none, GEOMETRY, number)
        fit = calibrate(found.scores, found.hits, found.labels, expected)
        fits[network.cell, number] = with_bound(fit, len(found.scores)).to_dict()
    # Up to rounding: some processors add in another order where the memory lies otherwise.
    assert model.orientations == 1 and model.calibration.to_dict() == pytest.approx(fits[2, 1], rel=1e-9)
    assert model.calibration.to_dict() != pytest.approx(fits[2, 2], rel=1e-9)
    assert model.calibration.to_dict() != pytest.approx(fits[1, 1], rel=1e-9)


def test_representative_micrographs_are_spread_and_labelled_if_possible():
    few = [micrograph(0, count, 120) for count in (0, 2, 0, 1)]
    assert representative(few) == [0, 1, 2, 3]
    assert representative(few, 3) == [0, 1, 3]
    many = [few[1]] * 100
    assert representative(many) == [0, 12, 25, 37, 50, 62, 75, 87]
    assert representative([few[0]] * 10 + [few[1]] * 8) == list(range(10, 18))


def test_candidates_of_seen_labels_do_not_count():
    torch.manual_seed(0)
    network = NETWORKS["conv31"].from_settings({"width": 4}).eval()
    data = micrograph(5, 9)
    everything = find_candidates(network, [data], [data.labels], [data.labels[:0]], GEOMETRY)
    half = find_candidates(network, [data], [data.labels[:4]], [data.labels[4:]], GEOMETRY)
    assert everything.labels == 9 and half.labels == 4
    assert everything.pixels == half.pixels == data.pixels
    matched_seen = len(everything.hits) - len(half.hits)
    assert len(everything.scores) - len(half.scores) == matched_seen > 0 and len(half.hits) > 0
    # Hits are candidates too, with the same scores.
    assert torch.isin(half.hits, half.scores).all() and torch.isin(half.scores, everything.scores).all()


def test_the_last_epoch_is_shorter_if_updates_are_no_multiple():
    """As many updates as were asked for, while choosing the length and after it."""
    model = training(replace(OPTIONS, updates=10, patience=9)).run()
    curve = model.record.curve
    assert [epoch.updates for epoch in curve if epoch.stage == "selection"] == [4, 8, 10]
    assert max(epoch.updates for epoch in curve if epoch.stage == "refit") == (
        model.record.validation.best_updates)
