from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors import safe_open

from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS, build
from pupicker.engine.models import initial_weights
from pupicker.engine.models.initial_weights import WEIGHTS, Start
from pupicker.engine.models.model_file import load_model
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.training.optimisation import Fitting, FittingOptions

CPU = torch.device("cpu")


def load_start(name, network=DEFAULT_NETWORK, **settings):
    with torch.random.fork_rng(devices=[]):
        return initial_weights.load_start(name, network, build(network, **settings))


def fitted(start, **options):
    return Fitting(FittingOptions(start_digest=start.digest, **options), CPU, start.weights)


@pytest.mark.parametrize("network", [DEFAULT_NETWORK, "conv31"])
def test_general_weights_come_with_the_package_and_are_the_start(network):
    start = load_start("general", network)
    assert start.weights is not None and len(start.digest) == 16
    state = fitted(start, network=network).network.state_dict()
    assert all(torch.equal(value, start.weights[name]) for name, value in state.items())
    assert all(value.isfinite().all() for value in start.weights.values())


def test_general_weights_say_how_they_were_made():
    with safe_open(str(WEIGHTS / f"{DEFAULT_NETWORK}.safetensors"), framework="pt") as stored:
        header = json.loads(stored.metadata()["pupicker_weights"])
    assert header["network"] == DEFAULT_NETWORK and header["made_by"] == "tools/pretrain.py"
    assert header["average_precision_on_unseen_scenes"] > 0.5 and header["particles"] > 100_000


def test_random_start_is_the_seed_and_nothing_else():
    start = load_start("random")
    assert start.weights is None and start.digest == ""
    one, again, other = (Fitting(FittingOptions(seed=seed), CPU, start.weights).network.state_dict()
                         for seed in (3, 3, 4))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_a_model_can_be_the_start(model_path):
    start = load_start(str(model_path), "conv31")
    own = load_model(model_path).network.state_dict()
    assert start.weights is not None and all(torch.equal(own[name], value) for name, value in start.weights.items())
    taken = fitted(start, network="conv31").network.state_dict()
    assert all(torch.equal(own[name], value) for name, value in taken.items())
    assert start.digest != load_start("general").digest


def test_what_cannot_be_the_start(model_path, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such model file"):
        load_start(str(tmp_path / "none.pupicker"))
    with pytest.raises(UsageError, match="is a model of the network conv31, not conv63; choose conv31 to start"):
        load_start(str(model_path), "conv63", width=2)
    with pytest.raises(UsageError, match=r"network conv31, not conv31 \(width=8\); choose the same settings"):
        load_start(str(model_path), "conv31", width=8)
    monkeypatch.setattr(initial_weights, "WEIGHTS", tmp_path)
    with pytest.raises(UsageError, match="no general model for the network conv47; choose random"):
        load_start("general")
    shutil.copy(__file__, tmp_path / "conv47.safetensors")
    with pytest.raises(InputError, match=r"conv47\.safetensors: damaged"):
        load_start("general")


@pytest.mark.parametrize(("network", "settings"), [
    ("conv63", {}), ("resnet31", {"dropout": 0.1}), ("conv31", {"width": 16}), ("conv31", {"norm": "group"}),
    ("conv31", {"norm": "none"}),
])
def test_automatic_start_without_a_general_model_is_random_and_said(caplog, network, settings):
    caplog.set_level("INFO", "pupicker")
    assert load_start("auto", network, **settings) == Start()
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith("there is no general model") and network in line and "random" in line
    assert all(f"{name}={value}" in line for name, value in settings.items())
    with pytest.raises(UsageError, match=f"no general model for the network {network}"):
        load_start("general", network, **settings)


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3}])
def test_automatic_start_is_general_where_the_weights_fit(caplog, settings):
    caplog.set_level("INFO", "pupicker")
    start = load_start("auto", **settings)
    assert start.name == "general" and start.digest == load_start("general").digest
    assert not caplog.records


def test_networks_with_general_weights_exist():
    names = {path.stem for path in WEIGHTS.glob("*.safetensors")}
    assert names and names <= set(NETWORKS)
