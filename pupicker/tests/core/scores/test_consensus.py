"""Picks of several pickers: grouping by its definition, the pool of probabilities, what does not depend on order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pupicker.core.scores.consensus import (
    LEAST,
    combined_probability,
    group_picks,
    logit,
    mean_rank,
    places_of,
    rank_share,
    without_duplicates,
)


def by_definition(positions, distance):
    """Groups by trying all pairs at every step; exact positions, so only for small numbers."""
    groups = [frozenset([(picker, row)]) for picker, places in enumerate(positions) for row in range(len(places))]

    def place(pick):
        return tuple(positions[pick[0]][pick[1]])

    def key(group):
        return sorted(map(place, group))

    while True:
        found = []
        for one, other in itertools.combinations(groups, 2):
            if {picker for picker, _ in one} & {picker for picker, _ in other}:
                continue
            length = max(float(np.hypot(*np.subtract(place(a), place(b)))) for a in one for b in other)
            if length <= distance:
                found.append((length, *sorted((key(one), key(other))), one, other))
        if not found:
            return set(groups)
        *_, one, other = min(found, key=lambda entry: entry[:3])
        groups = [group for group in groups if group not in (one, other)] + [one | other]


def groups_of(members):
    return {frozenset((picker, int(row)) for picker, row in enumerate(rows) if row >= 0) for rows in members}


def crowd(seed, pickers, particles=12, side=60.0):
    """Particles that each picker finds or not, with an error, and places of its own."""
    generator = np.random.default_rng(seed)
    truth = generator.uniform(0, side, (particles, 2))
    return [np.concatenate([truth[generator.random(particles) < 0.7] + generator.normal(0, 1.5, 2),
                            generator.uniform(0, side, (3, 2))]) for _ in range(pickers)]


@pytest.mark.parametrize("pickers", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_groups_are_those_of_the_definition(seed, pickers):
    positions = crowd(seed, pickers)
    if seed % 2:  # many equal distances
        positions = [np.unique(np.round(places / 4) * 4, axis=0) for places in positions]
    for distance in (3.0, 8.0):
        members = group_picks(positions, distance)
        assert groups_of(members) == by_definition(positions, distance)


@pytest.mark.parametrize("seed", range(4))
def test_groups_partition_the_picks_and_are_no_wider_than_the_distance(seed):
    positions, distance = crowd(seed, 4, particles=60, side=100.0), 6.0
    members = group_picks(positions, distance)
    for picker, places in enumerate(positions):
        rows = members[:, picker]
        assert sorted(rows[rows >= 0]) == list(range(len(places)))
    for rows in members:
        here = np.array([positions[picker][row] for picker, row in enumerate(rows) if row >= 0])
        assert np.hypot(*np.moveaxis(here[:, None] - here[None], -1, 0)).max() <= distance


@pytest.mark.parametrize("lattice", [False, True])
def test_the_order_of_pickers_and_picks_does_not_matter(lattice):
    generator = np.random.default_rng(5)
    positions = crowd(3, 3, particles=40)
    if lattice:
        positions = [np.unique(np.round(places / 5) * 5, axis=0) for places in positions]
    expected = {tuple(place) for place in places_of(positions, group_picks(positions, 7.0))}
    for order in itertools.permutations(range(3)):
        shuffled = [positions[k][generator.permutation(len(positions[k]))] for k in order]
        found = {tuple(place) for place in places_of(shuffled, group_picks(shuffled, 7.0))}
        assert found == expected  # to the last bit


def test_two_pickers_get_the_stable_matching():
    positions = crowd(11, 2, particles=40, side=80.0)
    first, second = positions
    members = group_picks(positions, 10.0)
    length = np.hypot(*np.moveaxis(first[:, None] - second[None], -1, 0))
    partner = {0: np.full(len(first), np.inf), 1: np.full(len(second), np.inf)}
    for a, b in members[(members >= 0).all(1)]:
        partner[0][a] = partner[1][b] = length[a, b]
    blocking = (length < partner[0][:, None]) & (length < partner[1][None]) & (length <= 10.0)
    assert np.isfinite(partner[0]).sum() > 20
    assert not blocking.any()


def test_a_chain_is_not_one_place():
    """The middle one is within reach of both, these are not of one another."""
    members = group_picks([np.array([[0.0, 0]]), np.array([[4.0, 0]]), np.array([[9.0, 0]])], 5.0)
    assert groups_of(members) == {frozenset({(0, 0), (1, 0)}), frozenset({(2, 0)})}


def test_no_picks_no_places():
    members = group_picks([np.zeros((0, 2)), np.zeros((0, 2))], 5.0)
    assert members.shape == (0, 2)
    assert places_of([np.zeros((0, 2))] * 2, members).shape == (0, 2)


def test_limits_of_the_probability():
    alone = np.array([[0.3], [0.9]])
    assert combined_probability(alone, np.array([0.1])) == pytest.approx([0.3, 0.9])
    alike = np.full((1, 5), 0.8)
    assert combined_probability(alike, np.full(5, 0.1)) == pytest.approx([0.8])
    opposed = np.array([[0.2, 0.8]])
    assert combined_probability(opposed, np.full(2, 0.1)) == pytest.approx([0.5])
    assert combined_probability(np.array([[1.0]]), np.array([0.1])) == pytest.approx([1 - LEAST])


def test_a_picker_that_left_a_place_out_counts_as_its_weakest_pick():
    given, floor = np.array([[0.9, np.nan]]), np.array([0.4, 0.2])
    expected = (np.log(0.9 / 0.1) + np.log(0.2 / 0.8)) / 2
    (found,) = combined_probability(given, floor)
    assert np.log(found / (1 - found)) == pytest.approx(expected)
    assert found < combined_probability(np.array([[0.9, 0.2 + 1e-3]]), floor)[0]


def test_probability_is_between_and_grows_with_each():
    generator = np.random.default_rng(0)
    given, floor = generator.uniform(0.05, 0.95, (50, 3)), np.full(3, 0.01)
    found = combined_probability(given, floor)
    assert ((given.min(1) <= found) & (found <= given.max(1))).all()
    for picker in range(3):
        more = given.copy()
        more[:, picker] += 0.02
        assert (combined_probability(more, floor) > found).all()
    assert (combined_probability(given[:, ::-1], floor[::-1]) == found).all()


def test_logit_is_the_inverse_of_the_probability():
    p = np.array([0.01, 0.5, 0.99])
    assert 1 / (1 + np.exp(-logit(p))) == pytest.approx(p)


def test_ranks_have_no_scale():
    score = np.array([3.0, -1.0, 3.0, 8.0])
    assert rank_share(score) == pytest.approx([0.75, 0.25, 0.75, 1.0])
    assert (rank_share(score) == rank_share(np.exp(score) * 7)).all()
    assert mean_rank(np.array([[1.0, np.nan], [0.5, 0.5]])) == pytest.approx([0.5, 0.5])


def test_duplicates_yield_to_the_better():
    places = np.array([[0.0, 0], [1.0, 0], [2.5, 0], [10.0, 0]])
    votes, score = np.array([1.0, 2, 1, 1]), np.array([9.0, 1, 5, 5])
    kept = without_duplicates(places, [votes, score], 1.5)
    assert sorted(kept) == [1, 3]
    generator = np.random.default_rng(1)
    many = generator.uniform(0, 30, (200, 2))
    kept = without_duplicates(many, [generator.random(200)], 2.0)
    length = np.hypot(*np.moveaxis(many[kept][:, None] - many[kept][None], -1, 0))
    np.fill_diagonal(length, np.inf)
    assert length.min() > 2.0
    left = np.setdiff1d(np.arange(200), kept)
    assert (np.hypot(*np.moveaxis(many[left][:, None] - many[kept][None], -1, 0)).min(1) <= 2.0).all()
