"""The program that makes the general weights: what its minibatches hold, and a whole small run."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from pupicker.core.geometry import TRAINING_RADIUS
from pupicker.core.networks import build
from pupicker.core.regions.regions import disc_mask

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def pretrain(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the program."""
    if not (REPOSITORY / "tools").is_dir():
        pytest.skip("needs the repository: tools is not beside the package")
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))
    return importlib.import_module("pretrain")


def discs(shape: tuple[int, int], pretrain: ModuleType) -> list[tuple[Tensor, Tensor]]:
    """Two images that are one on the discs of their centres, all far from the border, and zero elsewhere."""
    found = []
    for xy in (torch.tensor([[30.2, 40.7], [59.9, 83.1], [88.0, 59.6]]), torch.tensor([[50.0, 32.3], [70.8, 55.5]])):
        xy = xy.double()
        found.append((disc_mask(shape, xy, TRAINING_RADIUS * pretrain.DIAMETER_PX).half(), xy))
    return found


def test_regions_of_a_patch_are_labelled_as_the_truth_says(
    pretrain: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The central pixel of each region is one exactly if the region is on a centre; outside nothing counts."""
    monkeypatch.setattr(pretrain, "perturb", lambda patches, _: patches)
    network = build("conv47")
    shape, cpu = (110, 130), torch.device("cpu")
    batches = pretrain.Batches(discs(shape, pretrain), network, 64, 5, cpu)
    agree, counted = 0, 0
    for _ in range(8):
        patches, on, off = batches.draw()
        assert patches.shape == (64, 1, 71, 71) and on.shape == off.shape == (64, 16)
        assert not bool((on & off).any())
        centre = patches[:, 0, 23:-23:8, 23:-23:8].flatten(1)
        value = (centre > 0.3).float()  # the contrast of a patch is its own; a turn interpolates
        agree += int(((value == on.float()) & (on | off)).sum())
        counted += int((on | off).sum())
        assert bool(on[:32].any(dim=1).all())  # one region of each patch of the first half is on a centre
        assert 0 < int((~on & ~off).sum()) < on.numel() / 2  # outside of the image nothing counts
    assert agree / counted > 0.98


def test_a_whole_run_keeps_its_scenes(
    pretrain: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Weights that fit the network, with their history; kept scenes are taken again, and give the same weights."""
    monkeypatch.setattr(pretrain, "HELD_OUT", 1)
    scenes = tmp_path / "scenes.safetensors"
    outputs = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]

    def run(output: Path, count: int) -> None:
        words = ["--scenes", count, "--updates", 3, "--patches", 4, "--threads", 1, "--examples", scenes]
        monkeypatch.setattr(sys, "argv", ["pretrain.py", *map(str, words), "--output", str(output)])
        pretrain.main()

    for output in outputs:
        run(output, 3)
    header = json.loads(capsys.readouterr().out.split("}\n}\n")[0] + "}\n}")
    assert header["scenes"] == 3 and header["patches"] == 4 and header["particles"] > 0
    kept = []
    for output in outputs:
        with safe_open(str(output), "pt") as file:
            assert json.loads(file.metadata()["pupicker_weights"]) == header
        kept.append(load_file(str(output)))
    network = build(header["network"])
    network.load_state_dict(kept[0])
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    with pytest.raises(SystemExit):
        run(outputs[0], 1)
    assert "--scenes 1: 1 of them are held out, give more" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"scenes\.safetensors: has 3 scenes of seed 0, not 4 of seed 0"):
        run(outputs[0], 4)
