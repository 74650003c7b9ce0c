"""The loop that takes the place of Topaz's in benchmarks: crops, and what is drawn."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree
from torch.nn.functional import grid_sample

SIZE = 15


class Nearest:
    """Nearest neighbours as scikit-learn's tree returns them: distances and indices with an axis more."""

    def __init__(self, points: np.ndarray) -> None:
        self.tree = KDTree(points)

    def query(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distance, index = self.tree.query(places)
        return distance[:, None], index[:, None]


class Loader:
    """Seventy minibatches of a data set."""

    batch_size = 32

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return 70


class Column(list):
    """Values of a table."""

    def map(self, other):
        return [other[value] for value in self]


@pytest.fixture
def minibatches(programs):
    """Three images, two with labelled pixels, in the form of Topaz's data set."""
    from benchmarks.topaz_minibatches import Minibatches

    rng = np.random.default_rng(0)
    labelled = {0: [(10, 5), (30, 20)], 1: [(2, 1), (32, 27)], 2: []}  # x, y
    images = [SimpleNamespace(array=rng.normal(size=shape).astype(np.float32), shape=shape, split="pn",
                              targets=labelled[k], positive_tree=Nearest(np.array(labelled[k])[:, ::-1])
                              if labelled[k] else None)
              for k, shape in enumerate([(40, 50), (30, 35), (25, 20)])]
    rows = [(name, *place) for name, places in labelled.items() for place in places]
    table = dict(zip(("image_name", "x_coord", "y_coord"), map(Column, zip(*rows, strict=True)), strict=True))
    data = SimpleNamespace(dims=2, images=[images], crop_size=SIZE, name_dict=dict(enumerate(images)), targets=table,
                           positive_balance=0.25)
    return Minibatches(Loader(data), "cpu")


def reference(image: np.ndarray, x: int, y: int, angle: float, mirror_x: bool, mirror_y: bool) -> torch.Tensor:
    """The crop by way of a wider one, turned anticlockwise as seen on a screen, cut and mirrored."""
    wide = math.ceil(SIZE * math.sqrt(2)) // 2
    padded = np.pad(image, wide)[y:y + 2 * wide + 1, x:x + 2 * wide + 1]
    along = torch.linspace(-1, 1, 2 * wide + 1, dtype=torch.float64)
    dy, dx = torch.meshgrid(along, along, indexing="ij")
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    grid = torch.stack([c * dx - s * dy, s * dx + c * dy], dim=-1)[None]
    turned = grid_sample(torch.from_numpy(padded)[None, None].double(), grid, mode="nearest", align_corners=True)[0, 0]
    rim = wide - SIZE // 2
    crop = turned[rim:rim + SIZE, rim:rim + SIZE]
    return crop.flip([axis for axis, mirror in ((1, mirror_x), (0, mirror_y)) if mirror]).float()


def test_crops_are_those_of_a_wider_crop_that_is_turned_and_cut(minibatches):
    choices = minibatches.choose(200)
    crops = minibatches.canvas.cut(choices)
    expected = torch.stack([
        reference(minibatches.images[k].array, x, y, angle, mx, my) for k, x, y, angle, mx, my in zip(
            choices.image, choices.x, choices.y, choices.angle, choices.mirror_x, choices.mirror_y, strict=True)])
    assert crops.shape == (200, SIZE, SIZE) and crops.dtype == torch.float32
    assert (crops != expected).double().mean() < 1e-3  # half way between two pixels rounding decides
    assert {bool(v) for v in choices.mirror_x} == {bool(v) for v in choices.mirror_y} == {True, False}


def test_what_is_drawn(minibatches):
    choices = minibatches.choose(40000)
    positive = choices.label == 1
    assert abs(positive.mean() - 0.25) < 0.01
    drawn, counts = np.unique(np.stack([choices.image, choices.x, choices.y])[:, positive], axis=1, return_counts=True)
    assert drawn.T.tolist() == [[0, 10, 5], [0, 30, 20], [1, 2, 1], [1, 32, 27]]
    assert counts.min() > 0.23 * counts.sum(), "all labelled pixels alike"
    images, counts = np.unique(choices.image[~positive], return_counts=True)
    assert images.tolist() == [0, 1, 2] and counts.min() > 0.32 * counts.sum(), "all images alike"
    for k, first, second in ((0, (10, 5), (30, 20)), (1, (2, 1), (32, 27))):
        x, y = (values[~positive & (choices.image == k)] for values in (choices.x, choices.y))
        near = [np.hypot(x - px, y - py) for px, py in (first, second)]
        assert np.all(near[0] >= near[1]), "what is nearest to the first labelled pixel is left out, as Topaz does"
    everywhere = ~positive & (choices.image == 2)
    assert choices.x[everywhere].min() == choices.y[everywhere].min() == 0
    assert choices.x[everywhere].max() == 19 and choices.y[everywhere].max() == 24
    assert choices.angle.min() < 1 and choices.angle.max() > 359


def test_an_epoch(minibatches):
    batches = list(minibatches)
    assert len(batches) == len(minibatches) == 70, "more than are drawn at once"
    assert all(x.shape == (32, SIZE, SIZE) and y.shape == (32,) and y.dtype == torch.float64 for x, y in batches)
