"""Make the weights that a training starts from: pupicker/weights/NETWORK.safetensors.

    python tools/pretrain.py [--network conv47] [--scenes 2400] [--updates 12000] [--threads 2] [--device cpu]
        [--output FILE]

The network learns to tell centres of particles from everything else on simulated micrographs of thousands of made-up
particles (pupicker/simulation/random_scene.py), in which the truth is known.  No real micrograph and no known structure
is used, so that a model that starts from these weights can be judged on any of them.  Contamination is left out of the
scenes as training leaves it out of micrographs (pupicker/core/exclusion.py).

A minibatch has 32 patches of 4×4 regions, all of which the truth labels: half of the patches have one of their regions
on the centre of a particle, half lie anywhere.  Contrast, grey level and noise of each patch vary.  With g the
probability of a region, the loss is

    L = w mean(-log g over regions on a centre) + (1 - w) mean(-log(1 - g) over the others),    w = 1/4,

that of a minibatch of which a quarter is positive, however many the patches happen to hold; w = 0 would call everything
background.  The step size falls along a cosine, and the running average of the weights is kept.  The average precision
on scenes that training has not seen is printed and goes into the file's header.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

import pupicker
from pupicker.core.background import flatten
from pupicker.core.crops import gather, margin_for, perturb, random_transforms, stack_micrographs
from pupicker.core.exclusion import (
    DEPTH_WITHOUT_LABELS,
    contamination_mask,
    depth,
    limit_from_particles,
    pixels_of,
)
from pupicker.core.geometry import BACKGROUND, MATCH_RADIUS, MIN_DISTANCE, TRAINING_RADIUS
from pupicker.core.histograms import histogram, stack_histograms
from pupicker.core.metrics import match_picks, precision_recall
from pupicker.core.networks import DEFAULT_NETWORK, Classifier, build
from pupicker.core.normalization import fit, normalize
from pupicker.core.patches import patch_grid
from pupicker.core.regions import disc_mask
from pupicker.engine.atomic import atomic_path
from pupicker.engine.validation import pick_image
from pupicker.simulation.random_scene import DIAMETER_PX, random_scene

WEIGHTS = Path(pupicker.__file__).parent / "weights"
HELD_OUT = 60
PATCHES = 32
POSITIVE_WEIGHT = 0.25
CONTRAST_SD = 0.5
LEARNING_RATE, WARM_UP, DECAY = 2e-3, 100, 0.995

Example = tuple[Tensor, Tensor]


def example(seed: int, index: int) -> Example:
    """Network input ``(h, w)`` float16 of a scene, normalised and flattened as micrographs are, and its centres."""
    torch.set_num_threads(1)
    scene = random_scene(seed, index)
    image, xy = torch.from_numpy(scene.image), torch.from_numpy(scene.xy)
    joint = fit(stack_histograms([histogram(image)]))
    normal = normalize(image, joint.mixture, float(joint.scale[0]), float(joint.offset[0]))
    limit = limit_from_particles([depth(image, DIAMETER_PX, DEPTH_WITHOUT_LABELS)], [xy], DIAMETER_PX)
    foreign = contamination_mask(image, DIAMETER_PX, limit)
    return flatten(normal, BACKGROUND * DIAMETER_PX, foreign).half(), xy[~foreign[pixels_of(xy, foreign)]]


class Batches:
    """Minibatches of patches and their labels; the scenes have one size."""

    def __init__(self, examples: list[Example], network: Classifier, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._grid = patch_grid(network.receptive_field_px, network.total_stride)
        self._mask = torch.stack(
            [disc_mask((image.shape[0], image.shape[1]), xy, TRAINING_RADIUS * DIAMETER_PX) for image, xy in examples]
        )
        self._centres = self._mask.nonzero()
        margin = margin_for(self._grid.side_px) + self._grid.reach_px
        self._stack = stack_micrographs([image.float() for image, _ in examples], margin)

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Patches ``(n, 1, side, side)``; for their regions ``(n, regions)`` which are on a centre, which off any."""
        turn = random_transforms(PATCHES, self._generator)
        where = torch.stack([torch.randint(n, (PATCHES,), generator=self._generator) for n in self._mask.shape], dim=1)
        half = PATCHES // 2
        centre = self._centres[torch.randint(len(self._centres), (half,), generator=self._generator)]
        which = torch.randint(self._grid.regions, (half,), generator=self._generator)
        shift = self._grid.centres(torch.zeros(half, 2, dtype=torch.int64), turn[:half])[torch.arange(half), which]
        last = torch.tensor(self._mask.shape[1:]) - 1
        where[:half] = torch.cat([centre[:, :1], (centre[:, 1:] - shift).clamp(torch.zeros_like(last), last)], dim=1)
        patches = gather(self._stack, where, self._grid.side_px, turn)
        contrast = torch.exp(torch.randn(PATCHES, 1, 1, 1, generator=self._generator) * CONTRAST_SD)
        at = self._grid.centres(where[:, 1:], turn)
        inside = ((at >= 0) & (at <= last)).all(dim=-1)
        at = at.clamp(torch.zeros_like(last), last)
        on = self._mask[where[:, :1].expand(-1, self._grid.regions), at[..., 0], at[..., 1]]
        return perturb(patches * contrast, self._generator), inside & on, inside & ~on


