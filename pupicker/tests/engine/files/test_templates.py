"""Templates for the template picker: the particle of a file lands in the middle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pupicker.core.geometry import geometry
from pupicker.engine.files.micrographs import write_mrc
from pupicker.engine.files.templates import read_templates

PIXEL_SIZE_ANG, DIAMETER_ANG = 4.0, 120.0


@pytest.mark.parametrize("side", [63, 64, 65, 80, 81])
def test_the_middle_of_an_image_stays_the_middle(tmp_path, side):
    """Pixel n // 2, as RELION and Scipion have it, of even and odd sizes."""
    distance = np.arange(side) - side // 2
    image = -np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * 5.0**2))
    write_mrc(tmp_path / "t.mrc", image.astype(np.float32), PIXEL_SIZE_ANG)
    (template,) = read_templates(tmp_path / "t.mrc", None, geometry(DIAMETER_ANG, PIXEL_SIZE_ANG, 22))
    weight = (template.max() - template).clamp(min=0) ** 2
    places = torch.arange(template.shape[0], dtype=weight.dtype)
    for axis in (0, 1):
        middle = float((weight.sum(dim=1 - axis) * places).sum() / weight.sum())
        assert middle == pytest.approx(template.shape[0] // 2, abs=0.02)
