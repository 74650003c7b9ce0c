from __future__ import annotations

import io
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pupicker.core.detection.candidates import pick_image
from pupicker.core.detection.symmetry import symmetry_logits
from pupicker.core.networks import NETWORKS
from pupicker.core.networks.inference import for_inference
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.engine.models.model_file import load_model
from pupicker.engine.picking.picker import Picker, PickingOptions
from pupicker.engine.preparation import working_micrograph
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.preparation.recipe import network_image
from pupicker.engine.preparation.working_micrograph import resample
from pupicker.engine.runtime.device import on_device
from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.memory import SharedMemory
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.quarantine import MAX_READERS, in_background
from pupicker.engine.runtime.run_report import Report
from pupicker.tests.simulated import HEIGHT, WIDTH

CPU = torch.device("cpu")
EVERYTHING = PickingOptions(threshold=-1000)


def test_scores_and_probabilities_are_those_of_the_calibration(simulated, model_path):
    model = load_model(model_path)
    picker = Picker(model, CPU, EVERYTHING)
    table = picker.pick(picker.prepare(simulated.unseen[0]))
    assert table.score is not None and table.probability is not None
    odds = table.score + np.log(model.calibration.share / (1 - model.calibration.share))
    np.testing.assert_allclose(table.probability, 1 / (1 + np.exp(-odds)), rtol=1e-6)
    assert set(table.micrograph) == {str(simulated.unseen[0])}


def test_uncertainty_is_the_spread_over_the_symmetric_views(simulated, model_path):
    """Neither picks nor scores change; of the sure picks the spread is a small part of what tells them apart."""
    model = load_model(model_path)
    plain, more = Picker(model, CPU), Picker(model, CPU, PickingOptions(score_sd=True))
    without, picks = (picker.pick(picker.prepare(simulated.unseen[0])) for picker in (plain, more))
    assert without.score_sd is None and picks.score_sd is not None and picks.score is not None
    np.testing.assert_array_equal(picks.score, without.score)
    micrograph, network = more.prepare(simulated.unseen[0]), for_inference(on_device(model.network, CPU))
    image, places = network_image(micrograph, more.recipe), torch.from_numpy(micrograph.to_working(picks.x, picks.y))
    views = model.calibration.slope * symmetry_logits(network, image, places).numpy()
    np.testing.assert_allclose(picks.score_sd, views.std(axis=1), rtol=1e-4)
    assert len(picks.score_sd) == len(picks) > 5 and np.median(picks.score_sd) < 0.25 * np.median(picks.score + 10)
    kept = picks.select(np.arange(3))
    np.testing.assert_array_equal(kept.score_sd, picks.score_sd[:3])


def test_the_spread_of_a_score_is_on_the_scale_of_the_score(simulated, model_path):
    """Scores are the slope times the logit: twice the slope, twice the spread."""
    model = load_model(model_path)
    steep = replace(model, calibration=replace(model.calibration, slope=2 * model.calibration.slope))
    options = PickingOptions(threshold=-1000, score_sd=True)
    once, twice = (picker.pick(picker.prepare(simulated.unseen[0])) for picker in
                   (Picker(one, CPU, options) for one in (model, steep)))
    assert len(once) == len(twice) > 5
    np.testing.assert_allclose(twice.score_sd, 2 * once.score_sd, rtol=1e-5)


def test_picking_averages_as_many_orientations_as_the_model_says(simulated, model_path):
    model = load_model(model_path)
    scores = {}
    for number in (1, 2):
        picker = Picker(replace(model, orientations=number), CPU, EVERYTHING)
        micrograph = picker.prepare(simulated.unseen[0])
        image = network_image(micrograph, picker.recipe)
        distance = picker.min_distance_ang / model.geometry.working_pixel_size_ang
        network = for_inference(on_device(model.picking_network, CPU))
        _, logit = pick_image(network, image, distance, orientations=number)
        scores[number] = picker.pick(micrograph).score
        best = float(model.calibration.log_likelihood_ratio(logit).max())
        assert scores[number].max() == pytest.approx(best, rel=1e-4)
    assert np.median(scores[1]) != pytest.approx(np.median(scores[2]), rel=1e-4)


