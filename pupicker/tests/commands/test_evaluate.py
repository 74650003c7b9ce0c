from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates, write_coordinates
from pupicker.tests.commands.command_line import run
from pupicker.tests.simulated import DIAMETER_ANG, PARTICLES, PIXEL_SIZE_ANG


def table(rows):
    """From (micrograph, x, y, score)."""
    names, x, y, score = zip(*rows, strict=True)
    return CoordinateTable(np.array(names, dtype=object), np.array(x), np.array(y), np.array(score))


TRUTH = table([("a.mrc", 10, 10, 1), ("a.mrc", 50, 50, 1), ("b.mrc", 20, 20, 1), ("c.mrc", 5, 5, 1)])
ROWS = [
    ("a.mrc", 12, 10, 9),  # hit
    ("a.mrc", 9, 10, 8),  # the same particle once more
    ("b.mrc", 20, 23, 7),  # hit
    ("b.mrc", 90, 90, 6),  # nothing there
]
PICKS = table(ROWS)


@pytest.fixture
def evaluate(capsys, tmp_path):
    """Compare the tables above (or others) with a radius of 5 px."""

    def call(*more, picks=PICKS, truth=TRUTH, how=("--radius", 5)):
        write_coordinates(tmp_path / "picks.tsv", picks)
        write_coordinates(tmp_path / "truth.tsv", truth)
        return run(capsys, "evaluate", "--picks", tmp_path / "picks.tsv", "--truth", tmp_path / "truth.tsv",
                   *how, "--threads", 1, *more)

    return call


def test_numbers_by_hand(evaluate):
    """Best first: hit, miss, hit, miss; four particles, of which the one on c.mrc was never looked for."""
    result = evaluate("--json")
    assert result.code == 0
    assert "no pick on 1 of the 3 micrographs of the truth, e.g. c.mrc: their particles count as missed" in result.err
    content = result.json
    assert content.pop("micrographs") == {
        "a.mrc": {"picks": 2, "truth": 2, "hits": 1, "average_precision": 0.5},
        "b.mrc": {"picks": 2, "truth": 1, "hits": 1, "average_precision": 1.0},
        "c.mrc": {"picks": 0, "truth": 1, "hits": 0, "average_precision": 0.0},
    }
    assert content == {
        "average_precision": pytest.approx((1 + 2 / 3) / 4), "ranked": True, "best_f1": pytest.approx(4 / 7),
        "best_f1_threshold": 7.0,
        "precision_at_best_f1": pytest.approx(2 / 3), "recall_at_best_f1": 0.5, "precision": 0.5, "recall": 0.5,
        "picks": 4, "truth": 4, "match_radius_px": 5.0, "region_average_precision": None,
        "expected_calibration_error": None, "reliability": None, "quarantined": [],
    }


def test_probabilities_are_checked(evaluate, tmp_path):
    picks = replace(PICKS, probability=np.array([0.95, 0.55, 0.85, 0.05]))  # hit, miss, hit, miss
    content = evaluate("--json", "--plot", tmp_path / "curve.png", picks=picks).json
    assert content["expected_calibration_error"] == pytest.approx((0.05 + 0.55 + 0.15 + 0.05) / 4)
    assert [(b["low"], b["picks"], b["hits"]) for b in content["reliability"]] == [
        (0.0, 1, 0), (0.5, 1, 0), (0.8, 1, 1), (0.9, 1, 1)]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    out = evaluate(picks=picks).out
    assert "expected calibration error" in out and "0.5 to 0.6" in out


def test_table_says_the_same(evaluate):
    lines = evaluate().out.splitlines()
    assert lines[0].split() == ["average", "precision", "0.4167"]
    assert "region" not in evaluate().out


def test_half_the_diameter_is_the_radius(evaluate):
    by_diameter = evaluate("--json", how=("--diameter", 15, "--pixel-size", 1.5))
    assert by_diameter.json == evaluate("--json").json


def test_names_with_and_without_extension_and_folder(evaluate):
    renamed = PICKS.renamed({"a.mrc": "a", "b.mrc": "elsewhere/b.mrc"})
    assert evaluate("--json", picks=renamed).json == evaluate("--json").json


def test_chosen_micrographs_only(evaluate, tmp_path):
    assert list(evaluate("--json", "--micrographs", "b", "a.mrc").json["micrographs"]) == ["a.mrc", "b.mrc"]
    (tmp_path / "mics").mkdir()
    (tmp_path / "mics" / "b.mrc").touch()
    chosen = evaluate("--json", "--micrographs", tmp_path / "mics")
    assert list(chosen.json["micrographs"]) == ["b.mrc"] and chosen.json["average_precision"] == 1.0


