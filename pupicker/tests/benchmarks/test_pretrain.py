"""The program that makes the pretrained weights: a whole small run."""

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

from pupicker.core.networks import build
from pupicker.engine.models.stored_weights import with_cell_head

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def pretrain(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the program."""
    if not (REPOSITORY / "tools").is_dir():
        pytest.skip("needs the repository: tools is not beside the package")
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))
    return importlib.import_module("pretrain")


@pytest.mark.slow
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
    own, head = with_cell_head(network, kept[0])
    network.load_state_dict(own)
    assert head is not None and float(head.weight.abs().sum()) > 0
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    with pytest.raises(SystemExit):
        run(outputs[0], 1)
    assert "--scenes 1: 1 of them are held out, give more" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"scenes\.safetensors: has 3 scenes of seed 0, not 4 of seed 0"):
        run(outputs[0], 4)