def test_each_axis_has_its_own_step(simulated, model_path):
    """Rows and columns are rounded to whole working pixels separately, so the two steps differ."""
    picker = Picker(load_model(model_path), CPU, EVERYTHING)
    image = picker.prepare(simulated.unseen[0])
    own = picker.pick(image)
    rows, columns = image.step
    stretched = picker.pick(replace(image, shape=(3 * HEIGHT, WIDTH), step=(3 * rows, columns), area=None))
    np.testing.assert_array_equal(stretched.x, own.x)
    inner = own.y < HEIGHT - 1
    np.testing.assert_allclose(stretched.y[inner], 3 * own.y[inner], rtol=1e-12)


def test_borders_without_an_image_shift_the_picks_and_keep_them_away(simulated, model_path, tmp_path):
    """Half a diameter: 80 A of 6 A/px; on the side that is not padded nothing changes."""
    pixels = read_image(simulated.unseen[0]).pixels
    write_mrc(tmp_path / "padded.mrc", np.pad(pixels, ((19, 8), (0, 31)), mode="edge"), 6.0)
    picker, report = Picker(load_model(model_path), CPU, EVERYTHING), Report("pick")
    own = picker.pick(picker.prepare(simulated.unseen[0]))
    (found,) = picker.pick_files([tmp_path / "padded.mrc"], 1, report, Progress(1, "picking", io.StringIO()))
    height, width = pixels.shape
    # The edges of working pixels, not of the file's, are what distances are measured from: one pixel of tolerance.
    margin = 80 / 6.0
    sure = (own.y > margin + 1.5) & (own.y < height - margin - 2.5) & (own.x < width - margin - 2.5)
    possible = (own.y > margin - 1.5) & (own.y < height - margin + 0.5) & (own.x < width - margin + 0.5)
    assert sure.sum() <= len(found.table) <= possible.sum() < len(own)
    picks = {(round(x, 4), round(y, 4)) for x, y in zip(found.table.x, found.table.y, strict=True)}
    assert picks >= {(round(x, 4), round(y + 19, 4)) for x, y in zip(own.x[sure], own.y[sure], strict=True)}
    assert own.x[sure].min() < margin
    assert report.to_dict()["borders_px"] == {str(tmp_path / "padded.mrc"): [19, 8, 0, 31]}
    whole = Picker(load_model(model_path), CPU, replace(EVERYTHING, keep_borders=True))
    assert whole.pick(whole.prepare(tmp_path / "padded.mrc")).y.min() < 19


def test_threshold_only_cuts_the_list(simulated, model_path):
    model = load_model(model_path)
    everything = Picker(model, CPU, EVERYTHING)
    image = everything.prepare(simulated.unseen[1])
    whole, cut = everything.pick(image), Picker(model, CPU, PickingOptions(threshold=4.0)).pick(image)
    assert whole.score is not None and 0 < len(cut) < len(whole)
    np.testing.assert_array_equal(cut.x, whole.x[: len(cut)])
    assert len(cut) == int((whole.score >= 4.0).sum())


@pytest.mark.parametrize("shape", [(31, 31), (32, 47), (1, 200), (33, 16)])
def test_picks_lie_inside_images_of_any_size(shape):
    """The network is untrained and sees noise, so maxima lie everywhere, at the borders too."""
    torch.manual_seed(0)
    network = NETWORKS["conv31"].from_settings({"width": 4}).eval()
    xy, logit = pick_image(network, torch.randn(shape), 4.0)
    assert len(xy) == len(logit) > 0
    assert (xy >= 0).all() and (xy[:, 0] <= shape[1] - 1).all() and (xy[:, 1] <= shape[0] - 1).all()
    apart = torch.cdist(xy, xy) + 1e9 * torch.eye(len(xy))
    assert float(apart.min()) > 4.0


def test_flat_image_gives_no_error(model_path, tmp_path):
    """Hardly any noise and one bad pixel column: whatever is picked, nothing breaks; without any noise it is blank."""
    pixels = np.full((300, 300), 100.0, dtype=np.float32)
    pixels[:, 17] = 104.0
    write_mrc(tmp_path / "blank.mrc", pixels, 6.0)
    picker = Picker(load_model(model_path), CPU, PickingOptions(threshold=-1e3, exclusion=Exclusion()))
    with pytest.raises(InputError, match=r"100 % of its pixels have one value, 100 \(blank, or NaN\)"):
        picker.prepare(tmp_path / "blank.mrc")
    write_mrc(tmp_path / "flat.mrc", pixels + np.random.default_rng(0).random((300, 300), dtype=np.float32) / 1e3, 6.0)
    table = picker.pick(picker.prepare(tmp_path / "flat.mrc"))
    assert len(table) > 5 and all(np.isfinite(column).all() for column in (table.x, table.y, table.score))


