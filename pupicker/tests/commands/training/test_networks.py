"""Networks and terms of the loss on the command line; a network of somebody else's package, really installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pupicker
from pupicker.core.networks import NETWORKS
from pupicker.engine.models.model_file import load_model
from pupicker.tests.simulated import DIAMETER_ANG

MODULE = '''
import torch
from torch import nn
from pupicker.core.networks import Classifier, Pace, StridedConv


class TinyNet(Classifier):
    """Two convolutions on regions of 21 pixels."""

    receptive_field_px = 21  # 5 + 2 * (9 - 1)
    total_stride = 2
    fill = 0.8
    setting_names = ("channels",)

    def __init__(self, channels=4):
        super().__init__()
        self.first = StridedConv(1, channels, 5, 2)
        self.second = StridedConv(channels, 2 * channels, 9)
        self.head = nn.Conv2d(2 * channels, 1, 1)

    def features(self, x, output_stride):
        pace = Pace(output_stride)
        x = torch.relu(self.first.dense(x, *pace.take(2)))
        return torch.relu(self.second.dense(x, *pace.take(1)))


NOT_A_NETWORK = 3
'''

PROJECT = '''
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "tinynets"
version = "0.3"

[project.entry-points."pupicker.networks"]
tiny = "tinynets:TinyNet"
broken = "tinynets_that_are_not_there:Net"
number = "tinynets:NOT_A_NETWORK"
conv63 = "tinynets:TinyNet"

[tool.setuptools]
py-modules = ["tinynets"]
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed the example package."""
    source, target = tmp_path_factory.mktemp("tinynets"), tmp_path_factory.mktemp("site")
    (source / "tinynets.py").write_text(MODULE)
    (source / "pyproject.toml").write_text(PROJECT)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
               "--disable-pip-version-check", "--target", str(target), str(source)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert list(target.glob("tinynets-0.3.dist-info/entry_points.txt"))
    return target


def process(*arguments, site=None):
    """``pupicker ARGUMENTS`` in a process of its own; exit code and last line on stderr."""
    paths = [str(Path(pupicker.__file__).resolve().parents[1]), *([str(site)] if site else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pupicker", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "Traceback" not in result.stderr
    return result.returncode, (result.stderr.splitlines() or [""])[-1], result.stdout


@pytest.mark.slow
def test_network_of_an_installed_package(simulated, site, tmp_path):
    """It trains, its model says where it comes from and picks; without the package one line says what is missing."""
    model = tmp_path / "m.pupicker"
    train = ("train", *simulated.labelled, "--picks", simulated.labels, "--diameter", DIAMETER_ANG, "--output", model,
             "--updates", 4, "--batch-size", 32, "--threads", 1, "--network", "tiny")
    code, error, out = process(*train, "--network-setting", "channels=3", "--autoencoder", 0.01, site=site)
    assert code == 0, error
    assert "network" in out and "tiny" in out and "channels 3" in out
    pick = ("pick", simulated.unseen[0], "--model", model, "--output", tmp_path / "p.star", "--threads", 1)
    code, error, out = process(*pick, "--threshold", -50, site=site)
    assert code == 0 and (tmp_path / "p.star").is_file(), error

    code, error, _ = process(*pick)
    assert code == 1 and str(model) in error and "no network 'tiny'; known: conv47, conv31, conv63," in error
    assert "the network of this model is that of tinynets 0.3: install it" in error
    assert process(*train)[:2] == (
        2, "pupicker train: error: there is no network 'tiny'; known: conv47, conv31, conv63, conv127, resnet31"
        " (--network)"
    )


@pytest.mark.parametrize(("options", "words"), [
    (("--network", "tiny", "--dropout", "0.1"), "network tinynet has no setting 'dropout'; it has: channels"),
    (("--network", "tiny", "--network-setting", "channels=many"), "network tinynet cannot be built with channels=many"),
    (("--network", "broken"), "the network 'broken' of tinynets 0.3 cannot be loaded (ModuleNotFoundError"),
    (("--network", "number"), "the network 'number' of tinynets 0.3 is no pupicker.core.networks.Classifier"),
    (("--network", "conv63"), "the network 'conv63' is offered by pupicker and tinynets 0.3: remove one"),
    (("--network", "other"), "known: conv47, conv31, conv63, conv127, resnet31, broken, number, tiny"),
])
def test_what_a_package_cannot_offer(simulated, site, tmp_path, options, words):
    code, error, _ = process("train", *simulated.labelled, "--picks", simulated.labels, "--diameter", DIAMETER_ANG,
                             "--output", tmp_path / "m.pupicker", *options, site=site)
    assert code == 2 and words in error and error.endswith(" (--network)")


@pytest.mark.parametrize("name", NETWORKS)
def test_own_networks(train, tmp_path, name):
    """Trained and used; the file holds what is needed to build them again."""
    result = train("--json", "--network", name, "--width", 2, "--dropout", 0.2, "--norm", "group", "--autoencoder",
                   "auto", "--ring-negatives", "--weight-decay", 0.05)
    assert result.code == 0, result.err
    settings = {"width": 2, "dropout": 0.2, "norm": "group"}
    assert result.json["network"] == name and result.json["network_settings"] == settings
    assert result.json["start"] == "random" and "note: there is no general model" in result.err
    assert result.json["autoencoder"] == pytest.approx(10 / 42) and result.json["ring_negatives"]
    model = load_model(tmp_path / "m.pupicker")
    assert model.record.weight_decay == 0.05 and model.network.settings == settings
    assert not any("decoder" in key for key in model.network.state_dict())


@pytest.mark.slow
def test_terms_and_settings_change_the_model(train, tmp_path):
    weights = []
    for options in ((), ("--autoencoder", 0.5), ("--ring-negatives",), ("--weight-decay", 0.5), ("--dropout", 0.3)):
        assert train("--validation-fraction", 0, *options).code == 0
        weights.append(load_model(tmp_path / "m.pupicker").network.head.weight)
    assert all(not torch.equal(one, other) for i, one in enumerate(weights) for other in weights[:i])


@pytest.mark.parametrize(("options", "words"), [
    (("--network", "conv32"), ("no network 'conv32'", "known: conv47, conv31, conv63, conv127, resnet31")),
    (("--network-setting", "depth=3"), ("no setting 'depth'", "width, dropout, norm")),
    (("--network-setting", "depth"), ("--network-setting depth", "NAME=VALUE")),
    (("--width", 4, "--network-setting", "width=8"), ("--network-setting width=8", "given twice")),
    (("--width", 0), ("width 0 must be from 1 to 4096",)),
    (("--dropout", 1), ("dropout 1 must be at least 0 and below 1",)),
    (("--norm", "layer"), ("--norm", "layer", "group")),
    (("--autoencoder", "much"), ("autoencoder term much", "auto")), (("--autoencoder", -1), ("autoencoder term -1",)),
    (("--weight-decay", -1), ("weight decay -1", "from 0 to 1")), (("--weight-decay", "nan"), ("weight decay nan",)),
    (("--ring-negatives", "--min-distance", 50), ("no room for negatives",)),
    (("--start", "general", "--network", "conv63"), ("no general model for the network conv63", "--start")),
])
def test_impossible_options(train, options, words):
    message = train(*options).error(2)
    assert all(word in message for word in words), message
