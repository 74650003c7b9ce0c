import pytest
import torch
import torch.nn.functional as F

from pupicker.core.detection.scoring import ORIENTATIONS, score_image, score_orientations
from pupicker.core.networks import build


@pytest.fixture(scope="module")
def network():
    """A small network with statistics that are not those of a fresh one, in double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = build("conv31", width=4).double().eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
    return net


def noise(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(shape[0]), dtype=torch.float64)


@torch.no_grad()
def crop_by_crop(network, image):
    """Every pixel's own zero-padded crop through the strided network."""
    field = network.receptive_field_px
    padded = F.pad(image, (field // 2,) * 4)
    crops = padded.unfold(0, field, 1).unfold(1, field, 1).reshape(-1, 1, field, field)
    return network(crops).view(image.shape)


@pytest.mark.parametrize("shape", [(23, 38), (32, 17), (1, 1), (1, 19), (20, 1), (4, 4), (5, 3)])
def test_dense_scores_equal_scoring_every_crop_by_itself(network, shape):
    image = noise(shape)
    expected = crop_by_crop(network, image)
    for stride in (1, 2, 4):
        scores = score_image(network, image, stride)
        assert scores.shape == (-(-shape[0] // stride), -(-shape[1] // stride))
        torch.testing.assert_close(scores, expected[::stride, ::stride], rtol=0, atol=1e-11)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("tile", [1, 3, 8, 13, 32, 1000])
def test_tile_size_changes_nothing(network, stride, tile):
    image = noise((33, 22))
    torch.testing.assert_close(
        score_image(network, image, stride, tile), score_image(network, image, stride), rtol=0, atol=1e-11
    )


def test_single_precision_of_the_full_network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        full = build("conv31").eval().channels_last()
    image = noise((21, 18)).float()
    scores = score_image(full, image, 1, 16)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, crop_by_crop(full, image), rtol=1e-4, atol=1e-5)


def test_a_shifted_image_has_shifted_scores(network):
    image = noise((48, 50))
    moved = torch.roll(image, (3, -5), (0, 1))
    inner = slice(20, 28)
    torch.testing.assert_close(
        score_image(network, moved)[23:31, 15:23], score_image(network, image)[inner, inner], rtol=0, atol=1e-11
    )


def test_beyond_the_border_is_background(network):
    """Zeros around a micrograph change none of its scores."""
    image = noise((19, 24))
    framed = score_image(network, F.pad(image, (16,) * 4))
    torch.testing.assert_close(framed[16:-16, 16:-16], score_image(network, image), rtol=0, atol=1e-11)


def test_a_pixel_that_is_not_a_number_spoils_only_the_scores_around_it(network):
    image = noise((50, 50))
    clean = score_image(network, image)
    image[25, 25] = float("nan")
    scores = score_image(network, image)
    spoilt = torch.zeros(50, 50, dtype=torch.bool)
    spoilt[10:41, 10:41] = True
    assert torch.equal(scores.isnan(), spoilt)
    torch.testing.assert_close(scores[~spoilt], clean[~spoilt], rtol=0, atol=1e-11)


def test_a_network_in_training_mode_is_an_error():
    with pytest.raises(ValueError, match="evaluation mode"):
        score_image(build("conv31", width=2), torch.zeros(40, 40))


@pytest.mark.parametrize("shape", [(23, 38), (24, 37), (40, 22), (1, 19), (5, 3)])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_views_score_the_pixels_of_the_image(network, shape, stride):
    """One view is the plain map; several are the mean of the maps of the turned images, each turned back."""
    image = noise(shape)
    # Up to rounding: some processors add in another order for another width, and orientations are padded.
    plain = score_image(network, image, stride)
    torch.testing.assert_close(score_orientations(network, image, stride, 1), plain, rtol=0, atol=1e-11)
    turned = score_image(network, image.rot90(2)).rot90(2)
    mirrored = score_image(network, image.T.contiguous()).T
    both = score_image(network, image.rot90(2).T.contiguous()).T.rot90(2)
    two, four = [score_image(network, image), mirrored], [score_image(network, image), mirrored, turned, both]
    eight = [*four, *(score_image(network, view.contiguous()).rot90(-turns) for turns, view in (
        (turns, image.rot90(turns)) for turns in (1, 3)))]
    eight += [score_image(network, image.flip(axis).contiguous()).flip(axis) for axis in (0, 1)]
    for views in (two, four, eight):
        expected = torch.stack(views).mean(0)
        found = score_orientations(network, image, stride, len(views))
        torch.testing.assert_close(found, expected[::stride, ::stride], rtol=0, atol=1e-11)


@pytest.mark.parametrize("orientations", [1, 2, 4, 8])
def test_the_map_of_all_views_turns_with_the_image(network, orientations):
    image = noise((41, 37))
    scores = score_orientations(network, image, 2, orientations)
    for turns, mirrored in ORIENTATIONS[8]:
        turned = (image.flip(1) if mirrored else image).rot90(turns)
        expected = (scores.flip(1) if mirrored else scores).rot90(turns)
        found = score_orientations(network, turned.contiguous(), 2, orientations)
        same = torch.allclose(found, expected, rtol=0, atol=1e-11)
        assert same == ((turns, mirrored) in ORIENTATIONS[orientations]), (turns, mirrored)
