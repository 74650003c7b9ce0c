from __future__ import annotations

import math

import pytest
import torch

from pupicker.core.detection.dog import difference_of_gaussians
from pupicker.core.detection.template import match_templates, rotated, soft_disc

RATIO = 1.6


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def _gaussian_at(image: torch.Tensor, row: int, column: int, sigma: float) -> float:
    """Mean under a Gaussian that ends as the library's does; weights outside of the image left out."""
    reach, total, weight = max(1, int(3 * sigma + 0.5)), 0.0, 0.0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            y, x = row + dy, column + dx
            if 0 <= y < image.shape[0] and 0 <= x < image.shape[1]:
                w = math.exp(-(dy * dy + dx * dx) / (2 * sigma**2))
                total, weight = total + w * float(image[y, x]), weight + w
    return total / weight


@pytest.mark.parametrize(("shape", "diameter"), [((17, 23), 6.0), ((24, 16), 9.3)])
def test_difference_of_gaussians_against_the_formula(shape, diameter):
    image = _noise(*shape)
    found = difference_of_gaussians(image, diameter)
    inner = diameter / 2 / math.sqrt(2) / math.sqrt(RATIO)
    for row, column in ((0, 0), (5, 7), (shape[0] - 1, 3), (9, shape[1] - 1)):
        wanted = _gaussian_at(image, row, column, RATIO * inner) - _gaussian_at(image, row, column, inner)
        assert float(found[row, column]) == pytest.approx(wanted, abs=1e-9)


def test_a_dark_disc_of_the_diameter_answers_more_than_one_of_half_or_twice_its_size():
    answers = []
    for factor in (0.5, 1.0, 2.0):
        template = soft_disc(20.0 * factor)
        image = torch.zeros(121, 121)
        reach = template.shape[0] // 2
        image[60 - reach : 61 + reach, 60 - reach : 61 + reach] = template
        answers.append(float(difference_of_gaussians(image, 20.0)[60, 60]))
    assert answers[1] > max(answers[0], answers[2]) > 0


@pytest.mark.parametrize("shape", [(16, 21), (19, 14)])
def test_correlation_against_the_formula(shape):
    image, template, radius = _noise(*shape, seed=1), _noise(7, 7, seed=2), 3.2
    found = match_templates(image, [template], radius)
    offset = torch.arange(7) - 3
    mask = (offset[:, None] ** 2 + offset[None, :] ** 2) <= radius**2
    for row in range(shape[0]):
        for column in range(shape[1]):
            patch = torch.zeros(7, 7, dtype=torch.float64)  # outside of the micrograph is zero
            for dy in range(-3, 4):
                for dx in range(-3, 4):
                    y, x = row + dy, column + dx
                    if 0 <= y < shape[0] and 0 <= x < shape[1]:
                        patch[dy + 3, dx + 3] = image[y, x]
            a, b = patch[mask] - patch[mask].mean(), template[mask] - template[mask].mean()
            wanted = float((a * b).sum() / (a.norm() * b.norm()))
            assert float(found[row, column]) == pytest.approx(wanted, abs=1e-6)


def test_correlation_is_one_at_the_template_whatever_its_grey_levels():
    template, image = _noise(9, 9, seed=3), _noise(40, 40, seed=4)
    image[10:19, 20:29] = 100 + 7 * template
    found = match_templates(image, [template], 4.5)
    assert float(found[14, 24]) == pytest.approx(1.0, abs=1e-6)
    assert found.argmax() == 14 * 40 + 24
    assert torch.allclose(found, match_templates(5 * image, [template], 4.5), atol=1e-6)


def test_the_best_of_several_templates_counts():
    first, second = _noise(9, 9, seed=5), _noise(9, 9, seed=6)
    image = _noise(30, 30, seed=7)
    both = match_templates(image, [first, second], 4.5)
    single = [match_templates(image, [one], 4.5) for one in (first, second)]
    assert torch.allclose(both, torch.maximum(*single))


def test_rotations_of_a_template():
    template = _noise(9, 9, seed=8)
    copies = rotated(template, 90.0)
    assert len(copies) == 4
    assert torch.equal(copies[0], template)
    for copy in copies:
        assert any(torch.allclose(copy, torch.rot90(template, k), atol=1e-6) for k in range(4))
    assert len({round(float(copy[0, 0]), 6) for copy in copies}) == 4
    assert len(rotated(template, 15.0)) == 24


def test_a_turned_particle_is_found_with_rotations_only():
    rows, columns = torch.arange(21)[:, None] - 10, torch.arange(21)[None, :] - 10
    bar = -((rows.abs() <= 2) & (columns.abs() <= 8)).double()
    image = 0.05 * _noise(60, 60, seed=9)
    image[20:41, 20:41] += bar.T
    assert float(match_templates(image, rotated(bar, 15.0), 10.5)[30, 30]) > 0.9
    assert float(match_templates(image, [bar], 10.5)[30, 30]) < 0.5


def test_a_template_without_contrast_is_an_error():
    with pytest.raises(ValueError, match="without contrast"):
        match_templates(_noise(20, 20), [torch.ones(7, 7)], 3.5)