def test_picks_without_truth_are_left_out_and_said(evaluate):
    more = CoordinateTable.concatenate([PICKS, table([("d.mrc", 1, 1, 99)])])
    result = evaluate("--json", picks=more)
    assert result.json == evaluate("--json").json
    assert "d.mrc" in result.err


def test_no_picks_at_all(evaluate, tmp_path):
    result = evaluate("--json", "--plot", tmp_path / "curve.png", picks=CoordinateTable.empty())
    assert result.code == 0
    assert result.json["average_precision"] == 0.0 and result.json["recall"] == 0.0
    assert result.json["best_f1_threshold"] is None and result.json["truth"] == 4
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("score", [None, 0.5])
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_picks_that_nothing_ranks_are_one_point_whatever_their_order(evaluate, tmp_path, score, order):
    """Two of four picks hit two of four particles; no curve, no average precision, and it is said."""
    some = PICKS.select(np.array(order))
    picks = CoordinateTable(some.micrograph, some.x, some.y, None if score is None else np.full(4, score))
    result = evaluate("--json", "--plot", tmp_path / "curve.png", "--matches", tmp_path / "matches.tsv", picks=picks)
    content = result.json
    assert result.code == 0 and "no average precision" in result.err
    assert (content["average_precision"], content["ranked"], content["best_f1_threshold"]) == (None, False, None)
    assert (content["precision"], content["recall"], content["best_f1"], content["picks"]) == (0.5, 0.5, 0.5, 4)
    assert {name: one["hits"] for name, one in content["micrographs"].items()} == {"a.mrc": 1, "b.mrc": 1, "c.mrc": 0}
    assert all(one["average_precision"] is None for one in content["micrographs"].values())
    rows = [line.split("\t")[3:] for line in (tmp_path / "matches.tsv").read_text().splitlines()[1:]]
    given = "" if score is None else "0.5"
    assert sorted(rows) == sorted([[given, "hit"]] * 2 + [[given, "false"]] * 2 + [["", "missed"]] * 2)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert evaluate(picks=picks).out.startswith("one point: nothing ranks the picks")


def test_picks_of_equal_score_count_together(evaluate):
    """A hit and a false pick at the best score are one step, in either order."""
    tied = [table([(*row[:3], score) for row, score in zip(ROWS, (9, 9, 7, 6), strict=True)]).select(np.array(order))
            for order in ([0, 1, 2, 3], [1, 0, 2, 3])]
    values = [evaluate("--json", picks=picks).json["average_precision"] for picks in tied]
    assert values[0] == values[1] == pytest.approx((1 / 2 + 2 / 3) / 4)


def test_plot_is_a_png(evaluate, tmp_path):
    assert evaluate("--plot", tmp_path / "new" / "curve.png").code == 0
    content = (tmp_path / "new" / "curve.png").read_bytes()
    assert content.startswith(b"\x89PNG") and len(content) > 5000


def test_matches_name_every_pick_and_every_missed_particle(evaluate, tmp_path):
    assert evaluate("--matches", tmp_path / "new" / "matches.tsv").code == 0
    rows = [line.split("\t") for line in (tmp_path / "new" / "matches.tsv").read_text().splitlines()]
    assert rows[0] == ["micrograph", "x", "y", "score", "outcome"]
    assert [(row[0], float(row[1]), row[3], row[4]) for row in rows[1:]] == [
        ("a.mrc", 12, "9.0", "hit"), ("a.mrc", 9, "8.0", "false"), ("b.mrc", 20, "7.0", "hit"),
        ("b.mrc", 90, "6.0", "false"), ("a.mrc", 50, "", "missed"), ("c.mrc", 5, "", "missed"),
    ]


