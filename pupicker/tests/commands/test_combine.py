"""Picks of several pickers as one list, by the command line."""

from __future__ import annotations

import numpy as np
import pytest

from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates, write_coordinates
from pupicker.tests.commands.command_line import run


def table(rows, probability=False):
    """From (micrograph, x, y, score or probability)."""
    names, x, y, value = zip(*rows, strict=True)
    values = np.array(value, dtype=float)
    score = np.log(values / (1 - values)) if probability else values
    return CoordinateTable(np.array(names, dtype=object), np.array(x), np.array(y), score,
                           values if probability else None)


SURE = table([("m/a.mrc", 10, 10, 0.9), ("m/a.mrc", 50, 50, 0.6), ("m/b.mrc", 20, 20, 0.5)], probability=True)
OTHER = table([("a", 12, 10, 0.8), ("a", 90, 90, 0.4)], probability=True)
VOTES = table([("a.mrc", 10, 11, 310.0), ("a.mrc", 51, 50, 7.0), ("c.mrc", 5, 5, 9.0)])


@pytest.fixture
def combine(capsys, tmp_path):
    """Combine tables with a distance of 6 Å at 2 Å a pixel."""

    def call(tables, *more, output="out.tsv"):
        files = []
        for number, content in enumerate(tables):
            files.append(tmp_path / f"picks{number}.tsv")
            write_coordinates(files[-1], content)
        return run(capsys, "combine", *files, "--output", tmp_path / output, "--distance", 6, "--pixel-size", 2, *more)

    return call


def test_numbers_by_hand(combine, tmp_path):
    result = combine([SURE, OTHER, VOTES], "--json")
    assert result.code == 0, result.err
    content = result.json
    assert content["picks"] == [3, 2, 3] and content["shared"] == [2, 1, 2]
    assert content["agreeing"][0] == [3, 1, 2]
    assert content["places"] == {"1": 3, "2": 1, "3": 1}
    assert (content["kept"], content["micrographs"]) == (2, 3)
    out = read_coordinates(tmp_path / "out.tsv")
    assert out.micrograph.tolist() == ["m/a.mrc"] * 2
    assert out.pickers.tolist() == [3, 2]
    assert out.x == pytest.approx([32 / 3, 50.5]) and out.y == pytest.approx([31 / 3, 50])
    # the picker that left the second place out counts as its weakest pick, the one without probabilities as a vote
    logits = [np.log(9) + np.log(4), np.log(1.5) + np.log(0.4 / 0.6)]
    assert out.score == pytest.approx([value / 2 for value in logits])
    assert out.probability == pytest.approx([1 / (1 + np.exp(-value / 2)) for value in logits])


def test_the_order_of_tables_does_not_matter(combine, tmp_path):
    content = []
    for tables in ([SURE, OTHER, VOTES], [VOTES, SURE, OTHER], [OTHER, VOTES, SURE]):
        assert combine(tables, "--at-least", 1).code == 0
        out = read_coordinates(tmp_path / "out.tsv")
        content.append(sorted(zip(out.x.tolist(), out.y.tolist(), out.score.tolist(), out.probability.tolist(),
                                  out.pickers.tolist(), strict=True)))
    assert content[0] == content[1] == content[2]
    assert len(content[0]) == 5


def test_without_probabilities_ranks_count(combine, tmp_path):
    assert combine([VOTES, VOTES.select(np.array([0]))], "--at-least", 1).code == 0
    out = read_coordinates(tmp_path / "out.tsv")
    assert out.probability is None
    assert out.of("a.mrc").score == pytest.approx([1.0, 1 / 6])


def test_duplicates_of_one_picker_go(combine, tmp_path):
    heap = table([("a", 10 + step / 10, 10, step + 1) for step in range(12)])
    assert combine([heap, VOTES], "--at-least", 1).code == 0
    assert len(read_coordinates(tmp_path / "out.tsv").of("a")) == 2


def test_a_micrograph_without_picks_of_one_picker_is_not_lost(combine, tmp_path):
    assert combine([SURE, OTHER], "--at-least", 1).code == 0
    out = read_coordinates(tmp_path / "out.tsv").of("m/b.mrc")
    assert out.pickers.tolist() == [1]
    assert out.probability[0] < 0.5


def test_diameter_and_table(combine, capsys, tmp_path):
    assert combine([SURE, VOTES], output="out.star").code == 0
    assert len(read_coordinates(tmp_path / "out.star")) == 2
    by_diameter = run(capsys, "combine", tmp_path / "picks0.tsv", tmp_path / "picks1.tsv", "--diameter", 12,
                      "--pixel-size", 2, "--output", tmp_path / "again.star")
    assert "kept" in by_diameter.out and "2 on 3 micrographs" in by_diameter.out
    assert (tmp_path / "again.star").read_text() == (tmp_path / "out.star").read_text()


@pytest.mark.parametrize(("tables", "more", "code", "words"), [
    ([SURE], (), 2, "only one table"),
    ([SURE, OTHER], ("--at-least", 3), 2, "(--at-least)"),
    ([SURE, table([("z.mrc", 1, 1, 1)])], (), 1, "no micrograph in common"),
])
def test_what_cannot_be_combined(combine, tmp_path, tables, more, code, words):
    assert words in combine(tables, *more).error(code)
    assert not (tmp_path / "out.tsv").exists()


def test_what_is_not_known_is_asked_for(capsys, tmp_path):
    write_coordinates(tmp_path / "a.tsv", SURE)
    write_coordinates(tmp_path / "b.tsv", OTHER)
    line = ["combine", tmp_path / "a.tsv", tmp_path / "b.tsv", "--output", tmp_path / "out.tsv"]
    assert "--diameter, --distance" in run(capsys, *line).error(2)
    assert "--pixel-size" in run(capsys, *line, "--diameter", 100).error(2)
    unknown = [*line[:-1], tmp_path / "out.xyz", "--distance", 5, "--pixel-size", 2]
    assert "not a coordinate table" in run(capsys, *unknown).error(1)


def test_a_table_does_not_count_twice(capsys, tmp_path):
    write_coordinates(tmp_path / "a.tsv", SURE)
    (tmp_path / "other_name.tsv").symlink_to(tmp_path / "a.tsv")
    line = ["combine", tmp_path / "a.tsv", tmp_path / "other_name.tsv", "--output", tmp_path / "out.tsv"]
    error = run(capsys, *line, "--distance", 6, "--pixel-size", 2).error(2)
    assert "given twice, and would count as two pickers" in error
