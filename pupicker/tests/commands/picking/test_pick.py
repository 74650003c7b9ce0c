from __future__ import annotations

import numpy as np
import pytest
import torch

from pupicker.core.image.downsampling import fourier_resize
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.tests.commands.command_line import run
from pupicker.tests.commands.same_picks import assert_same_picks
from pupicker.tests.simulated import DIAMETER_ANG, HEIGHT, PARTICLES, PIXEL_SIZE_ANG, WIDTH

EVERYTHING = ("--threshold", -1000)


# ---- the particles are found, where they are


def test_train_pick_evaluate(capsys, pick, simulated, tmp_path):
    """The whole way on micrographs that were not trained on.

    Measured with four seeds: AP 1.0 of all candidates; recall and precision 1.0 at the suggested threshold, which
    knows nothing of the truth.
    """
    def evaluate(picks):
        return run(
            capsys, "evaluate", "--picks", picks, "--truth", simulated.truth, "--micrographs", *simulated.unseen,
            "--diameter", DIAMETER_ANG, "--pixel-size", PIXEL_SIZE_ANG, "--json",
        ).json

    picked = pick(simulated.unseen, tmp_path / "picks.star", "--json")
    assert picked.code == 0
    assert list(picked.json["picks"]) == [str(path) for path in simulated.unseen]
    assert picked.json["quarantined"] == [] and picked.json["box_size_ang"] == 1.5 * DIAMETER_ANG
    suggested = evaluate(tmp_path / "picks.star")
    assert suggested["truth"] == 2 * PARTICLES
    assert suggested["recall"] >= 0.9 and suggested["precision"] >= 0.9
    assert pick(simulated.unseen, tmp_path / "all.star", *EVERYTHING).code == 0
    assert evaluate(tmp_path / "all.star")["average_precision"] >= 0.95


def test_probabilities_are_right_on_what_was_not_trained_on(capsys, pick, simulated, tmp_path):
    """All candidates of two micrographs: the probabilities add up to the particles, and are right on average."""
    assert pick(simulated.unseen, tmp_path / "all.tsv", *EVERYTHING, "--score-sd").code == 0
    result = run(
        capsys, "evaluate", "--picks", tmp_path / "all.tsv", "--truth", simulated.truth, "--micrographs",
        *simulated.unseen, "--diameter", DIAMETER_ANG, "--pixel-size", PIXEL_SIZE_ANG, "--json",
    ).json
    table = read_coordinates(tmp_path / "all.tsv")
    assert table.probability.sum() == pytest.approx(2 * PARTICLES, rel=0.25)
    assert sum(b["picks"] for b in result["reliability"]) == len(table) and table.score_sd.min() > 0
    assert result["expected_calibration_error"] < 0.05


def distances_px(picks, truth):
    """Distance of each truth particle of one micrograph to the nearest pick."""
    return np.hypot(truth.x[:, None] - picks.x, truth.y[:, None] - picks.y).min(1)


def test_picks_lie_on_the_centres(pick, simulated, tmp_path):
    """At a ratio of 1.212 and odd sizes: a tenth of the diameter in the middle, and no drift over the micrograph."""
    assert pick(simulated.unseen, tmp_path / "picks.tsv", *EVERYTHING).code == 0
    picks, truth = read_coordinates(tmp_path / "picks.tsv", simulated.unseen), read_coordinates(
        simulated.truth, simulated.unseen
    )
    errors = []
    for path in map(str, simulated.unseen):
        own, known = picks.of(path), truth.of(path)
        nearest = np.hypot(known.x[:, None] - own.x, known.y[:, None] - own.y).argmin(1)
        errors.append(np.stack([own.x[nearest] - known.x, own.y[nearest] - known.y], axis=1))
    error = np.concatenate(errors)
    assert np.median(np.hypot(*error.T)) < DIAMETER_ANG / PIXEL_SIZE_ANG / 10
    assert np.abs(np.median(error, axis=0)).max() < 1.2  # one working pixel


def test_micrographs_of_half_the_pixel_size(pick, simulated, tmp_path):
    """The same image on a finer grid: the same picks, in pixels of the finer grid."""
    path = simulated.unseen[0]
    fine = tmp_path / "fine.mrc"
    pixels = fourier_resize(torch.from_numpy(read_image(path).pixels), (2 * HEIGHT, 2 * WIDTH))
    write_mrc(fine, pixels.numpy(), PIXEL_SIZE_ANG / 2)
    assert pick([path], tmp_path / "coarse.tsv").code == 0
    assert pick([fine], tmp_path / "fine.tsv").code == 0
    coarse, found = read_coordinates(tmp_path / "coarse.tsv"), read_coordinates(tmp_path / "fine.tsv")
    assert len(found) == len(coarse) > PARTICLES // 2
    np.testing.assert_allclose(found.x / 2, coarse.x, atol=0.05)
    np.testing.assert_allclose(found.y / 2, coarse.y, atol=0.05)


def test_given_pixel_size_replaces_that_of_the_header(pick, simulated, tmp_path):
    path = tmp_path / "wrong.mrc"
    write_mrc(path, read_image(simulated.unseen[0]).pixels, 2.0)
    assert pick([path], tmp_path / "right.tsv", "--pixel-size", PIXEL_SIZE_ANG).code == 0
    assert pick(simulated.unseen[:1], tmp_path / "known.tsv").code == 0
    right, known = read_coordinates(tmp_path / "right.tsv"), read_coordinates(tmp_path / "known.tsv")
    assert_same_picks(right.renamed({str(path): "a"}), known.renamed({str(simulated.unseen[0]): "a"}))


