"""The version of the method is raised when, and only when, its numbers change."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest

from pupicker import METHOD_VERSION
from pupicker.tests import golden


def test_numbers_are_those_of_the_version():
    assert golden.stored()["method_version"] == METHOD_VERSION, "write them: python -m pupicker.tests.golden"
    changed = golden.differences(golden.measure(), golden.stored()["numbers"])
    assert changed == [], "the method changed: raise METHOD_VERSION, then python -m pupicker.tests.golden"


@pytest.mark.parametrize(("place", "key"), [("training", "losses"), ("training", "threshold"),
                                            ("nnpu", "losses"), ("training", "class_prior")])
def test_a_change_of_a_number_is_seen(place, key):
    numbers = golden.stored()["numbers"]
    changed = copy.deepcopy(numbers)
    value = changed[place][key]
    changed[place][key] = [1.01 * v for v in value] if isinstance(value, list) else 1.01 * value
    assert [line.split(":")[0] for line in golden.differences(changed, numbers)] == [f"{place} {key}"]


@pytest.mark.parametrize("column", [1, 2, 3])
def test_a_change_of_a_pick_is_seen(column):
    numbers = golden.stored()["numbers"]
    changed = copy.deepcopy(numbers)
    changed["general"]["picks"][4][column] += 0.1
    assert len(golden.differences(changed, numbers)) == 1
    del changed["general"]["picks"][4]
    assert len(golden.differences(changed, numbers)) == 1
    assert golden.differences(copy.deepcopy(numbers), numbers) == []


def test_the_trainings_tell_their_options_apart():
    losses = {name: numbers["losses"][0] for name, numbers in golden.stored()["numbers"].items() if "losses" in numbers}
    values = sorted(losses.values())
    assert all(above > below * (1 + 2 * golden.TOLERANCE) for below, above in pairwise(values))
