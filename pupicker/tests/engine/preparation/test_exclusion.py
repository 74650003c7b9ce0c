from __future__ import annotations

from dataclasses import replace

import mrcfile
import numpy as np
import pytest
import tifffile
import torch

from pupicker.core.geometry import geometry
from pupicker.core.regions.crops import random_transforms
from pupicker.core.regions.patches import PatchGrid
from pupicker.core.regions.regions import mean_disc_area
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.masks import MaskFolder, read_mask
from pupicker.engine.preparation.exclusion import Exclusion, exclusion_for, with_exclusion
from pupicker.engine.preparation.working_micrograph import network_input_of_new, resample
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.runtime.run_report import Report
from pupicker.engine.training.dataset import Sources, load_training_set
from pupicker.engine.training.minibatches import make_sampler
from pupicker.engine.training.options import TrainingOptions
from pupicker.engine.training.particle_count import particle_count

PIXEL_ANG = 6.0
LENGTHS = geometry(160.0, PIXEL_ANG, 22)
WORKING = LENGTHS.working_pixel_size_ang
SHAPE = (300, 240)
GRID = PatchGrid(31, 4, 4)


def _micrograph(folder, name="a", seed=0):
    image = np.random.default_rng(seed).normal(100, 10, SHAPE).astype(np.float32)
    path = folder / f"{name}.mrc"
    with mrcfile.new(path) as file:
        file.set_data(image)
        file.voxel_size = PIXEL_ANG
    return path


