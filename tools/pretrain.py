"""Make the weights that a training starts from: pupicker/weights/conv31.safetensors.

    python tools/pretrain.py [--scenes 2400] [--updates 8000] [--threads 2] [--output FILE]

The network learns to tell centres of particles from everything else on simulated micrographs of thousands of made-up
particles (pupicker/simulation/random_scene.py), in which the truth is known.  No real micrograph and no known structure
is used, so that a model that starts from these weights can be judged on any of them.

A minibatch has 64 centres, 48 places on or beside a particle but off its centre, and 144 places anywhere else;
contrast, grey level and noise of each crop vary.  The loss is the logistic one, the step size falls along a cosine, and
the running average of the weights is kept.  The average precision on scenes that training has not seen is printed and
goes into the file's header.
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
from pupicker.core.geometry import BACKGROUND, MATCH_RADIUS, MIN_DISTANCE, TRAINING_RADIUS
from pupicker.core.histograms import histogram, stack_histograms
from pupicker.core.metrics import match_picks, precision_recall
from pupicker.core.networks import Classifier, build
from pupicker.core.normalization import fit, normalize
from pupicker.core.regions import disc_mask
from pupicker.engine.atomic import atomic_path
from pupicker.engine.validation import pick_image
from pupicker.simulation.random_scene import DIAMETER_PX, random_scene

NETWORK = "conv31"
WEIGHTS = Path(pupicker.__file__).parent / "weights"
HELD_OUT = 60
CENTRES, BESIDE, ELSEWHERE = 64, 48, 144
RING_PX = (0.16 * DIAMETER_PX, 0.5 * DIAMETER_PX)
CONTRAST_SD = 0.5
LEARNING_RATE, WARM_UP, DECAY = 2e-3, 100, 0.995

Example = tuple[Tensor, Tensor]


def example(seed: int, index: int) -> Example:
    """Network input ``(h, w)`` float16 of a scene, normalised and flattened as micrographs are, and its centres."""
    torch.set_num_threads(1)
    scene = random_scene(seed, index)
    image = torch.from_numpy(scene.image)
    joint = fit(stack_histograms([histogram(image)]))
    normal = normalize(image, joint.mixture, float(joint.scale[0]), float(joint.offset[0]))
    return flatten(normal, BACKGROUND * DIAMETER_PX).half(), torch.from_numpy(scene.xy)


def places(examples: list[Example], generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Micrograph, row, column of all centre pixels and of some beside them; bool of the former for every pixel."""
    centres: list[Tensor] = []
    beside: list[Tensor] = []
    masks = []
    for index, (image, xy) in enumerate(examples):
        shape = (int(image.shape[0]), int(image.shape[1]))
        mask = disc_mask(shape, xy, TRAINING_RADIUS * DIAMETER_PX)
        ring = (disc_mask(shape, xy, RING_PX[1]) & ~disc_mask(shape, xy, RING_PX[0])).nonzero()
        ring = ring[torch.randperm(len(ring), generator=generator)[:400]]
        for found, where in ((centres, mask.nonzero()), (beside, ring)):
            found.append(F.pad(where, (1, 0), value=index))
        masks.append(mask)
    return torch.cat(centres), torch.cat(beside), torch.stack(masks)


class Batches:
    """Minibatches of crops, the positive ones first."""

    def __init__(self, examples: list[Example], size_px: int, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._size_px = size_px
        self._centres, self._beside, self._mask = places(examples, self._generator)
        self._stack = stack_micrographs([image.float() for image, _ in examples], margin_for(size_px))

    def draw(self) -> Tensor:
        """``(256, 1, size, size)``."""
        anywhere = torch.stack(
            [torch.randint(n, (2 * ELSEWHERE,), generator=self._generator) for n in self._mask.shape], dim=1
        )
        free = anywhere[~self._mask[tuple(anywhere.T)]][:ELSEWHERE]
        where = torch.cat([self._some(self._centres, CENTRES), self._some(self._beside, BESIDE), free])
        crops = gather(self._stack, where, self._size_px, random_transforms(len(where), self._generator))
        contrast = torch.exp(torch.randn(len(where), 1, 1, 1, generator=self._generator) * CONTRAST_SD)
        return perturb(crops * contrast, self._generator)

    def _some(self, among: Tensor, count: int) -> Tensor:
        return among[torch.randint(len(among), (count,), generator=self._generator)]


def average_precision(network: Classifier, examples: list[Example]) -> float:
    """Mean over micrographs."""
    values = []
    for image, xy in examples:
        found, logit = pick_image(network, image.float(), MIN_DISTANCE * DIAMETER_PX)
        hits = match_picks(found.numpy(), logit.numpy(), xy.numpy(), MATCH_RADIUS * DIAMETER_PX) >= 0
        values.append(precision_recall([hits], [logit.numpy()], len(xy)).average_precision)
    return statistics.mean(values)


def train(network: Classifier, batches: Batches, updates: int) -> dict[str, Tensor]:
    """Fit and return the average of the weights."""
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=1e-2)
    target = torch.zeros(CENTRES + BESIDE + ELSEWHERE)
    target[:CENTRES] = 1
    losses, start = [], time.monotonic()
    for update in range(1, updates + 1):
        falling = 0.05 + 0.475 * (1 + math.cos(math.pi * update / updates))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, update / WARM_UP) * falling
        logits = network(batches.draw())[:, 0, 0]
        loss = F.binary_cross_entropy_with_logits(logits, target[: len(logits)])
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
    return mean


def main() -> None:
    """Simulate, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=2400)
    parser.add_argument("--updates", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=WEIGHTS / f"{NETWORK}.safetensors")
    args = parser.parse_args()
    with ProcessPoolExecutor(args.threads) as pool:
        examples = list(pool.map(partial(example, args.seed), range(args.scenes), chunksize=8))
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    network = build(NETWORK).channels_last()
    batches = Batches(examples[HELD_OUT:], network.receptive_field_px, args.seed)
    weights = train(network.train(), batches, args.updates)
    network.load_state_dict(weights)
    precision = average_precision(network.eval(), examples[:HELD_OUT])
    header = {
        "network": NETWORK, "made_by": "tools/pretrain.py", "scenes": args.scenes, "updates": args.updates,
        "seed": args.seed, "particles": int(sum(len(xy) for _, xy in examples)),
        "average_precision_on_unseen_scenes": round(precision, 4), "software": {"pupicker": pupicker.__version__,
        "torch": torch.__version__, "numpy": np.__version__},
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.output) as temporary:
        save_file({name: t.contiguous() for name, t in weights.items()}, str(temporary),
                  metadata={"pupicker_weights": json.dumps(header)})
    sys.stdout.write(json.dumps(header, indent=1) + "\n")


if __name__ == "__main__":
    main()
