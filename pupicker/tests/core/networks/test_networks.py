import copy
import math

import pytest
import torch

from pupicker.core.networks import NETWORKS, Classifier, Pace, Unavailable, build
from pupicker.core.networks.blocks import NORMS, PositionGroupNorm
from pupicker.core.networks.statistics import statistics_applied, statistics_kept


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
        torch.manual_seed(0)
        yield


@pytest.fixture(params=NETWORKS)
def name(request):
    return request.param


def strides(name):
    """Every output stride at which a network can be evaluated."""
    total = build(name, width=1).total_stride
    return [stride for stride in range(1, total + 1) if total % stride == 0]


@pytest.mark.parametrize(("name", "number"), [("conv31", 258_148), ("conv47", 553_701), ("conv63", 1_077_989),
                                              ("conv127", 4_356_070), ("resnet31", 150_631)])
def test_number_of_parameters(name, number):
    """conv31's is the paper's; the others are counted by hand from their docstrings."""
    assert sum(p.numel() for p in build(name).parameters()) == number


def test_receptive_field_is_exactly_what_has_an_influence(name):
    net = network(name, width=2)
    field, total = net.receptive_field_px, net.total_stride
    side = field + 2 * total
    image = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    inside = torch.zeros(side, side, dtype=torch.bool)
    inside[2 * total :, total : total + field] = True
    for stride in strides(name):
        (gradient,) = torch.autograd.grad(net(image, stride)[0, 2 * total // stride, total // stride], image)
        # In a deep network the corners are so faint that their gradient is rounded away.
        assert bool((gradient[0, 0][~inside] == 0).all())
        rows, columns = (gradient[0, 0] != 0).nonzero().unbind(1)
        assert (int(rows.min()), int(rows.max())) == (2 * total, side - 1)
        assert (int(columns.min()), int(columns.max())) == (total, total + field - 1)


def test_pixels_outside_have_no_influence_even_when_they_are_not_numbers(name):
    net = network(name, width=2)
    field, total = net.receptive_field_px, net.total_stride
    image = torch.full((1, 1, field + 2 * total, field + 2 * total), float("nan"), dtype=torch.float64)
    image[..., total : total + field, total : total + field] = crop = torch.randn(1, 1, field, field).double()
    with torch.no_grad():
        assert float(net(image)[0, 1, 1]) == pytest.approx(float(net(crop)), abs=1e-12)


@pytest.mark.parametrize("more", [(0, 0), (1, 14), (16, 5)])
def test_output_shape(name, more):
    net = network(name, width=1)
    field = net.receptive_field_px
    for stride in strides(name):
        scores = net(torch.zeros(2, 1, field + more[0], field + more[1], dtype=torch.float64), stride)
        assert scores.shape == (2, more[0] // stride + 1, more[1] // stride + 1)


@pytest.mark.parametrize("norm", NORMS)
def test_dense_scores_are_those_of_single_crops(name, norm):
    """Whatever normalises them; without tricks: every crop is cut out and scored by itself."""
    net = network(name, width=2, norm=norm, dropout=0.3)
    field = net.receptive_field_px
    image = torch.randn(1, 1, field + 4, field + 3, dtype=torch.float64)
    crops = torch.cat([image[..., i : i + field, j : j + field] for i in range(5) for j in range(4)])
    with torch.no_grad():
        torch.testing.assert_close(net(image, 1)[0], net(crops).reshape(5, 4), rtol=0, atol=1e-12)


def test_own_stride_is_the_default_and_other_strides_give_the_same_scores(name):
    net = network(name, width=2)
    total, field = net.total_stride, net.receptive_field_px
    image = torch.randn(1, 1, field + 2 * total + 1, field + total + 2, dtype=torch.float64)
    dense = net(image, 1)
    assert torch.equal(net(image), net(image, total))
    for stride in strides(name):
        torch.testing.assert_close(net(image, stride), dense[:, ::stride, ::stride], rtol=0, atol=1e-12)


@pytest.mark.parametrize("strides", [(2, 3), (3, 2, 2), (6, 10), (4, 1, 2)])
def test_pace_reaches_every_divisor_with_whole_dilations(strides):
    total = math.prod(strides)
    for wanted in (n for n in range(1, total + 1) if total % n == 0):
        pace = Pace(wanted)
        for stride in strides:
            assert pace.nominal % pace.actual == 0
            dilation = pace.nominal // pace.actual
            assert pace.take(stride)[1] == dilation
        assert (pace.actual, pace.nominal) == (wanted, total)


@pytest.mark.parametrize("stride", [0, 3, 8, -1])
def test_a_stride_that_does_not_divide_is_an_error(stride):
    with pytest.raises(ValueError, match="does not divide"):
        network(width=2)(torch.zeros(1, 1, 40, 40, dtype=torch.float64), stride)


def test_unknown_names_and_settings_are_errors(name):
    with pytest.raises(Unavailable, match="no network 'conv32'; known: conv47, conv31, conv63, conv127, resnet31"):
        build("conv32")
    with pytest.raises(ValueError, match="no setting 'widht'; it has: width, dropout, norm"):
        build(name, widht=8)


@pytest.mark.parametrize(("settings", "words"), [
    ({"width": 0}, "width is 0, must be a whole number"), ({"width": 2.5}, "width is 2.5"), ({"width": True}, "width"),
    ({"dropout": 1.0}, "dropout is 1.0, must be at least 0 and below 1"), ({"dropout": "much"}, "dropout is much"),
    ({"norm": "layer"}, "norm is layer, must be one of batch, group, affine, none"),
])
def test_values_that_are_none_are_errors(name, settings, words):
    with pytest.raises(ValueError, match=words):
        build(name, **settings)


@pytest.mark.parametrize("settings", [{}, {"width": 2}, {"width": 2, "dropout": 0.25, "norm": "group"}])
def test_settings_build_the_same_network_again(name, settings):
    first = build(name, **settings)
    second = build(name, **first.settings)
    assert first.settings == settings
    assert [p.shape for p in first.parameters()] == [p.shape for p in second.parameters()]
    second.load_state_dict(first.state_dict())
    image = torch.randn(1, 1, first.receptive_field_px + 9, first.receptive_field_px + 9)
    assert torch.equal(first.eval()(image), second.eval()(image))


def test_group_normalisation_is_of_each_position_and_group():
    x = torch.randn(2, 32, 3, 4) * 5 + 3
    out = PositionGroupNorm(32)(x).reshape(2, 2, 16, 3, 4)
    torch.testing.assert_close(out.mean(2), torch.zeros(2, 2, 3, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(out.var(2, correction=0), torch.ones(2, 2, 3, 4), rtol=0, atol=1e-3)
    assert torch.equal(PositionGroupNorm(32)(x)[..., 1:2, 2:3], PositionGroupNorm(32)(x[..., 1:2, 2:3]))


@pytest.mark.parametrize(("norm", "biases"), [("batch", 3), ("group", 3), ("affine", 3), ("none", 0)])
def test_what_a_normalisation_learns(norm, biases):
    """Convolutions have a bias where nothing else shifts; only batch normalisation keeps statistics."""
    net = build("conv31", width=2, norm=norm)
    names = [name for name, _ in net.named_parameters()]
    assert sum(name.endswith("norm.bias") for name in names) == biases
    assert sum(name.endswith("convolution.bias") for name in names) == (3 if norm == "none" else 0)
    assert len(list(net.buffers())) == (9 if norm == "batch" else 0)


def test_dropout_acts_while_training_only(name):
    net = network(name, width=4, dropout=0.5)
    crops = torch.randn(4, 1, net.receptive_field_px, net.receptive_field_px, dtype=torch.float64)
    assert torch.equal(net(crops), net(crops))
    net.train()
    assert not torch.equal(net(crops), net(crops))


def test_memory_order_changes_no_result(name):
    net = network(name, width=4)
    image = torch.randn(1, 1, net.receptive_field_px + 14, net.receptive_field_px + 7, dtype=torch.float64)
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


# ---- batch normalisation of a minibatch in two parts


def test_the_other_part_is_normalised_by_the_statistics_of_the_first():
    """As if it had been in one batch with a copy of the first, of which it is a part here; gradients included."""
    batch = torch.randn(6, 1, 31, 31, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    whole, parts = network(width=3).train(), network(width=3).train()
    together = whole(batch)
    with statistics_kept(parts) as statistics:
        first = parts(batch)
    stored = {k: v.clone() for k, v in parts.state_dict().items()}
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(stored[name], value)  # learnt from as ever, and the batches are counted
    with statistics_applied(statistics):
        second = parts(batch[:2])
    assert all(torch.equal(v, stored[k]) for k, v in parts.state_dict().items())  # nothing is learnt from it
    torch.testing.assert_close(first, together)
    torch.testing.assert_close(second, together[:2])
    (together.sum() + (together[:2] ** 2).sum()).backward()
    (first.sum() + (second**2).sum()).backward()
    for ours, theirs in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    assert parts.training and all(m.training for m in parts.modules())
    torch.testing.assert_close(parts(batch), whole(batch))  # no hook is left


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("processes", [1, 2, 5])
def test_rows_that_processes_share_are_normalised_as_one_batch(processes, momentum, affine):
    """All of them have the same rows here, so that a sum over the processes is a multiple of their own part of it."""
    def layers():
        torch.manual_seed(2)
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3, momentum=momentum, affine=affine), torch.nn.ReLU(),
            torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2, eps=0.1, momentum=momentum, affine=affine))

    one, several = layers(), layers()
    for step in range(2):
        rows = 3 + torch.randn(4, 1, 6, 5, generator=torch.Generator().manual_seed(step))
        others = torch.randn(3, 1, 6, 5, generator=torch.Generator().manual_seed(9))
        batch = rows.repeat(processes, 1, 1, 1)
        with statistics_kept(one) as alone:
            expected = one(batch)
        with statistics_kept(several, lambda part: processes * part) as together:
            found = several(rows)
        torch.testing.assert_close(found, expected[:4], rtol=1e-4, atol=1e-5)
        with statistics_applied(alone):
            expected_too = one(others)
        with statistics_applied(together):
            found_too = several(others)
        torch.testing.assert_close(found_too, expected_too, rtol=1e-4, atol=1e-4)
        (expected**3).sum().add(processes * (expected_too**2).sum()).backward()
        (found**3).sum().add((found_too**2).sum()).backward()
    for ours, theirs in zip(several.parameters(), one.parameters(), strict=True):
        torch.testing.assert_close(processes * ours.grad, theirs.grad, rtol=1e-3, atol=1e-2)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(several.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_a_network_without_batch_normalisation_has_no_statistics():
    plain = network(width=2, norm="affine").train()
    with statistics_kept(plain) as statistics:
        plain(torch.zeros(1, 1, 31, 31, dtype=torch.float64))
    assert not statistics


def test_a_package_of_before_may_say_fill():
    class Old(Classifier):
        receptive_field_px = 21
        fill = 0.8

    class Heir(Old):
        pass

    assert Old.particle_px() == Heir.particle_px() == pytest.approx(16.8)
    assert Classifier.particle_fraction == 22 / 31
