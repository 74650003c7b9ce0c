"""What the minibatches of pretraining hold; scenes that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pupicker.core.geometry import TRAINING_RADIUS
from pupicker.core.networks import build
from pupicker.core.regions.regions import disc_mask
from pupicker.engine.pretraining import batches as batches_module
from pupicker.engine.pretraining.examples import load_examples, save_examples
from pupicker.engine.runtime.errors import InputError

DIAMETER_PX = 22.0


def discs(shape: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """Two images that are one on the discs of their centres, all far from the border, and zero elsewhere."""
    found = []
    for xy in (torch.tensor([[30.2, 40.7], [59.9, 83.1], [88.0, 59.6]]), torch.tensor([[50.0, 32.3], [70.8, 55.5]])):
        xy = xy.double()
        found.append((disc_mask(shape, xy, TRAINING_RADIUS * DIAMETER_PX).half(), xy))
    return found


def test_regions_of_a_patch_are_labelled_as_the_truth_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The central pixel of each region is one exactly if the region is on a centre; outside nothing counts."""
    monkeypatch.setattr(batches_module, "perturb", lambda patches, _: patches)
    network = build("conv47")
    shape, cpu = (110, 130), torch.device("cpu")
    batches = batches_module.Batches(discs(shape), DIAMETER_PX, network, 64, 5, cpu)
    agree, counted = 0, 0
    for _ in range(8):
        patches, on, off = batches.draw()
        assert patches.shape == (64, 1, 71, 71) and on.shape == off.shape == (64, 16)
        assert not bool((on & off).any())
        centre = patches[:, 0, 23:-23:8, 23:-23:8].flatten(1)
        value = (centre > 0.3).float()  # the contrast of a patch is its own; a turn interpolates
        agree += int(((value == on.float()) & (on | off)).sum())
        counted += int((on | off).sum())
        assert bool(on[:32].any(dim=1).all())  # one region of each patch of the first half is on a centre
        assert 0 < int((~on & ~off).sum()) < on.numel() / 2  # outside of the image nothing counts
    assert agree / counted > 0.98


def test_examples_are_kept_with_their_seed(tmp_path: Path) -> None:
    path, examples = tmp_path / "scenes.safetensors", discs((110, 130))
    save_examples(path, examples, 3)
    for count in (1, 2):
        read = load_examples(path, 3, count)
        assert len(read) == count
        for (image, xy), (other, positions) in zip(read, examples, strict=False):
            assert torch.equal(image, other) and torch.equal(xy, positions)
    for seed, count in ((4, 2), (3, 3)):
        with pytest.raises(InputError, match=f"has 2 scenes of seed 3, not {count} of seed {seed}") as caught:
            load_examples(path, seed, count)
        assert caught.value.parameters == ("scenes", "seed")
