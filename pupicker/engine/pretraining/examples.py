"""Scenes as a network sees them: normalised and flattened as micrographs are, without contamination; kept in a file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from pupicker.core.detection.contamination import (
    DEPTH_WITHOUT_LABELS,
    contamination_mask,
    depth,
    limit_from_particles,
    pixels_of,
)
from pupicker.core.geometry import BACKGROUND
from pupicker.core.image.background import flatten
from pupicker.core.image.normalization import JointFit, normalize
from pupicker.engine.files.tensors import write_tensors
from pupicker.engine.runtime.errors import InputError

Example = tuple[Tensor, Tensor]
"""Float16 ``(h, w)`` of a scene, and its centres ``(n, 2)`` float64 x, y."""


def example_of(image: Tensor, joint: JointFit, xy: Tensor, diameter_px: float, device: torch.device) -> Example:
    """An example on the CPU.

    Parameters
    ----------
    image
        ``(h, w)`` float32 at the working pixel size.
    joint
        The fit that normalises it.
    xy
        ``(n, 2)`` float64 centres of all particles; those on contamination are left out.
    diameter_px
        Of the particles.
    device
        Where to compute.
    """
    image = image.to(device)
    limit = limit_from_particles([depth(image, diameter_px, DEPTH_WITHOUT_LABELS)], [xy.to(device)], diameter_px)
    contaminated = contamination_mask(image, diameter_px, limit)
    normal = normalize(image, joint.mixture, float(joint.scale[0]), float(joint.offset[0]))
    flat = flatten(normal, BACKGROUND * diameter_px, contaminated).half().cpu()
    contaminated = contaminated.cpu()
    return flat, xy[~contaminated[pixels_of(xy, contaminated)]]


def save_examples(path: Path, examples: list[Example], seed: int) -> None:
    """Write examples of one size and the seed that they were drawn with."""
    tensors = {
        "image": torch.stack([image for image, _ in examples]), "xy": torch.cat([xy for _, xy in examples]),
        "count": torch.tensor([len(xy) for _, xy in examples]),
    }
    write_tensors(path, tensors, {"seed": str(seed)})


def load_examples(path: Path, seed: int, count: int) -> list[Example]:
    """The first `count` of a file.

    Raises
    ------
    InputError
        If it has fewer, or those of another seed.
    """
    with safe_open(str(path), "pt") as file:
        kept_seed = file.metadata()["seed"]
    kept = load_file(str(path))
    if len(kept["image"]) < count or kept_seed != str(seed):
        raise InputError(
            f"{path}: has {len(kept['image'])} scenes of seed {kept_seed}, not {count} of seed {seed}; change one of"
            " them, or give another file", "scenes", "seed",
        )
    sizes = kept["count"].tolist()
    return list(zip(kept["image"][:count], kept["xy"].split(sizes)[:count], strict=True))
