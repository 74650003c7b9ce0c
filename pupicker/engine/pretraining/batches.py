"""Minibatches of patches of 4×4 regions, all of which the truth labels.

Half of the patches have one of their regions on the centre of a particle, half lie anywhere.  Contrast, grey level and
noise of each patch vary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pupicker.core.geometry import TRAINING_RADIUS
from pupicker.core.networks import Classifier
from pupicker.core.regions.crops import gather, margin_for, perturb, random_transforms, stack_micrographs
from pupicker.core.regions.patches import patch_grid
from pupicker.core.regions.regions import disc_mask
from pupicker.engine.pretraining.examples import Example

CONTRAST_SD = 0.5
"""Of the logarithm of a patch's contrast."""


class Batches:
    """Draws minibatches on a device from scenes of one size.

    Parameters
    ----------
    examples
        Scenes and their centres.
    diameter_px
        Of the particles.
    network
        Its field and stride decide what a patch is.
    patches
        Of a minibatch.
    seed, device
        Of the generator; where the scenes lie.
    """

    def __init__(
        self, examples: list[Example], diameter_px: float, network: Classifier, patches: int, seed: int,
        device: torch.device,
    ) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)
        self._device, self._patches = device, patches
        self._grid = patch_grid(network.receptive_field_px, network.total_stride)
        height, width = examples[0][0].shape
        mask = torch.stack([disc_mask((height, width), xy, TRAINING_RADIUS * diameter_px) for _, xy in examples])
        self._centres = torch.cat([
            F.pad(one.nonzero(), (1, 0), value=index) for index, one in enumerate(mask)]).to(device)
        self._mask = mask.to(device)
        self._last = torch.tensor([height - 1, width - 1], device=device)
        margin = margin_for(self._grid.side_px) + self._grid.reach_px
        self._stack = stack_micrographs([image.float() for image, _ in examples], margin).to(device)

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Patches ``(n, 1, side, side)``; for their regions ``(n, regions)`` which are on a centre, which off any."""
        turn = random_transforms(self._patches, self._generator)
        where = torch.stack([self._below(n, self._patches) for n in self._mask.shape], dim=1)
        half = self._patches // 2
        centre = self._centres[self._below(len(self._centres), half)]
        which = self._below(self._grid.regions, half)
        zero = torch.zeros_like(self._last)
        of_all = self._grid.centres(zero.expand(half, 2), turn[:half])
        shift = of_all.gather(1, which[:, None, None].expand(-1, 1, 2))[:, 0]
        where[:half] = torch.cat([centre[:, :1], (centre[:, 1:] - shift).clamp(zero, self._last)], dim=1)
        patches = gather(self._stack, where, self._grid.side_px, turn)
        contrast = torch.randn(self._patches, 1, 1, 1, generator=self._generator, device=self._device)
        at = self._grid.centres(where[:, 1:], turn)
        inside = ((at >= 0) & (at <= self._last)).all(dim=-1)
        at = at.clamp(zero, self._last)
        on = self._mask[where[:, :1].expand(-1, self._grid.regions), at[..., 0], at[..., 1]]
        return perturb(patches * torch.exp(contrast * CONTRAST_SD), self._generator), inside & on, inside & ~on

    def _below(self, limit: int, count: int) -> Tensor:
        return torch.randint(limit, (count,), generator=self._generator, device=self._device)
