"""Make the weights that a training starts from: pupicker/weights/NETWORK.safetensors.

    python tools/pretrain.py [--network conv47] [--scenes 2400] [--updates 12000] [--patches 32] [--threads 2]
        [--device cpu] [--examples FILE] [--output FILE]

The network learns to tell centres of particles from everything else on simulated micrographs of thousands of made-up
particles (pupicker/simulation/random_scene.py), in which the truth is known.  No real micrograph and no known structure
is used, so that a model that starts from these weights can be judged on any of them.  Contamination is left out of the
scenes as training leaves it out of micrographs (pupicker/core/detection/contamination.py).

A minibatch has patches of 4×4 regions, all of which the truth labels: half of the patches have one of their regions
on the centre of a particle, half lie anywhere.  Contrast, grey level and noise of each patch vary.  With g the
probability of a region, the loss is

    L = w mean(-log g over regions on a centre) + (1 - w) mean(-log(1 - g) over the others),    w = 1/4,

that of a minibatch of which a quarter is positive, however many the patches happen to hold; w = 0 would call everything
background.  The step size falls along a cosine, and the running average of the weights is kept.  The average precision
on scenes that training has not seen is printed and goes into the file's header.

Simulating takes longer than training on a GPU: --examples keeps the scenes for the next network.
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
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import pupicker
from pupicker.core.detection.candidates import pick_image
from pupicker.core.detection.contamination import (
    DEPTH_WITHOUT_LABELS,
    contamination_mask,
    depth,
    limit_from_particles,
    pixels_of,
)
from pupicker.core.geometry import BACKGROUND, MATCH_RADIUS, MIN_DISTANCE, TRAINING_RADIUS
from pupicker.core.image.background import flatten
from pupicker.core.image.histograms import histogram, stack_histograms
from pupicker.core.image.normalization import JointFit, fit, normalize
from pupicker.core.networks import DEFAULT_NETWORK, Classifier, build
from pupicker.core.regions.crops import gather, margin_for, perturb, random_transforms, stack_micrographs
from pupicker.core.regions.patches import patch_grid
from pupicker.core.regions.regions import disc_mask
from pupicker.core.scores.metrics import match_picks, precision_recall
from pupicker.shared.atomic import atomic_path
from pupicker.simulation.random_scene import DIAMETER_PX, random_scene

WEIGHTS = Path(pupicker.__file__).parent / "weights"
HELD_OUT = 60
POSITIVE_WEIGHT = 0.25
CONTRAST_SD = 0.5
LEARNING_RATE, WARM_UP, DECAY = 2e-3, 100, 0.995
REPORT = 500

Example = tuple[Tensor, Tensor]


def simulated(seed: int, index: int) -> tuple[Tensor, JointFit, Tensor]:
    """A scene ``(h, w)``, the fit that normalises it, and its centres ``(n, 2)``."""
    torch.set_num_threads(1)
    scene = random_scene(seed, index)
    image = torch.from_numpy(scene.image)
    return image, fit(stack_histograms([histogram(image)])), torch.from_numpy(scene.xy)


def network_input(image: Tensor, joint: JointFit, xy: Tensor, device: torch.device) -> Example:
    """Float16 ``(h, w)``, normalised and flattened as micrographs are, and the centres outside of contamination."""
    image = image.to(device)
    limit = limit_from_particles([depth(image, DIAMETER_PX, DEPTH_WITHOUT_LABELS)], [xy.to(device)], DIAMETER_PX)
    foreign = contamination_mask(image, DIAMETER_PX, limit)
    normal = normalize(image, joint.mixture, float(joint.scale[0]), float(joint.offset[0]))
    flat = flatten(normal, BACKGROUND * DIAMETER_PX, foreign).half().cpu()
    foreign = foreign.cpu()
    return flat, xy[~foreign[pixels_of(xy, foreign)]]


def example(seed: int, index: int) -> Example:
    """The whole of it on the processor."""
    return network_input(*simulated(seed, index), torch.device("cpu"))


def make_examples(seed: int, scenes: int, threads: int, device: torch.device) -> list[Example]:
    """Simulate in processes of their own; what convolves is done by a GPU if there is one."""
    with ProcessPoolExecutor(threads, get_context("spawn")) as pool:
        if device.type == "cpu":
            return list(pool.map(partial(example, seed), range(scenes), chunksize=8))
        made = pool.map(partial(simulated, seed), range(scenes), chunksize=8)
        return [network_input(*one, device) for one in made]


def kept_examples(path: Path | None, seed: int, scenes: int, threads: int, device: torch.device) -> list[Example]:
    """Those of a file, which is made if it does not exist."""
    if path is None or not path.is_file():
        examples = make_examples(seed, scenes, threads, device)
        if path is not None:
            with atomic_path(path) as temporary:
                save_file({"image": torch.stack([image for image, _ in examples]),
                           "xy": torch.cat([xy for _, xy in examples]),
                           "count": torch.tensor([len(xy) for _, xy in examples])}, str(temporary),
                          metadata={"seed": str(seed)})
        return examples
    with safe_open(str(path), "pt") as file:
        kept_seed = file.metadata()["seed"]
    kept = load_file(str(path))
    if len(kept["image"]) < scenes or kept_seed != str(seed):
        raise SystemExit(f"{path}: has {len(kept['image'])} scenes of seed {kept_seed}, not {scenes} of seed {seed};"
                         " change --scenes or --seed, or give another file")
    count = kept["count"].tolist()
    return list(zip(kept["image"][:scenes], kept["xy"].split(count)[:scenes], strict=True))


class Batches:
    """Minibatches of patches and their labels on a device; the scenes have one size."""

    def __init__(self, examples: list[Example], network: Classifier, patches: int, seed: int,
                 device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)
        self._device, self._patches = device, patches
        self._grid = patch_grid(network.receptive_field_px, network.total_stride)
        height, width = examples[0][0].shape
        mask = torch.stack([disc_mask((height, width), xy, TRAINING_RADIUS * DIAMETER_PX) for _, xy in examples])
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


def average_precision(network: Classifier, examples: list[Example]) -> float:
    """Mean over micrographs."""
    values = []
    for image, xy in examples:
        found, logit = pick_image(network, image.float(), MIN_DISTANCE * DIAMETER_PX)
        hits = match_picks(found.numpy(), logit.numpy(), xy.numpy(), MATCH_RADIUS * DIAMETER_PX) >= 0
        values.append(precision_recall([hits], [logit.numpy()], len(xy)).average_precision)
    return statistics.mean(values)


def mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen ones; no transfer to the processor, unlike an index."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def train(network: Classifier, batches: Batches, updates: int) -> dict[str, Tensor]:
    """Fit and return the average of the weights, on the processor."""
    state = network.state_dict()
    names = [name for name, value in state.items() if value.is_floating_point()]
    live, mean = [state[name] for name in names], [state[name].clone() for name in names]
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=1e-2)
    total, start = torch.zeros((), device=live[0].device), time.monotonic()
    for update in range(1, updates + 1):
        falling = 0.05 + 0.475 * (1 + math.cos(math.pi * update / updates))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, update / WARM_UP) * falling
        patches, on, off = batches.draw()
        logits = network(patches.contiguous(memory_format=torch.channels_last)).flatten(1)
        positive, negative = mean_where(F.softplus(-logits), on), mean_where(F.softplus(logits), off)
        loss = POSITIVE_WEIGHT * positive + (1 - POSITIVE_WEIGHT) * negative
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        torch._foreach_lerp_(mean, live, 1 - min(DECAY, update / (update + 10)))
        total += loss.detach()
        if update % REPORT == 0:
            seconds = time.monotonic() - start
            sys.stderr.write(f"{update}/{updates}: loss {float(total) / REPORT:.4f}, {seconds:.0f} s\n")
            total.zero_()
    averaged = dict(zip(names, mean, strict=True))
    return {name: averaged.get(name, value).cpu() for name, value in network.state_dict().items()}


def main() -> None:
    """Simulate, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    parser.add_argument("--scenes", type=int, default=2400)
    parser.add_argument("--updates", type=int, default=12000)
    parser.add_argument("--patches", type=int, default=32, help="in a minibatch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--examples", type=Path, help="file to keep the scenes in, or to take them from")
    parser.add_argument("--output", type=Path, help="default: the package's own file for the network")
    args = parser.parse_args()
    if args.scenes <= HELD_OUT:
        parser.error(f"--scenes {args.scenes}: {HELD_OUT} of them are held out, give more")
    output = args.output or WEIGHTS / f"{args.network}.safetensors"
    examples = kept_examples(args.examples, args.seed, args.scenes, args.threads, args.device)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    torch.backends.cudnn.benchmark = True  # all minibatches have one size
    network = build(args.network).to(args.device).channels_last()
    batches = Batches(examples[HELD_OUT:], network, args.patches, args.seed, args.device)
    weights = train(network.train(), batches, args.updates)
    network.cpu().load_state_dict(weights)
    precision = average_precision(network.eval(), examples[:HELD_OUT])
    header = {
        "network": args.network, "made_by": "tools/pretrain.py", "scenes": args.scenes, "updates": args.updates,
        "patches": args.patches, "seed": args.seed, "particles": int(sum(len(xy) for _, xy in examples)),
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