def average_precision(network: Classifier, examples: list[Example]) -> float:
    """Mean over micrographs."""
    values = []
    for image, xy in examples:
        found, logit = pick_image(network, image.float(), MIN_DISTANCE * DIAMETER_PX)
        hits = match_picks(found.numpy(), logit.numpy(), xy.numpy(), MATCH_RADIUS * DIAMETER_PX) >= 0
        values.append(precision_recall([hits], [logit.numpy()], len(xy)).average_precision)
    return statistics.mean(values)


def train(network: Classifier, batches: Batches, updates: int, device: torch.device) -> dict[str, Tensor]:
    """Fit and return the average of the weights, on the processor."""
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=1e-2)
    losses, start = [], time.monotonic()
    for update in range(1, updates + 1):
        falling = 0.05 + 0.475 * (1 + math.cos(math.pi * update / updates))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, update / WARM_UP) * falling
        patches, on, off = (part.to(device) for part in batches.draw())
        logits = network(patches.contiguous(memory_format=torch.channels_last)).flatten(1)
        positive, negative = F.softplus(-logits[on]).mean(), F.softplus(logits[off]).mean()
        loss = POSITIVE_WEIGHT * positive + (1 - POSITIVE_WEIGHT) * negative
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        share = 1 - min(DECAY, update / (update + 10))
        for name, value in network.state_dict().items():
            mean[name] = mean[name].lerp(value, share) if value.is_floating_point() else value.clone()
        losses.append(float(loss.detach()))
        if update % 500 == 0 or update == updates:
            sys.stderr.write(f"{update}/{updates}: loss {statistics.mean(losses[-500:]):.4f},"
                             f" {time.monotonic() - start:.0f} s\n")
    return {name: value.cpu() for name, value in mean.items()}


def main() -> None:
    """Simulate, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    parser.add_argument("--scenes", type=int, default=2400)
    parser.add_argument("--updates", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--output", type=Path, help="default: the package's own file for the network")
    args = parser.parse_args()
    output = args.output or WEIGHTS / f"{args.network}.safetensors"
    with ProcessPoolExecutor(args.threads) as pool:
        examples = list(pool.map(partial(example, args.seed), range(args.scenes), chunksize=8))
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    network = build(args.network).to(args.device).channels_last()
    batches = Batches(examples[HELD_OUT:], network, args.seed)
    weights = train(network.train(), batches, args.updates, args.device)
    network.cpu().load_state_dict(weights)
    precision = average_precision(network.eval(), examples[:HELD_OUT])
    header = {
        "network": args.network, "made_by": "tools/pretrain.py", "scenes": args.scenes, "updates": args.updates,
        "seed": args.seed, "particles": int(sum(len(xy) for _, xy in examples)),
        "average_precision_on_unseen_scenes": round(precision, 4), "software": {"pupicker": pupicker.__version__,
        "torch": torch.__version__, "numpy": np.__version__},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(output) as temporary:
        save_file({name: t.contiguous() for name, t in weights.items()}, str(temporary),
                  metadata={"pupicker_weights": json.dumps(header)})
    sys.stdout.write(json.dumps(header, indent=1) + "\n")


if __name__ == "__main__":
    main()
