"""Topaz's own `train` with its minibatches cut out many crops at a time: the same crops, drawn the same way, faster.

    python -m benchmarks.topaz_minibatches train ...                arguments of `topaz train`
    python -m benchmarks.topaz_minibatches compare MICROGRAPH.mrc ...    its crops against Topaz's

Run by the Python of Topaz's environment.  Topaz cuts each crop out and rotates it alone on one core, which takes 0.2 s
a minibatch, far longer than a step of its network on a GPU; its own remedy, several worker processes, makes them draw
the same crops.  Here everything of Topaz stays (network, objective, optimiser, prior, the data set object with its
images and targets); only the loop over the data set is replaced.  Each of its random choices is made with the same
distribution, many at a time:

- with probability `positive_balance` a labelled pixel, all alike, otherwise an image, then a pixel of it.  A pixel is
  drawn again where Topaz does so: it means to do that for labelled ones, but compares the index of the nearest labelled
  pixel with zero instead of the distance, so it leaves out what is nearest to the first labelled pixel of an image;
- a rotation by any angle, nearest neighbour, zero outside the image; then each of two flips or none.

`compare` draws choices, cuts their crops, has Topaz cut, turn and mirror the same, and says how many pixels differ.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

CHUNK = 64  # minibatches whose crops are chosen at once


@dataclass(frozen=True)
class Choices:
    """What is drawn for n crops: number of the image, pixel (int), angle in degrees, flips (bool), label; each (n,)."""

    image: np.ndarray
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    mirror_x: np.ndarray
    mirror_y: np.ndarray
    label: np.ndarray


class Canvas:
    """All images in one tensor, each with a rim of zeros as wide as a rotated crop may reach."""

    def __init__(self, images: list[np.ndarray], size: int, device: str) -> None:
        self.size, self.rim = size, math.ceil(size / math.sqrt(2)) + 1
        padded = [np.pad(np.asarray(image, dtype=np.float32), self.rim) for image in images]
        self.pixels = torch.from_numpy(np.concatenate([image.ravel() for image in padded])).to(device)
        self.width = np.array([image.shape[1] for image in padded])
        self.start = np.cumsum([0, *(image.size for image in padded[:-1])])

    def cut(self, choices: Choices) -> torch.Tensor:
        """Crops (n, size, size) float32 around the pixels, rotated and mirrored."""
        device = self.pixels.device
        width = torch.from_numpy(self.width[choices.image]).to(device)[:, None, None]
        centre = (self.start[choices.image] + (choices.y + self.rim) * self.width[choices.image]
                  + choices.x + self.rim)
        along = torch.arange(self.size, device=device, dtype=torch.float64) - self.size // 2
        dy, dx = torch.meshgrid(along, along, indexing="ij")
        sign_x, sign_y, angle = (torch.from_numpy(values).to(device)[:, None, None] for values in (
            1.0 - 2.0 * choices.mirror_x, 1.0 - 2.0 * choices.mirror_y, np.radians(choices.angle)))
        column = torch.round(torch.cos(angle) * sign_x * dx - torch.sin(angle) * sign_y * dy).long()
        row = torch.round(torch.sin(angle) * sign_x * dx + torch.cos(angle) * sign_y * dy).long()
        return self.pixels[torch.from_numpy(centre).to(device)[:, None, None] + row * width + column]


class Minibatches:
    """In place of the DataLoader: as many minibatches an epoch, of the same crops."""

    def __init__(self, loader: Any, device: str) -> None:
        data = loader.dataset
        if data.dims != 2 or len(data.images) != 1 or data.crop_size % 2 == 0:
            raise SystemExit("topaz_minibatches.py: one set of micrographs and an odd receptive field only")
        self.batch, self.batches, self.data = loader.batch_size, len(loader), data
        self.images = data.images[0]
        self.canvas = Canvas([image.array for image in self.images], data.crop_size, device)
        position = {id(image): k for k, image in enumerate(self.images)}
        number = {name: position[id(image)] for name, image in data.name_dict.items()}
        table = data.targets
        self.positive = np.stack([table["image_name"].map(number), table["x_coord"], table["y_coord"]]).astype(np.int64)
        self.rng = np.random.default_rng()

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        done = 0
        while done < self.batches:
            count = min(CHUNK, self.batches - done)
            drawn = self.choose(count * self.batch)
            for first in range(0, count * self.batch, self.batch):
                part = Choices(**{k: v[first:first + self.batch] for k, v in vars(drawn).items()})
                yield self.canvas.cut(part), torch.from_numpy(part.label).to(self.canvas.pixels.device)
            done += count

    def choose(self, count: int) -> Choices:
        """Draw what is to be known of so many crops."""
        rng = self.rng
        label = (rng.random(count) < self.data.positive_balance).astype(np.float64)
        image, x, y = self.positive[:, rng.integers(self.positive.shape[1], size=count)]
        unlabelled = np.flatnonzero(label == 0)
        image[unlabelled] = rng.integers(len(self.images), size=len(unlabelled))
        for k, picture in enumerate(self.images):
            at = unlabelled[image[unlabelled] == k]
            while len(at):
                y[at], x[at] = (rng.integers(length, size=len(at)) for length in picture.shape)
                at = at[~_accepted(picture, x[at], y[at])]
        return Choices(image, x, y, rng.uniform(0, 360, count), rng.random(count) < 0.5, rng.random(count) < 0.5, label)


def _accepted(picture: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether Topaz takes a pixel as unlabelled."""
    if len(picture.targets) == 0 or picture.split == "pu":
        return np.ones(len(x), dtype=bool)
    _, nearest = picture.positive_tree.query(np.stack([y, x], axis=1))
    return nearest[:, 0] > 0


