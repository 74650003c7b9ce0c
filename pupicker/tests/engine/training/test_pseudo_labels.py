"""Labels out of nothing, by a filter, on discs that are there to be found."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pupicker.engine.runtime.errors import InputError
from pupicker.engine.training.options import Task
from pupicker.engine.training.pseudo_labels import PSEUDO_LABELS_PER_MICROGRAPH, find_all, with_pseudo_labels
from pupicker.tests.engine.blobs import GEOMETRY, training_set

TASK = Task(GEOMETRY)
FOUND = training_set(9, 9, 9)  # where the discs are
RADIUS_PX = 5.0


@pytest.fixture(scope="module")
def data():
    """The same without labels; a filter looks for dark discs."""
    return replace(FOUND, micrographs=[replace(m, image=-m.image, labels=m.labels[:0]) for m in FOUND.micrographs])


@pytest.mark.parametrize("count", [10, 27, 40])
def test_the_surest_of_all_micrographs_are_the_labels(data, count):
    labelled = with_pseudo_labels(data, "dog", TASK, count)
    assert sum(len(m.labels) for m in labelled.micrographs) == count
    assert labelled.pseudo_labels == "dog" and labelled.digest == f"{data.digest}, dog {count}"
    finds = find_all(data.micrographs, "dog", TASK)
    lowest = torch.cat([score for _, score in finds]).sort(descending=True).values[count - 1]
    near = 0
    for micrograph, (xy, score), true in zip(labelled.micrographs, finds, FOUND.micrographs, strict=True):
        assert micrograph.labels.dtype == torch.float64
        assert torch.equal(micrograph.labels, xy[score >= lowest].double())
        near += int((torch.cdist(micrograph.labels, true.labels) < RADIUS_PX).any(1).sum())
    assert near >= 0.95 * min(count, 27)  # all that there are


def test_as_many_as_are_usual_if_nothing_is_said(data):
    assert sum(len(m.labels) for m in with_pseudo_labels(data, "dog", TASK).micrographs) == min(
        3 * PSEUDO_LABELS_PER_MICROGRAPH, sum(len(xy) for xy, _ in find_all(data.micrographs, "dog", TASK)))


def test_what_is_labelled_as_none_is_no_pseudo_label(data):
    marked = replace(data, micrographs=[
        replace(m, negatives=true.labels[:4]) for m, true in zip(data.micrographs, FOUND.micrographs, strict=True)])
    for m in with_pseudo_labels(marked, "dog", TASK, 15).micrographs:
        assert float(torch.cdist(m.labels, m.negatives).min()) > GEOMETRY.diameter_ang / 4


def test_nothing_to_be_found(data):
    excluded = torch.ones_like(data.micrographs[0].image, dtype=torch.bool)
    nothing = replace(data, micrographs=[replace(m, excluded=excluded) for m in data.micrographs[:2]])
    with pytest.raises(InputError, match="dog finds nothing on 2 micrographs") as caught:
        with_pseudo_labels(nothing, "dog", TASK)
    assert caught.value.parameters == ("pseudo_labels",)
