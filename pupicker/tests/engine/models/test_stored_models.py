"""A small model of each released version is kept, and read for ever: it scores as it did when it was written.

A new version adds its own: the line that made them is in ``models.json``, with the scores of one image.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import pupicker
from pupicker.core.detection.scoring import score_orientations
from pupicker.engine.models.model_card import card
from pupicker.engine.models.model_file import SCHEMA_VERSION, load_model, save_model

STORED = Path(pupicker.__file__).resolve().parent / "tests" / "stored_models"
MODELS = json.loads((STORED / "models.json").read_text())["models"]
TOLERANCE = 1e-4


def scores(model):
    """Of every 16th pixel of one image, and what they mean."""
    image = torch.randn((64, 80), generator=torch.Generator().manual_seed(5))
    logits = score_orientations(model.picking_network, image, 2, model.orientations)[::8, ::8]
    return {"logits": [round(float(s), 6) for s in logits.flatten()],
            "probability": [round(float(p), 6) for p in model.calibration.probability(logits).flatten()]}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_a_released_version_scores_as_it_did(name, tmp_path):
    expected, model = MODELS[name], load_model(STORED / f"{name}.pupicker")
    found = scores(model)
    assert found["logits"] == pytest.approx(expected["logits"], abs=TOLERANCE)
    assert found["probability"] == pytest.approx(expected["probability"], abs=TOLERANCE)
    told = card(model)
    assert {key: told[key] for key in expected["card"]} == pytest.approx(expected["card"])
    save_model(tmp_path / "again.pupicker", model)
    assert scores(load_model(tmp_path / "again.pupicker")) == found


def test_every_format_and_the_released_versions_are_there():
    """The version of this package may not be released yet."""
    formats = {load_model(STORED / f"{name}.pupicker").schema_version for name in MODELS}
    assert formats == set(range(1, SCHEMA_VERSION + 1))
    released = {line.rstrip(":") for line in (STORED.parents[2] / "CHANGES.txt").read_text().splitlines()
                if line[:1].isdigit()} if (STORED.parents[2] / "CHANGES.txt").is_file() else set()
    assert released - {pupicker.__version__} <= set(MODELS)
    assert sorted(path.stem for path in STORED.glob("*.pupicker")) == sorted(MODELS)
