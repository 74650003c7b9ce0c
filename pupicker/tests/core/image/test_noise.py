import pytest
import torch

from pupicker.core.image.noise import noise_like
from pupicker.core.regions.regions import disc_mask


def smooth(shape, seed, length=3):
    """White noise averaged over squares: most of its power lies at low frequencies."""
    white = torch.randn(1, 1, shape[0] + 2 * length, shape[1] + 2 * length,
                        generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(white, 2 * length + 1, 1)[0, 0]


def powers(image, bands=8):
    """Mean power of rings of frequencies, a pixel."""
    power = torch.fft.rfft2(image.double() - image.double().mean()).abs() ** 2 / image.numel()
    length = torch.hypot(torch.fft.fftfreq(image.shape[0])[:, None], torch.fft.rfftfreq(image.shape[1])[None])
    band = (length * bands * 2).long()
    return torch.stack([power[band == index].mean() for index in range(bands)])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(200, 240), (151, 120), (300, 64)])
@pytest.mark.parametrize("level", [0.0, -3.0])
def test_noise_has_the_spectrum_of_the_image_at_any_size(shape, level):
    image = smooth((256, 260), 1) + level
    noise = noise_like(image, torch.ones_like(image, dtype=torch.bool), shape, generator())
    assert noise.shape == shape and noise.dtype == torch.float32
    assert float(noise.mean()) == pytest.approx(level, abs=0.05)
    assert torch.allclose(powers(noise)[:5], powers(image)[:5], rtol=0.5, atol=1e-4)
    assert float(noise.std()) == pytest.approx(float(image.std()), rel=0.1)


def test_white_noise_gives_white_noise_of_the_same_deviation():
    image = 2.5 * torch.randn(200, 200, generator=generator(3))
    noise = noise_like(image, torch.ones_like(image, dtype=torch.bool), (200, 200), generator())
    assert float(noise.std()) == pytest.approx(2.5, rel=0.03)
    assert float((noise[1:] * noise[:-1]).mean()) == pytest.approx(0, abs=0.1)


def test_what_is_no_background_does_not_count():
    image = smooth((256, 256), 5)
    places = 256 * torch.rand(40, 2, generator=generator(6), dtype=torch.float64)
    discs = disc_mask((256, 256), places, 8)
    with_particles = torch.where(discs, image - 3, image)
    everything = torch.ones_like(discs)
    clean = noise_like(image, everything, (256, 256), generator())
    left_out = noise_like(with_particles, ~discs, (256, 256), generator())
    kept = noise_like(with_particles, everything, (256, 256), generator())
    assert float(left_out.std()) == pytest.approx(float(clean.std()), rel=0.1)
    assert float(kept.std()) > 2 * float(clean.std())


def test_a_constant_image_gives_itself_and_a_seed_gives_the_same_noise():
    flat = torch.full((40, 50), 1.5)
    everything = torch.ones_like(flat, dtype=torch.bool)
    assert torch.allclose(noise_like(flat, everything, (30, 30), generator()), torch.full((30, 30), 1.5))
    image = smooth((60, 70), 2)
    first, again, other = (noise_like(image, torch.ones_like(image, dtype=torch.bool), (60, 70), generator(seed))
                           for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
