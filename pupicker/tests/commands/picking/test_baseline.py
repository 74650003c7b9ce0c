"""``pupicker baseline`` and ``pupicker train --proposals``."""

from __future__ import annotations

import json
from dataclasses import replace

import mrcfile
import numpy as np
import pytest
import torch

from pupicker.core.geometry import geometry
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.models.model_file import load_model
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.dataset import Sources, load_training_set
from pupicker.engine.training.options import Task
from pupicker.engine.training.pseudo_labels import with_pseudo_labels
from pupicker.tests.commands.command_line import run
from pupicker.tests.commands.conftest import QUICK
from pupicker.tests.simulated import DIAMETER_ANG, HEIGHT, PIXEL_SIZE_ANG, WIDTH


@pytest.fixture
def baseline(capsys, simulated):
    def call(method, output, *more, micrographs=simulated.micrographs):
        return run(capsys, "baseline", method, *micrographs, "--diameter", DIAMETER_ANG, "--output", output,
                   "--threads", 1, *more)

    return call


def _average_precision(capsys, simulated, picks):
    result = run(capsys, "evaluate", "--picks", picks, "--truth", simulated.truth, "--diameter", DIAMETER_ANG,
                 "--pixel-size", PIXEL_SIZE_ANG, "--json")
    return result.json["average_precision"]


@pytest.mark.parametrize("method", ["general", "dog", "template"])
def test_finds_particles_without_labels(baseline, capsys, simulated, tmp_path, method):
    assert baseline(method, tmp_path / "picks.tsv", "--threshold=-5").code == 0
    assert _average_precision(capsys, simulated, tmp_path / "picks.tsv") > 0.8
    table = read_coordinates(tmp_path / "picks.tsv")
    assert (table.probability is None) == (method != "general")
    assert 2 < table.score.max() < 20


def test_general_model_picks_about_as_many_as_there_are(baseline, tmp_path, simulated):
    """By default; the probability is that of the score, as log-odds."""
    assert baseline("general", tmp_path / "picks.tsv").code == 0
    table, truth = read_coordinates(tmp_path / "picks.tsv"), read_coordinates(simulated.truth)
    assert len(table) == pytest.approx(len(truth), rel=0.5)  # clear, few and small
    np.testing.assert_allclose(table.probability, 1 / (1 + np.exp(-table.score)), atol=1e-3)
    assert table.score.min() >= 0


def test_views_of_the_particle(baseline, capsys, simulated, tmp_path):
    """Cut from the first micrograph, bright as class averages are, at another pixel size."""
    table = read_coordinates(simulated.truth).of("mic_0001.mrc")
    with mrcfile.open(simulated.micrographs[0]) as file:
        image = np.array(file.data)
    views = [image[y - 24 : y + 24, x - 24 : x + 24] for x, y in zip(table.x.astype(int), table.y.astype(int),
                                                                    strict=True)]
    views = [view for view in views if view.shape == (48, 48)]
    average = -np.mean(views, axis=0)
    small = average.reshape(24, 2, 24, 2).mean((1, 3)).astype(np.float32)
    with mrcfile.new(tmp_path / "views.mrcs") as file:
        file.set_data(np.stack([small, small[::-1]]))
    picks = tmp_path / "picks.tsv"
    assert "no pixel size" in baseline("template", picks, "--template", tmp_path / "views.mrcs").error(1)
    more = ("--template", tmp_path / "views.mrcs", "--template-pixel-size", 2 * PIXEL_SIZE_ANG, "--rotation-step", 90,
            "--threshold=-5")
    assert baseline("template", picks, *more).code == 0
    assert _average_precision(capsys, simulated, picks) > 0.8


@pytest.mark.parametrize("method", ["general", "dog"])
def test_bright_particles(baseline, simulated, tmp_path, method):
    with mrcfile.open(simulated.micrographs[0]) as file:
        image = -np.array(file.data)
    with mrcfile.new(tmp_path / "inverted.mrc") as file:
        file.set_data(image)
        file.voxel_size = PIXEL_SIZE_ANG
    baseline(method, tmp_path / "dark.tsv", micrographs=simulated.micrographs[:1])
    baseline(method, tmp_path / "bright.tsv", "--bright", micrographs=[tmp_path / "inverted.mrc"])
    dark, bright = (read_coordinates(tmp_path / name) for name in ("dark.tsv", "bright.tsv"))
    assert len(dark) == len(bright) > 5
    np.testing.assert_allclose(np.sort(dark.x), np.sort(bright.x), atol=0.01)


def test_a_folder_of_tables_quarantine_and_report(baseline, simulated, tmp_path):
    bad = tmp_path / "bad.mrc"
    bad.write_text("no image")
    result = baseline("dog", tmp_path / "picks", "--format", "box", "--html", tmp_path / "report.html",
                      micrographs=[simulated.micrographs[0], bad])
    assert result.code == 3
    assert (tmp_path / "picks" / "mic_0001.box").exists()
    assert not (tmp_path / "picks" / "bad.box").exists()
    page = (tmp_path / "report.html").read_text()
    assert "Histogram of the scores." in page
    assert "log-likelihood" not in page


def test_not_one_readable_micrograph_is_a_failure_with_a_report(baseline, tmp_path):
    """All are named, as by `pick`: a batch of a stream may hold no other."""
    bad = [tmp_path / "bad.mrc", tmp_path / "gone.mrc"]
    bad[0].write_text("no image")
    (tmp_path / "mics.star").write_text("data_\n\nloop_\n_rlnMicrographName #1\n" + "\n".join(map(str, bad)) + "\n")
    result = baseline("dog", tmp_path / "picks", "--report", tmp_path / "r.json", micrographs=[tmp_path / "mics.star"])
    assert "none of the 2 micrographs can be used" in result.error(1)
    report = json.loads((tmp_path / "r.json").read_text())
    assert [entry["micrograph"] for entry in report["quarantined"]] == list(map(str, bad))


