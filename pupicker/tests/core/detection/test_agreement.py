from __future__ import annotations

import pytest
import torch

from pupicker.core.detection.agreement import agreement, blob_response, values_at

DIAMETER = 12.0


@pytest.fixture(scope="module")
def image():
    """Dark blobs in noise, and where they are."""
    generator = torch.Generator().manual_seed(1)
    places = torch.cartesian_prod(torch.arange(20.0, 180, 40), torch.arange(20.0, 130, 40)) + torch.rand(
        (12, 2), generator=generator) * 8
    y, x = torch.meshgrid(torch.arange(140.0), torch.arange(200.0), indexing="ij")
    pixels = torch.randn((140, 200), generator=generator)
    for place in places:
        pixels -= 2 * torch.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (DIAMETER**2 / 8))
    return pixels, places


def test_particles_agree_and_other_places_do_not(image):
    pixels, places = image
    response = blob_response(pixels, DIAMETER)

    def of(xy, response=response):
        return agreement(values_at([response], [xy]), [xy], DIAMETER)

    assert of(places) > 10 and of(places, -response) < -10
    generator = torch.Generator().manual_seed(2)
    size = torch.tensor([199.0, 139.0])
    chance = torch.tensor([of(torch.rand((12, 2), generator=generator) * size) for _ in range(200)])
    assert chance.abs().max() < 5 and chance.std() == pytest.approx(1, abs=0.35)
    assert of(places + 1000) == 0 and of(torch.empty((0, 2))) == 0


def test_many_labels_on_one_spot_count_once(image):
    pixels, places = image
    response = blob_response(pixels, DIAMETER)
    crowd = places[:1].repeat(100, 1)
    one, many = (agreement(values_at([response], [xy]), [xy], DIAMETER) for xy in (places[:1], crowd))
    assert many == pytest.approx(one)


def test_grey_level_and_scale_do_not_matter(image):
    pixels, _ = image
    torch.testing.assert_close(blob_response(3 * pixels + 100, DIAMETER), blob_response(pixels, DIAMETER), atol=1e-3,
                               rtol=0)
    assert not blob_response(torch.ones((40, 40)), DIAMETER).any()
