import pytest
import torch

from pupicker.core.networks import NETWORKS, build
from pupicker.core.networks.autoencoder import Decoder, paper_weight, reconstruction_error


@pytest.fixture(autouse=True)
def own_random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("size", [7, 15, 31, 45, 63, 71, 127])
def test_picture_has_the_size_of_the_region(size):
    assert Decoder(8, size).eval()(torch.randn(2, 8, 1, 1)).shape == (2, 1, size, size)


def test_decoder_of_31_pixels_is_the_papers():
    """1 -> 4 -> 8 -> 16 -> 31 with 128, 64, 32 channels; nothing is cropped."""
    decoder = Decoder(128, 31).eval()
    x, sides, channels = torch.randn(1, 128, 1, 1), [], []
    for layer in decoder.layers:
        x = layer(x)
        if isinstance(layer, torch.nn.ConvTranspose2d):
            sides.append(x.shape[-1])
            channels.append(x.shape[1])
    assert sides == [4, 8, 16, 31] and channels == [128, 64, 32, 1]
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in decoder.layers) == 3


def test_picture_is_cropped_around_the_centre():
    whole, cropped = Decoder(8, 63), Decoder(8, 45)
    cropped.load_state_dict(whole.state_dict())
    features = torch.randn(1, 8, 1, 1)
    assert torch.equal(whole.eval()(features)[..., 9:-9, 9:-9], cropped.eval()(features))


@pytest.mark.parametrize("name", NETWORKS)
def test_decoder_fits_every_network(name):
    network = build(name, width=2).eval()
    size = network.receptive_field_px
    crops = torch.randn(3, 1, size, size)
    drawn = Decoder(network.head.in_channels, size)(network.features(crops, network.total_stride))
    assert drawn.shape == crops.shape


def test_error_is_the_squared_distance_of_a_region_on_average():
    drawn, regions = torch.randn(5, 1, 7, 7), torch.randn(5, 1, 7, 7)
    expected = sum(float(((drawn[i] - regions[i]) ** 2).sum()) for i in range(5)) / 5
    assert float(reconstruction_error(drawn, regions)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("labels", "weight"), [(1, 10.0), (10, 1.0), (100, 0.1), (250, 0.04), (251, 0.0), (0, 0.0)])
def test_weight_of_the_paper(labels, weight):
    assert paper_weight(labels) == pytest.approx(weight)


def test_decoder_learns_to_draw_what_the_features_say():
    """Bright or dark discs, one feature that says which."""
    row, column = torch.meshgrid(torch.arange(15) - 7, torch.arange(15) - 7, indexing="ij")
    disc = ((row**2 + column**2) <= 16).float()
    sign = torch.tensor([1.0, -1.0] * 8)[:, None, None, None]
    decoder = Decoder(1, 15)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.01)
    errors = []
    for _ in range(60):
        optimizer.zero_grad()
        error = reconstruction_error(decoder(sign), sign * disc)
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.1 * float(disc.sum())