def test_average_precision_over_regions(capsys, simulated, model_path, tmp_path):
    """Far above the area that the regions cover, which a classifier without knowledge would reach."""
    write_coordinates(tmp_path / "none.star", CoordinateTable.empty())
    whole, broken = simulated.unseen[0], tmp_path / simulated.unseen[1].name
    broken.write_bytes(whole.read_bytes()[:5000])

    def regions(*micrographs):
        return run(
            capsys, "evaluate", "--picks", tmp_path / "none.star", "--truth", simulated.truth, "--diameter",
            DIAMETER_ANG, "--pixel-size", PIXEL_SIZE_ANG, "--micrographs", *micrographs, "--model", model_path,
            "--json", "--threads", 1,
        )

    result = regions(*simulated.unseen)
    chance = PARTICLES * 21 / (248 * 275)
    value = result.json["region_average_precision"]
    assert result.code == 0 and chance < 0.01 and value > 0.3
    assert read_coordinates(simulated.truth).names()[3:] == list(result.json["micrographs"])

    result = regions(broken, whole)
    assert result.code == 3
    assert result.json["region_average_precision"] == regions(whole).json["region_average_precision"]
    assert [entry["micrograph"] for entry in result.json["quarantined"]] == [str(broken)]
    assert f"quarantined: {broken}: truncated" in result.err
    assert "the only micrograph cannot be used" in regions(broken).error(1)


@pytest.mark.parametrize(("how", "words"), [
    ((), "(--diameter, --radius)"), (("--pixel-size", 1.5), "(--diameter, --radius)"),
    (("--diameter", 15), "none of the micrographs that the tables name is there"),
    (("--diameter", 15, "--radius", 5), "by the diameter 15 A and the radius 5 pixels: give one of them (--diameter"),
    (("--radius", 0), "the matching radius 0 pixels must be above 0"), (("--radius", -1), "(--radius)"),
    (("--radius", "nan"), "(--radius)"), (("--diameter", 0, "--pixel-size", 1), "the particle diameter 0 Å must be"),
    (("--diameter", 15, "--pixel-size", 0), "the pixel size 0 Å must be above 0 and at most 100"),
])
def test_impossible_radius(evaluate, how, words):
    assert words in evaluate(how=how).error(2)


def test_the_pixel_size_is_that_of_a_micrograph_that_is_there(evaluate, simulated):
    """Of those that are asked for, else of those that the picks name: pupicker pick writes their paths."""
    here = PICKS.renamed({"a.mrc": simulated.micrographs[0]})
    how = ("--diameter", 15, "--json")
    assert evaluate(picks=here, truth=here, how=how).json["match_radius_px"] == pytest.approx(7.5 / PIXEL_SIZE_ANG)
    given = evaluate(picks=here, truth=here, how=(*how, "--pixel-size", 1.5))
    assert given.json["match_radius_px"] == 5.0
    asked = evaluate("--micrographs", simulated.micrographs[0], picks=here, truth=here, how=how)
    assert asked.json["match_radius_px"] == pytest.approx(7.5 / PIXEL_SIZE_ANG)


def test_model_needs_micrographs(evaluate, model_path):
    assert "--micrographs" in evaluate("--model", model_path).error(2)
    assert "give --model, or leave it out" in evaluate("--keep-borders").error(2)


def test_nothing_to_compare(evaluate):
    assert "truth.tsv: holds no particles" in evaluate(truth=CoordinateTable.empty()).error(1)
    other = PICKS.renamed({"a.mrc": "x.mrc", "b.mrc": "y.mrc"})
    message = evaluate(picks=other).error(1)
    assert "'a.mrc'" in message and "'x.mrc'" in message
    assert "nowhere" in evaluate("--micrographs", "nowhere").error(1)


def test_missing_table(capsys, tmp_path):
    result = run(capsys, "evaluate", "--picks", tmp_path / "no.star", "--truth", tmp_path / "no.star", "--radius", 5)
    assert str(tmp_path / "no.star") in result.error(1)


def test_picks_where_there_are_no_particles_are_false(evaluate):
    """A micrograph that is asked for counts, also if the truth does not name it; others do not."""
    empty = table([*[row for row in ROWS if row[0] != "a.mrc"], ("hole.mrc", 1, 1, 99), ("carbon.mrc", 1, 1, 98)])
    content = evaluate("--micrographs", "b.mrc", "hole.mrc", "--json", picks=empty).json
    assert content["micrographs"]["hole.mrc"] == {"picks": 1, "truth": 0, "hits": 0, "average_precision": None}
    assert (content["picks"], content["truth"]) == (3, 1) and content["average_precision"] == 0.5
    plain = evaluate("--json", picks=empty)
    assert list(plain.json["micrographs"]) == ["a.mrc", "b.mrc", "c.mrc"] and "on 2 micrographs without" in plain.err


@pytest.mark.parametrize("name", ["curve", "curve.tsv"])
def test_a_figure_needs_the_ending_of_one(evaluate, tmp_path, name):
    assert f"{name}: must end with .png" in evaluate("--plot", tmp_path / name).error(2)