def compare(paths: list[str], size: int, crops: int = 300) -> float:
    """Share of the pixels of crops of some micrographs in which these differ from Topaz's; one label in each."""
    import pandas as pd
    from topaz.training import expand_target_points
    from topaz.utils.data.memory_mapped_data import MultipleImageSetDataset
    from torchvision.transforms.functional import hflip, rotate, vflip

    names = [Path(path).stem for path in paths]
    labels = pd.DataFrame({"image_name": names, "x_coord": 100.0, "y_coord": 100.0})
    expanded, area = expand_target_points(labels, 3, 2)
    data = MultipleImageSetDataset([paths], expanded, crops, size, positive_balance=0.0625, rotate=True, flip=True,
                                   mask_size=area)
    own = Minibatches(torch.utils.data.DataLoader(data, batch_size=crops), "cpu")
    choices = own.choose(crops)
    different = 0.0
    for i, crop in enumerate(own.canvas.cut(choices)):
        other = own.images[choices.image[i]].get_crop((None, int(choices.y[i]), int(choices.x[i]))).unsqueeze(0)
        other = rotate(other, float(choices.angle[i]))
        rim = (other.shape[-1] - size) // 2
        other = other[..., rim:rim + size, rim:rim + size]
        other = hflip(other) if choices.mirror_x[i] else other
        other = vflip(other) if choices.mirror_y[i] else other
        different += float((crop != other[0]).double().mean())
    return different / crops


def train(arguments: list[str]) -> None:
    """`topaz train` with the other loop over the data: what this file needs of its options.

    Raises
    ------
    SystemExit
        An option was given that it does not know what to do with.
    """
    from topaz import cuda, training
    from topaz.commands import train as command
    from topaz.torch import set_num_threads

    args = command.add_arguments().parse_args(arguments)
    if args.num_particles > 0 or args.natural or args.test_images or args.output is None:
        raise SystemExit("topaz_minibatches.py: give --pi and --output, no test images, and labelled crops their share")
    args.dims = 2
    set_num_threads(args.num_threads)
    network, on_gpu = training.make_model(args), cuda.set_device(args.device)
    if on_gpu:
        network.cuda()
    labelled, pixels, _ = training.report_data_stats(args.train_images, args.train_targets, None, None,
                                                     radius=args.radius, dims=args.dims)
    step, criteria, split = training.make_training_step_method(
        network, labelled, labelled / pixels, lr=args.learning_rate, l2=args.l2, method=args.method, pi=args.pi,
        slack=args.slack, autoencoder=args.autoencoder)
    loader, _ = training.make_data_iterators(
        args.train_images, args.train_targets, network.width, split, args.minibatch_size, args.epoch_size,
        num_workers=0, balance=args.minibatch_balance, dims=args.dims, use_cuda=on_gpu, radius=args.radius)
    with open(args.output, "w") as curve:
        training.fit_epochs(network, criteria, step, Minibatches(loader, "cuda" if on_gpu else "cpu"), None,
                            args.num_epochs, labelled / pixels / args.pi, save_prefix=args.save_prefix,
                            use_cuda=on_gpu, output=curve)


def main() -> None:
    """A training, or the comparison of crops."""
    if sys.argv[1:2] == ["compare"]:
        for size in (71, 31):  # of resnet8 and of conv31
            print(f"{size} x {size}: {compare(sys.argv[2:], size):.1e} of the pixels differ")
    elif sys.argv[1:2] == ["train"]:
        train(sys.argv[2:])
    else:
        raise SystemExit("topaz_minibatches.py: the first word is train or compare")


if __name__ == "__main__":
    main()
