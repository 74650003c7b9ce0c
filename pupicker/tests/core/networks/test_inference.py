"""The network as it is evaluated is the network that was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import pupicker
from pupicker.core.networks import NETWORKS, build
from pupicker.core.networks.blocks import NORMS
from pupicker.core.networks.cell_head import CellNetwork
from pupicker.core.networks.inference import for_inference


def trained(name, norm):
    """A small network with statistics and slopes that are not those of a fresh one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = build(name, width=4, norm=norm).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
                module.weight.data.uniform_(-1.5, 1.5)
                module.bias.data.uniform_(-0.5, 0.5)
            if isinstance(module, torch.nn.PReLU):
                module.weight.data.uniform_(-0.3, 0.6)
    return net


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_the_same(name, norm):
    net = trained(name, norm)
    image = torch.randn(2, 1, net.receptive_field_px + 21, net.receptive_field_px + 8,
                        generator=torch.Generator().manual_seed(1))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    expected = net(image)
    ready = for_inference(net)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in ready.modules())
    torch.testing.assert_close(ready(image), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ready(image, ready.output_stride_for(2)), net(image, net.output_stride_for(2)),
                               rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_network_in_training_is_copied_as_it_is_evaluated():
    net = CellNetwork(trained("conv47", "batch")).train()
    generator = torch.Generator().manual_seed(1)
    torch.nn.init.normal_(net.head.weight, generator=generator)
    image = torch.randn(1, 1, 55, 63, generator=generator)
    ready = for_inference(net)
    assert net.training and not ready.training and not any(p.requires_grad for p in ready.parameters())
    torch.testing.assert_close(ready(image), net.eval()(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("file", sorted((Path(pupicker.__file__).parent / "weights").glob("*.safetensors")),
                         ids=lambda file: file.stem)
@torch.no_grad()
def test_bfloat16_changes_scores_by_hundredths(file):
    """The last layer sums in float32, or neighbours would have the same score."""
    net = build(file.stem).eval()
    net.load_state_dict({name: t for name, t in load_file(file).items() if not name.startswith("cell_head.")})
    image = torch.randn(1, 1, 151, 151, generator=torch.Generator().manual_seed(1))
    expected = net(image)
    net.precision = torch.bfloat16
    for found in (net(image), for_inference(net)(image)):
        difference = (found - expected).abs()
        assert found.dtype == torch.float32 and len(found.unique()) > 0.99 * found.numel()
        assert 0 < float(difference.mean()) < 0.02 and float(difference.max()) < 0.15
