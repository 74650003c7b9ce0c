"""One recipe for all readers of a micrograph: what a run used is what is shown and judged afterwards."""

from __future__ import annotations

import json

import mrcfile
import numpy as np
import pytest
import torch

from pupicker.engine.evaluation.regions import RegionScorer
from pupicker.engine.files.coordinates import CoordinateTable
from pupicker.engine.files.masks import MaskFolder
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.engine.models.model_file import load_model
from pupicker.engine.picking.picker import Picker, PickingOptions
from pupicker.engine.preparation.exclusion import Exclusion
from pupicker.engine.preparation.recipe import Recipe, network_image, prepare
from pupicker.engine.reports.picking import Picking
from pupicker.engine.runtime.run_report import Report
from pupicker.tests.simulated import HEIGHT, WIDTH

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def masks(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("masks")
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    mask[40:150, 60:] = 1
    with mrcfile.new(folder / simulated.unseen[0].name) as file:
        file.set_data(mask)
    return folder


def test_the_report_shows_what_the_run_saw(simulated, model_path, masks):
    """It flattened with the exclusion that the model stores, whatever the run had excluded."""
    path, model = simulated.unseen[0], load_model(model_path)
    exclusion = Exclusion(30.0, MaskFolder(masks, [path]), True, 9.0)
    picker = Picker(model, CPU, PickingOptions(exclusion=exclusion, keep_borders=True))
    run = json.loads(json.dumps({"preparation": picker.recipe.to_record()}))
    shown = Picking([path], CoordinateTable.empty(), run, model).used_recipe()
    assert shown is not None and shown.keep_borders and shown.exclusion.masks is not None
    seen = network_image(picker.prepare(path), picker.recipe)
    assert torch.equal(network_image(prepare(path, shown), shown), seen)
    as_stored = Recipe.of_model(model)
    assert not torch.equal(network_image(prepare(path, as_stored), as_stored), seen)


def test_a_run_without_a_record_is_shown_as_the_model_was_trained(simulated, model_path):
    model = load_model(model_path)
    given = Recipe.of_model(model, 6.0, True)
    picking = Picking(simulated.unseen, CoordinateTable.empty(), {}, model, given)
    assert picking.used_recipe() == given
    assert Picking(simulated.unseen, CoordinateTable.empty(), {}).used_recipe() is None


def test_masks_that_are_gone_are_left_out_of_the_picture(model_path, simulated, tmp_path):
    model = load_model(model_path)
    record = dict(Recipe.of_model(model).to_record(), masks=str(tmp_path / "gone"), margin_ang=12.0)
    shown = Recipe.of_model(model).as_recorded(record, simulated.unseen)
    assert shown.exclusion.masks is None and shown.exclusion.margin_ang == 12.0


def test_picking_writes_its_recipe_into_its_report(pick_report, model_path):
    depth = load_model(model_path).exclusion["contamination_depth"]
    assert depth > 0 and pick_report["preparation"] == {
        "pixel_size_ang": None, "keep_borders": True, "margin_ang": 25.0, "contamination": False, "masks": None,
        "contamination_depth": depth,
    }


@pytest.fixture
def pick_report(simulated, model_path, tmp_path):
    from pupicker.commands.main import main

    assert main([str(word) for word in (
        "pick", simulated.unseen[0], "--model", model_path, "--output", tmp_path / "p.tsv", "--report",
        tmp_path / "r.json", "--keep-borders", "--margin", 25, "--no-exclude-contamination",
    )]) == 0
    return json.loads((tmp_path / "r.json").read_text())


@pytest.mark.parametrize("keep", [False, True])
def test_regions_are_scored_on_borders_that_are_kept(simulated, model_path, tmp_path, keep):
    model, path = load_model(model_path), tmp_path / "padded.mrc"
    write_mrc(path, np.pad(read_image(simulated.unseen[0]).pixels, ((31, 0), (0, 0)), mode="edge"), 6.0)
    truth = CoordinateTable(np.array([str(path)], dtype=object), np.array([90.0]), np.array([120.0]))
    report = Report("evaluate")
    precision = RegionScorer(model, Recipe.of_model(model, None, keep), CPU).average_precision([path], truth, report)
    assert 0 <= precision <= 1 and report.done == [path]
    assert list(report.borders) == ([] if keep else [str(path)])