def _left_half(shape, on):
    mask = np.zeros(shape)
    mask[:, : shape[1] // 2] = on
    return mask


def _write_mask(folder, name, mask):
    folder.mkdir(exist_ok=True)
    path = folder / name
    if name.endswith(".mrc"):
        with mrcfile.new(path) as file:
            file.set_data(mask.astype(np.float32))
    elif name.endswith(".png"):
        from PIL import Image

        Image.fromarray(mask.astype(np.uint8)).save(path)
    else:
        tifffile.imwrite(path, mask.astype(np.uint8))
    return path


def _area(path, exclusion):
    return with_exclusion(resample(path, None, WORKING), exclusion, LENGTHS).excluded


def test_nothing_is_excluded_without_options(tmp_path):
    path = _micrograph(tmp_path)
    assert exclusion_for(None, None, None, None, [path]) == Exclusion()
    assert _area(path, Exclusion()) is None
    assert Exclusion().to_header() is None


def test_margin_in_angstrom(tmp_path):
    area = _area(_micrograph(tmp_path), Exclusion(margin_ang=100.0))
    reach = int(100 / WORKING)
    assert area[:reach].all() and area[:, -reach:].all()
    assert not area[reach + 1 : -reach - 1, reach + 1 : -reach - 1].any()


def test_the_network_sees_zero_where_there_is_no_specimen_but_sees_what_lies_in_the_margin(tmp_path):
    path = _micrograph(tmp_path)
    _write_mask(tmp_path / "masks", "a.mrc", _left_half(SHAPE, 1))
    masks = MaskFolder(tmp_path / "masks", [path])
    picks = CoordinateTable(np.array([str(path)]), np.array([200.0]), np.array([60.0]))
    exclusion = Exclusion(margin_ang=60.0, masks=masks)
    sets = [load_training_set(Sources([path], picks, exclusion=e), LENGTHS, 1, Report("train"))
            for e in (Exclusion(), exclusion)]
    plain, masked = (s.micrographs[0] for s in sets)
    middle, reach = masked.image.shape[1] // 2, int(60 / WORKING)
    assert not masked.image[:, : middle - 3].any()
    assert masked.excluded[:, -reach:].all() and masked.image[:, -reach:].all()
    far = (slice(None), slice(-10, None))
    torch.testing.assert_close(masked.image[far], plain.image[far], rtol=0.05, atol=0.05)
    new = with_exclusion(resample(path, None, WORKING), exclusion, LENGTHS)
    torch.testing.assert_close(network_input_of_new(new, sets[1].mixture, LENGTHS.background_px), masked.image,
                               rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("name", "on"), [("a.mrc", 0.9), ("a_mask.png", 255), ("a_mask.png", 1), ("a.tif", 255)])
@pytest.mark.parametrize("size", [SHAPE, (75, 60), (601, 480)])
def test_bright_parts_of_a_mask_of_any_size_are_excluded(tmp_path, name, on, size):
    path = _micrograph(tmp_path)
    _write_mask(tmp_path / "masks", name, _left_half(size, on))
    area = _area(path, Exclusion(masks=MaskFolder(tmp_path / "masks", [path])))
    middle = area.shape[1] // 2
    assert area[:, : middle - 3].all()
    assert not area[:, middle + 3 :].any()


def test_faint_probabilities_of_a_mask_are_none(tmp_path):
    assert not read_mask(_write_mask(tmp_path / "masks", "a.mrc", np.full((9, 9), 0.3))).any()


def test_a_micrograph_without_a_mask_is_whole(tmp_path):
    paths = [_micrograph(tmp_path, name) for name in "ab"]
    _write_mask(tmp_path / "masks", "a.mrc", _left_half(SHAPE, 1))
    masks = Exclusion(masks=MaskFolder(tmp_path / "masks", paths))
    assert _area(paths[0], masks).any()
    assert _area(paths[1], masks) is None
    report = Report("train")
    picks = CoordinateTable(np.array([str(paths[1])] * 2), np.array([50.0, 90.0]), np.array([60.0, 200.0]))
    load_training_set(Sources(paths, picks, exclusion=masks), LENGTHS, 1, report)
    content = report.to_dict()
    assert content["without_mask"] == [str(paths[1])]
    assert content["excluded_share"] == {str(paths[0]): pytest.approx(0.5, abs=0.02)}


def test_masks_that_cannot_be_meant(tmp_path):
    path, folder = _micrograph(tmp_path), tmp_path / "masks"
    with pytest.raises(InputError, match="no such folder"):
        MaskFolder(folder, [path])
    _write_mask(folder, "other.mrc", np.ones(SHAPE))
    with pytest.raises(InputError, match=r"no mask is named like a micrograph \(a.mrc\); found other.mrc"):
        MaskFolder(folder, [path])
    _write_mask(folder, "a.mrc", np.ones(SHAPE))
    _write_mask(folder, "a_mask.png", np.ones(SHAPE))
    with pytest.raises(InputError, match="of one micrograph"):
        MaskFolder(folder, [path])


def test_a_mask_of_other_proportions_quarantines_its_micrograph(tmp_path):
    paths = [_micrograph(tmp_path, name) for name in "ab"]
    _write_mask(tmp_path / "masks", "a.mrc", np.ones((240, 300)))
    masks = Exclusion(masks=MaskFolder(tmp_path / "masks", paths))
    picks = CoordinateTable(np.array([str(paths[1])]), np.array([50.0]), np.array([60.0]))
    report = Report("train")
    assert len(load_training_set(Sources(paths, picks, exclusion=masks), LENGTHS, 1, report).micrographs) == 1
    (entry,) = report.quarantined
    assert "300 x 240 pixels have other proportions than the micrograph's 240 x 300" in entry[1]


def test_everything_excluded_is_an_error(tmp_path):
    with pytest.raises(InputError, match="exclude all of it"):
        _area(_micrograph(tmp_path), Exclusion(margin_ang=5000.0))
    with pytest.raises(UsageError, match="margin of -1"):
        exclusion_for(None, -1.0, None, None, [])


def test_what_a_model_stores_holds_unless_told_otherwise():
    stored = Exclusion(40.0, None, True, 15.0).to_header()
    assert stored == {"margin_ang": 40.0, "contamination": True, "contamination_depth": 15.0}
    assert exclusion_for(stored, None, None, None, []) == Exclusion(40.0, None, True, 15.0)
    assert exclusion_for(stored, 0.0, None, False, []) == Exclusion(0.0, None, False, 15.0)
    assert exclusion_for(None, None, None, True, []) == Exclusion(0.0, None, True, None)


class TestTraining:
    """Left half masked; particles on both halves are labelled."""

    @pytest.fixture
    def data(self, tmp_path):
        path = _micrograph(tmp_path)
        _write_mask(tmp_path / "masks", "a.mrc", _left_half(SHAPE, 1))
        x, y = np.array([40.0, 60.0, 170.0, 190.0, 200.0]), np.array([40.0, 200.0, 50.0, 150.0, 250.0])
        picks = CoordinateTable(np.array([str(path)] * 5), x, y)
        masks = Exclusion(masks=MaskFolder(tmp_path / "masks", [path]))
        others = CoordinateTable(np.array([str(path)] * 2), np.array([30.0, 210.0]), np.array([120.0, 90.0]))
        return load_training_set(Sources([path], picks, others, exclusion=masks), LENGTHS, 1, Report("train"))

    def test_labels_there_are_left_out_with_a_warning(self, caplog, data):
        assert data.label_count == 3
        assert data.negative_count == 1
        said = "\n".join(record.getMessage() for record in caplog.get_records("setup"))
        assert "2 labelled particles lie where nothing shall be picked" in said

    def test_its_area_leaves_the_class_prior(self, data):
        (micrograph,) = data.micrographs
        assert micrograph.pixels == pytest.approx(micrograph.image.numel() / 2, rel=0.02)
        hidden = [torch.zeros(3, dtype=torch.bool)]
        sampler = make_sampler(data.micrographs, hidden, LENGTHS.training_radius_px, GRID, torch.device("cpu"))
        assert sampler.pixels == micrograph.pixels
        assert sampler.prior(10) == pytest.approx(
            10 * mean_disc_area(LENGTHS.training_radius_px) / micrograph.pixels)
        whole = [replace(micrograph, excluded=None)]
        twenty = TrainingOptions(particles_per_micrograph=20.0)
        density = particle_count(data.micrographs, LENGTHS, twenty).density
        assert density == pytest.approx(2 * particle_count(whole, LENGTHS, twenty).density, rel=0.05)

    def test_unlabelled_pixels_are_never_drawn_from_it(self, data):
        hidden = [torch.zeros(3, dtype=torch.bool)]
        sampler = make_sampler(data.micrographs, hidden, LENGTHS.training_radius_px, GRID, torch.device("cpu"))
        generator = torch.Generator().manual_seed(0)
        where, turned = sampler._draw_centres(2000, generator), random_transforms(2000, generator)
        pixels = GRID.centres(where[:, 1:], turned)
        drawn = pixels[sampler._unlabelled(where[:, 0], pixels)]
        assert len(drawn) > 5000
        assert not data.micrographs[0].excluded[drawn[:, 0], drawn[:, 1]].any()
        for chosen in (sampler.positive, sampler.negative):
            assert not data.micrographs[0].excluded[chosen[:, 1], chosen[:, 2]].any()

    def test_the_digest_knows_of_it(self, data):
        path = data.micrographs[0].path
        picks = CoordinateTable(np.array([str(path)]), np.array([170.0]), np.array([50.0]))
        some = [load_training_set(Sources([path], picks, exclusion=e), LENGTHS, 1, Report("train")).digest
                for e in (Exclusion(), Exclusion(margin_ang=60.0))]
        assert some[0] == load_training_set(Sources([path], picks), LENGTHS, 1, Report("train")).digest != some[1]


def test_a_micrograph_of_which_nothing_is_left_stops_no_other(tmp_path):
    """Each alone leaves something: the mask a hole, contamination all but what is as dark as the hole."""
    good, covered = _micrograph(tmp_path, "good"), _micrograph(tmp_path, "covered", 1)
    with mrcfile.open(covered, mode="r+") as file:
        file.data[100:200, 80:160] -= 3000
    mask = np.ones(SHAPE)
    mask[120:180, 100:140] = 0
    _write_mask(tmp_path / "masks", "covered.mrc", mask)
    exclusion = exclusion_for(None, 0.0, tmp_path / "masks", True, [good, covered])
    labels = CoordinateTable(np.array([str(good)] * 3, dtype=object), np.array([50.0, 120, 180]),
                             np.array([60.0, 150, 220]))
    report = Report("train")
    data = load_training_set(Sources([good, covered], labels, exclusion=exclusion), LENGTHS, 1, report)
    assert [m.path for m in data.micrographs] == [good] == report.done and data.label_count == 3
    assert [path for path, _ in report.quarantined] == [covered]
