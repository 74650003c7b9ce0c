import pytest
import torch

from pupicker.core.detection.scoring import score_image
from pupicker.core.detection.symmetry import symmetry_logits
from pupicker.core.networks import build


@pytest.fixture
def network():
    torch.manual_seed(3)
    return build("conv31").eval()


def test_first_view_is_the_dense_score(network):
    image = torch.randn(50, 61)
    xy = torch.tensor([[0.0, 0.0], [60.0, 49.0], [20.3, 30.6]], dtype=torch.float64)
    logits = symmetry_logits(network, image, xy)
    dense = score_image(network, image)
    expected = torch.stack([dense[0, 0], dense[49, 60], dense[31, 20]]).double()
    assert logits.shape == (3, 8) and torch.allclose(logits[:, 0], expected, atol=1e-4)


def test_views_are_those_of_the_turned_and_mirrored_image(network):
    """The eight views of a pick, as a set, do not change when the image is turned or mirrored."""
    image = torch.randn(41, 41)
    xy = torch.tensor([[25.0, 14.0]], dtype=torch.float64)
    first = symmetry_logits(network, image, xy)
    turned = symmetry_logits(network, image.T.contiguous(), xy.flip(1))
    mirrored = symmetry_logits(network, image.flip(1), torch.tensor([[15.0, 14.0]], dtype=torch.float64))
    assert float(first.std()) > 1e-3 and len(set(first[0].tolist())) == 8
    for other in (turned, mirrored):
        assert torch.allclose(first.sort().values, other.sort().values, atol=1e-4)


def test_symmetric_crop_is_certain(network):
    y, x = torch.meshgrid(torch.arange(31.0) - 15, torch.arange(31.0) - 15, indexing="ij")
    logits = symmetry_logits(network, torch.exp(-(x**2 + y**2) / 40), torch.tensor([[15.0, 15.0]]))
    assert float(logits.std()) < 1e-4


def test_many_positions_do_not_depend_on_each_other(network):
    image = torch.randn(80, 80)
    xy = torch.rand(600, 2, dtype=torch.float64) * 79
    together = symmetry_logits(network, image, xy)
    assert torch.allclose(together[[5, 599]], symmetry_logits(network, image, xy[[5, 599]]), atol=1e-4)
    assert symmetry_logits(network, image, xy[:0]).shape == (0, 8)


def test_training_mode_is_an_error(network):
    with pytest.raises(ValueError, match="evaluation mode"):
        symmetry_logits(network.train(), torch.zeros(40, 40), torch.zeros(1, 2))


def test_positions_outside_of_the_image_are_the_nearest_pixel(network):
    image = torch.randn(50, 61)
    outside = torch.tensor([[-3.0, -2.0], [70.0, 20.0], [30.0, 60.0], [0.4, 0.4]], dtype=torch.float64)
    inside = torch.tensor([[0.0, 0.0], [60.0, 20.0], [30.0, 49.0], [0.0, 0.0]], dtype=torch.float64)
    assert torch.equal(symmetry_logits(network, image, outside), symmetry_logits(network, image, inside))
    assert torch.allclose(symmetry_logits(network, image, inside)[2, 0], score_image(network, image)[49, 30].double(),
                          atol=1e-4)
    corner = symmetry_logits(network, image, inside[:1])[0, 0]
    assert torch.allclose(corner, score_image(network, image)[0, 0].double(), atol=1e-4)
