import copy

import pytest
import torch

from pupicker.core.networks import NETWORKS, Classifier, build


def network(name="conv31", seed=0, **settings):
    """Random weights and batch-normalisation statistics, in double precision, evaluation mode."""
    torch.manual_seed(seed)
    built = build(name, **settings).double().eval()
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
    return built


@pytest.fixture(autouse=True)
def own_random_state():
    with torch.random.fork_rng(devices=[]):
        yield


def test_the_papers_network_has_its_number_of_parameters():
    assert sum(p.numel() for p in build("conv31").parameters()) == 258_148


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_receptive_field_is_exactly_what_has_an_influence(name, stride):
    net = network(name, width=4)
    field = net.receptive_field_px
    image = torch.randn(1, 1, field + 12, field + 12, dtype=torch.float64, requires_grad=True)
    net(image, stride)[0, 8 // stride, 4 // stride].backward()
    inside = torch.zeros(field + 12, field + 12, dtype=torch.bool)
    inside[8 : 8 + field, 4 : 4 + field] = True
    assert torch.equal(image.grad[0, 0] != 0, inside)


@pytest.mark.parametrize("name", NETWORKS)
def test_pixels_outside_have_no_influence_even_when_they_are_not_numbers(name):
    net = network(name, width=4)
    field = net.receptive_field_px
    image = torch.full((1, 1, field + 8, field + 8), float("nan"), dtype=torch.float64)
    image[..., 4 : 4 + field, 4 : 4 + field] = crop = torch.randn(1, 1, field, field, dtype=torch.float64)
    with torch.no_grad():
        assert float(net(image)[0, 1, 1]) == pytest.approx(float(net(crop)), abs=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("size", [(31, 31), (32, 45), (47, 36)])
def test_output_shape(name, stride, size):
    net = network(name, width=2)
    field = net.receptive_field_px
    scores = net(torch.zeros(2, 1, *size, dtype=torch.float64), stride)
    assert scores.shape == (2, (size[0] - field) // stride + 1, (size[1] - field) // stride + 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_own_stride_is_the_default_and_other_strides_give_the_same_scores(name):
    net = network(name, width=4)
    image = torch.randn(1, 1, 52, 49, dtype=torch.float64)
    dense = net(image, 1)
    assert torch.equal(net(image), net(image, net.total_stride))
    for stride in (2, 4):
        torch.testing.assert_close(net(image, stride), dense[:, ::stride, ::stride], rtol=0, atol=1e-12)


@pytest.mark.parametrize("stride", [0, 3, 8, -1])
def test_a_stride_that_does_not_divide_is_an_error(stride):
    with pytest.raises(ValueError, match="does not divide"):
        network(width=2)(torch.zeros(1, 1, 40, 40, dtype=torch.float64), stride)


def test_unknown_names_and_settings_are_errors():
    with pytest.raises(ValueError, match="no network 'conv32'; known: conv31"):
        build("conv32")
    with pytest.raises(ValueError, match="no setting 'widht'; it has: width, dropout"):
        build("conv31", widht=8)


@pytest.mark.parametrize("settings", [{}, {"width": 8}, {"width": 8, "dropout": 0.25}])
def test_settings_build_the_same_network_again(settings):
    first = build("conv31", **settings)
    second = build("conv31", **first.settings)
    assert first.settings == settings
    assert [p.shape for p in first.parameters()] == [p.shape for p in second.parameters()]
    second.load_state_dict(first.state_dict())
    image = torch.randn(1, 1, 40, 40)
    assert torch.equal(first.eval()(image), second.eval()(image))


def test_dropout_acts_while_training_only():
    net = network(width=8, dropout=0.5)
    crops = torch.randn(4, 1, 31, 31, dtype=torch.float64)
    assert torch.equal(net(crops), net(crops))
    net.train()
    assert not torch.equal(net(crops), net(crops))


def test_memory_order_changes_no_result():
    net = network(width=8)
    image = torch.randn(1, 1, 45, 38, dtype=torch.float64)
    expected = net(image)
    assert net.channels_last() is net
    torch.testing.assert_close(net(image.contiguous(memory_format=torch.channels_last)), expected, rtol=0, atol=1e-12)


def test_a_copy_has_weights_of_its_own():
    net = network(width=2)
    image = torch.randn(1, 1, 31, 31, dtype=torch.float64)
    before = net(image)
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1)
    assert torch.equal(net(image), before)
    assert not torch.equal(twin(image), before)


def test_features_belong_to_the_single_networks():
    with pytest.raises(NotImplementedError):
        Classifier().features(torch.zeros(1, 1, 31, 31), 4)