def test_exclusions(baseline, tmp_path):
    assert baseline("dog", tmp_path / "picks.tsv", "--margin", 200, "--threshold=-5").code == 0
    table = read_coordinates(tmp_path / "picks.tsv")
    for place, side in ((table.x, WIDTH), (table.y, HEIGHT)):
        to_edge = min(place.min(), side - 1 - place.max()) * PIXEL_SIZE_ANG
        assert 200 - 2 * PIXEL_SIZE_ANG < to_edge < 300


def test_wrong_use(baseline, tmp_path):
    turned = baseline("template", tmp_path / "p.tsv", "--template", "x.mrc", "--rotation-step", 0)
    assert "at most 360 (--rotation-step)" in turned.error(2)
    assert "x.mrc: No such file" in baseline("template", tmp_path / "p.tsv", "--template", "x.mrc").error(1)


def test_a_view_without_contrast_where_the_particle_is(baseline, tmp_path):
    """Its corners differ, what is compared does not."""
    view = np.zeros((64, 64), dtype=np.float32)
    view[:4, :4] = 1
    with mrcfile.new(tmp_path / "views.mrcs") as file:
        file.set_data(view[None])
        file.voxel_size = PIXEL_SIZE_ANG
    message = baseline("template", tmp_path / "p.tsv", "--template", tmp_path / "views.mrcs",
                       "--template-pixel-size", DIAMETER_ANG / 22).error(1)  # of the working pixels
    assert "views.mrcs: a template without contrast" in message


def test_general_picks_depend_on_no_other_micrograph(baseline, simulated, tmp_path):
    baseline("general", tmp_path / "all.tsv")
    baseline("general", tmp_path / "one.tsv", micrographs=simulated.micrographs[:1])
    name = str(simulated.micrographs[0])
    alone, among = (read_coordinates(tmp_path / file).of(name) for file in ("one.tsv", "all.tsv"))
    assert len(alone) > 5
    np.testing.assert_array_equal(alone.x, among.x)
    np.testing.assert_array_equal(alone.score, among.score)


@pytest.mark.parametrize(("words", "source", "count"), [
    (("--pseudo-labels", "general", "--pseudo-label-count", 30), "general", 30),
    (("--proposals", "template", "--proposal-count", 20), "template", 20), (("--pseudo-labels", "dog"), "dog", 75),
])
def test_training_without_labels(capsys, simulated, tmp_path, words, source, count):
    """By the words of today and of before, so many or as many as are the default."""
    model = tmp_path / "m.pupicker"
    result = run(capsys, "train", *simulated.labelled, *words, "--diameter", DIAMETER_ANG, "--output", model, *QUICK)
    assert result.code == 0
    assert f"pseudo-labels ({source}), no labels" in result.out
    record = load_model(model).record
    assert (record.pseudo_labels, record.labels) == (source, count)


@pytest.mark.slow
def test_a_model_trained_without_labels_picks(capsys, simulated, tmp_path):
    model, picks = tmp_path / "m.pupicker", tmp_path / "picks.tsv"
    run(capsys, "train", *simulated.labelled, "--proposals", "template", "--proposal-count", 30, "--diameter",
        DIAMETER_ANG, "--output", model, "--updates", 150, "--batch-size", 64, "--threads", 1)
    run(capsys, "pick", *simulated.micrographs, "--model", model, "--output", picks, "--threshold=-50", "--threads", 1)
    assert _average_precision(capsys, simulated, picks) > 0.85


def test_proposals_are_not_taken_from_negatives(simulated):
    """What somebody marked as no particle is what the weights would propose again."""
    lengths = geometry(DIAMETER_ANG, PIXEL_SIZE_ANG, 22)
    data, task = load_training_set(Sources(simulated.labelled, None), lengths, 1, Report("train")), Task(lengths)
    first = with_pseudo_labels(data, "general", task, 12)
    marked = replace(data, micrographs=[
        replace(m, negatives=own.labels) for m, own in zip(data.micrographs, first.micrographs, strict=True)])
    second = with_pseudo_labels(marked, "general", task, 12)
    assert first.label_count == second.label_count == 12
    near_px = DIAMETER_ANG / 4 / lengths.working_pixel_size_ang
    assert all(bool((torch.cdist(m.labels, m.negatives) > near_px).all()) for m in second.micrographs)


@pytest.mark.parametrize(("method", "options", "word"), [
    ("dog", ("--template", "views.mrcs"), "dog takes no template"), ("dog", ("--rotation-step", 5), "--rotation-step"),
    ("template", ("--template-pixel-size", 2), "--template-pixel-size"),
    ("general", ("--template", "views.mrcs"), "general takes no template"),
    ("general", ("--rotation-step", 5), "--rotation-step"), ("dog", ("--device", "cuda"), "runs on the processor"),
    ("template", ("--device", "cuda:1"), "runs on the processor"),
])
def test_options_that_the_method_ignores_are_refused(baseline, tmp_path, method, options, word):
    assert word in baseline(method, tmp_path / "p.tsv", *options).error(2)


def test_general_proposals_of_a_network_that_has_no_general_weights(capsys, tmp_path):
    message = run(capsys, "train", "mics", "--proposals", "general", "--network", "conv63", "--diameter", DIAMETER_ANG,
                  "--output", tmp_path / "m.pupicker").error(2)
    assert "a general model for the networks conv31 and conv47 only, not for conv63" in message
    assert "--network" in message


def test_labels_or_proposals(train):
    assert "not allowed with" in train("--proposals", "dog").error(2)