# ---- what a pick never is


def test_no_pick_outside_and_none_too_close(pick, simulated, tmp_path):
    assert pick(simulated.unseen, tmp_path / "all.tsv", *EVERYTHING).code == 0
    picks = read_coordinates(tmp_path / "all.tsv", simulated.unseen)
    for path in map(str, simulated.unseen):
        own = picks.of(path)
        assert len(own) > PARTICLES
        assert own.x.min() >= 0 and own.x.max() <= WIDTH - 1 and own.y.min() >= 0 and own.y.max() <= HEIGHT - 1
        apart = np.hypot(own.x[:, None] - own.x, own.y[:, None] - own.y)[~np.eye(len(own), dtype=bool)]
        assert apart.min() * PIXEL_SIZE_ANG >= 0.45 * DIAMETER_ANG * 0.98  # two roundings of the working pixel size
        assert own.score is not None and np.all(np.diff(own.score) <= 0)
        assert own.probability is not None and own.probability.min() >= 0 and own.probability.max() <= 1


def test_larger_distance_and_threshold_are_obeyed(pick, simulated, tmp_path):
    assert pick(simulated.unseen[:1], tmp_path / "far.tsv", *EVERYTHING, "--min-distance", 300).code == 0
    far = read_coordinates(tmp_path / "far.tsv")
    apart = np.hypot(far.x[:, None] - far.x, far.y[:, None] - far.y)[~np.eye(len(far), dtype=bool)]
    assert apart.min() * PIXEL_SIZE_ANG >= 300 * 0.98
    chosen = round(float(np.sort(far.score)[-3]), 3)
    result = pick(simulated.unseen[:1], tmp_path / "good.tsv", "--threshold", chosen, "--json")
    good = read_coordinates(tmp_path / "good.tsv")
    assert result.json["threshold"] == chosen and 0 < len(good) < PARTICLES
    assert good.score is not None and good.score.min() >= chosen - 1e-3


def test_no_pick_on_masked_pixels(pick, simulated, tmp_path):
    source = simulated.unseen[0]
    known = read_coordinates(simulated.truth).of(source.name)
    pixels = read_image(source).pixels.copy()
    masked = np.zeros(pixels.shape, dtype=bool)
    masked[120:260, 150:300] = True
    pixels[masked] = np.nan
    pixels[5, 7] = np.inf
    path = tmp_path / "masked.mrc"
    write_mrc(path, pixels, PIXEL_SIZE_ANG)
    result = pick([path], tmp_path / "p.tsv", *EVERYTHING, "--json")
    assert result.code == 0 and result.json["masked_pixels"] == {str(path): 140 * 150 + 1}
    picks = read_coordinates(tmp_path / "p.tsv")
    assert not masked[np.rint(picks.y).astype(int), np.rint(picks.x).astype(int)].any()
    # The rest of the micrograph is as good as before, give or take a particle.
    found = []
    for micrograph in (path, source):
        assert pick([micrograph], tmp_path / "p.tsv").code == 0
        found.append(read_coordinates(tmp_path / "p.tsv"))
    radius = DIAMETER_ANG / PIXEL_SIZE_ANG / 2
    inside = masked[np.rint(known.y).astype(int), np.rint(known.x).astype(int)]
    away = (known.x < 150 - radius) | (known.x > 300 + radius) | (known.y < 120 - radius) | (known.y > 260 + radius)
    assert inside.any() and away.sum() >= 4
    hits, before = ((distances_px(picks, known.select(away)) <= radius).sum() for picks in found)
    assert before >= 4 and abs(int(hits) - int(before)) <= 1


# ---- independent of what it was picked with


def test_order_batches_threads_make_no_difference(pick, simulated, tmp_path):
    first, second = simulated.unseen
    together, swapped, threaded = tmp_path / "1.tsv", tmp_path / "2.tsv", tmp_path / "3.tsv"
    assert pick([first, second], together).code == 0
    assert pick([second, first], swapped).code == 0
    assert pick([first, second], threaded, "--threads", 2).code == 0
    assert pick([second], tmp_path / "alone.tsv").code == 0
    reference = read_coordinates(together)
    assert_same_picks(read_coordinates(swapped), reference)
    assert_same_picks(read_coordinates(threaded), reference)
    assert_same_picks(read_coordinates(tmp_path / "alone.tsv"), reference.of(str(second)))


def test_same_command_same_bytes(pick, simulated, tmp_path):
    for name in ("a.star", "b.star"):
        assert pick(simulated.unseen, tmp_path / name).code == 0
    assert (tmp_path / "a.star").read_bytes() == (tmp_path / "b.star").read_bytes()


def test_noise_unlike_that_of_the_training_is_no_particle(pick, simulated, tmp_path):
    """Smooth noise is full of what a network takes for particles; the picking says that the micrograph is unlike."""
    noise = np.random.default_rng(4).normal(size=(HEIGHT + 24, WIDTH + 24))
    lines = np.cumsum(np.cumsum(noise, 0), 1)
    smooth = lines[12:, 12:] - lines[:-12, 12:] - lines[12:, :-12] + lines[:-12, :-12]
    path = tmp_path / "smooth.mrc"
    write_mrc(path, smooth[:HEIGHT, :WIDTH].astype(np.float32), PIXEL_SIZE_ANG)
    result = pick([simulated.unseen[0], path], tmp_path / "p.tsv", "--json")
    table = read_coordinates(tmp_path / "p.tsv")
    assert len(table.of(str(path))) <= 3 < len(table.of(str(simulated.unseen[0])))
    assert "background of 1 micrograph is unlike that of the training (smooth.mrc)" in result.err