def test_files_come_in_order_and_bad_ones_are_counted(simulated, model_path, tmp_path):
    (tmp_path / "bad.mrc").write_bytes(b"bad")
    paths = [simulated.unseen[1], tmp_path / "bad.mrc", simulated.unseen[0]]
    stream, report = io.StringIO(), Report("pick")
    progress = Progress(len(paths), "picking", stream)
    picked = list(Picker(load_model(model_path), CPU).pick_files(paths, 2, report, progress))
    assert [found.path for found in picked] == [simulated.unseen[1], simulated.unseen[0]]
    assert [found.pixel_size_ang for found in picked] == pytest.approx([6.0, 6.0])
    assert report.done == [simulated.unseen[1], simulated.unseen[0]] and report.exit_code == 3
    assert progress.done == 3 and stream.getvalue().splitlines()[-1].startswith("picking: 3/3 (100%)")


# ---- reading and resampling


def test_steps_bring_working_pixels_back_to_those_of_the_file(simulated):
    micrograph = resample(simulated.unseen[0], None, 160 / 22)
    assert micrograph.shape == (HEIGHT, WIDTH) and tuple(micrograph.pixels.shape) == (275, 248)
    assert micrograph.step == (HEIGHT / 275, WIDTH / 248) and micrograph.invalid is None


@pytest.mark.parametrize(("given_ang", "working_ang", "words"), [
    (15.0, 7.0, "too coarse"), (6.0, 200.0, "too small"), (6.0, float("inf"), "too small"),
])
def test_what_cannot_be_resampled(simulated, given_ang, working_ang, words):
    with pytest.raises(InputError, match=words) as caught:
        resample(simulated.unseen[0], given_ang, working_ang)
    assert str(caught.value).startswith(str(simulated.unseen[0]))


@pytest.mark.parametrize(("share", "words"), [(0.59, None), (0.61, "61 % of its pixels have one value, -2 "),
                                              (0.95, "95 % of its pixels have one value, -2 ")])
def test_blank_is_what_has_mostly_one_value(tmp_path, share, words):
    pixels = np.random.default_rng(0).normal(0, 10, (200, 300)).astype(np.float32)
    pixels.reshape(-1)[: int(share * pixels.size)] = -2
    write_mrc(tmp_path / "a.mrc", np.random.default_rng(1).permutation(pixels.reshape(-1)).reshape(200, 300), 6.0)
    if words is None:
        assert resample(tmp_path / "a.mrc", None, 12.0).shape == (200, 300)
    else:
        with pytest.raises(InputError, match=words):
            resample(tmp_path / "a.mrc", None, 12.0)


def test_large_micrographs_are_not_all_read_at_the_same_time(simulated, monkeypatch):
    """The readers share memory: where there is little, one reads after the other."""
    asked = []

    class Counting(SharedMemory):
        def room_for(self, needed_bytes):
            asked.append(needed_bytes)
            return super().room_for(needed_bytes)

    monkeypatch.setattr(working_micrograph, "READING", Counting(1))
    paths = list(simulated.unseen)
    for (_, future), path in zip(in_background(lambda path: resample(path, None, 12.0), paths, 4), paths, strict=True):
        assert future.result().path == path
    assert asked == [4 * HEIGHT * WIDTH] * len(paths)


@pytest.mark.parametrize("threads", [1, 3])
def test_background_work_keeps_order_and_delivers_exceptions(tmp_path, threads):
    paths = [tmp_path / str(number) for number in range(20)]

    def work(path):
        if path.name == "7":
            raise InputError("seven")
        return int(path.name)

    results = []
    for path, future in in_background(work, paths, threads):
        error = future.exception()
        results.append(str(error) if error else future.result())
        assert path == paths[len(results) - 1]
    assert results == [*range(7), "seven", *range(8, 20)]


def test_few_micrographs_are_read_at_the_same_time():
    """However many threads there are: each reader holds a micrograph and its transform."""
    lock, now, most, all_there = threading.Lock(), [0], [0], threading.Barrier(MAX_READERS)

    def work(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        all_there.wait(60)
        time.sleep(0.01)  # for one more than may be
        with lock:
            now[0] -= 1

    for _, future in in_background(work, [Path(str(n)) for n in range(10 * MAX_READERS)], 64):
        future.result()
    assert most[0] == MAX_READERS == 4
