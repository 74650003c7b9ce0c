"""Lengths, durations and columns: one place, and both sides use it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pupicker.core.geometry import geometry, max_particles, particles_side_by_side
from pupicker.engine.files.coordinate_table import CoordinateTable
from pupicker.shared.columns import OPTIONAL, POSITION
from pupicker.shared.durations import format_seconds
from pupicker.shared.lengths import BOX_SIZE, MIN_DISTANCE, even_box_size_px, packed_discs
from pupicker.shared.plurals import counted, first_of, none_can
from pupicker.shared.shares import roughly


@given(st.floats(20, 1000), st.floats(0.3, 5))
def test_lengths_of_the_forms_are_those_of_the_core(diameter, pixel_size):
    lengths = geometry(diameter, pixel_size, 22)
    assert lengths.box_size_px(pixel_size) == even_box_size_px(BOX_SIZE * diameter, pixel_size)
    assert lengths.box_size_px(pixel_size) % 2 == 0
    assert lengths.min_distance_ang == MIN_DISTANCE * diameter
    assert particles_side_by_side(lengths, 1e7) == packed_discs(1e7, diameter)
    assert max_particles(lengths, 1e7) == packed_discs(1e7, MIN_DISTANCE * diameter)


def test_columns_are_those_of_a_table():
    assert list(CoordinateTable.__dataclass_fields__) == [*POSITION, *OPTIONAL]


@pytest.mark.parametrize(("seconds", "text"), [
    (-1, "0:00 min"), (0, "0:00 min"), (59.6, "1:00 min"), (75, "1:15 min"), (3599.4, "59:59 min"), (3700, "1:01 h"),
])
def test_seconds(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(("number", "words", "text"), [
    (1, ("pick",), "1 pick"), (0, ("pick",), "0 picks"), (2, ("pick",), "2 picks"), ("1", ("pick",), "1 pick"),
    (11, ("pick",), "11 picks"), (1, ("file is", "files are"), "1 file is"),
    (3, ("file is", "files are"), "3 files are"),
])
def test_one_and_several(number, words, text):
    assert counted(number, *words) == text


def test_none_of_several_and_of_one():
    assert none_can(3, "pick") == "none of the 3 picks can" and none_can(1, "pick") == "the only pick cannot"


@pytest.mark.parametrize(("share", "text"), [
    (0.831, "about 0.8"), (0.949, "about 0.9"), (0.951, "more than 0.9"), (1.0, "more than 0.9"),
    (0.02, "less than 0.1"),
])
def test_what_was_not_measured_has_one_digit(share, text):
    assert roughly(share) == text


def test_of_many_names_the_first_are_told_and_that_there_are_more():
    assert [first_of("abcde"[:number]) for number in (0, 1, 3, 4)] == ["", "a", "a, b, c", "a, b, c, ..."]
