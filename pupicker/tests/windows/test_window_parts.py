"""What windows are made of: names, colours, scale bars, means of labels, corrections, controls."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from matplotlib.figure import Figure

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)
from pupicker.tests.scipion.screen import need_screen, run_on_screen

from pwem.objects import Coordinate, Micrograph, SetOfCoordinates, SetOfMicrographs  # isort: skip
from pyworkflow.object import Float  # isort: skip

from pupicker.convert.corrections import readCorrections  # isort: skip
from pupicker.viewers.corrections import Corrections  # isort: skip
from pupicker.viewers.pick_editing import nearThreshold  # isort: skip
from pupicker.viewers.scored_set import ScoredSet, ViewerError, readScoredSet  # isort: skip
from pupicker.viewers.threshold_control import ScoreHistogram, usualLimits  # isort: skip
from pupicker.viewers.viewer_cross_validation import sortKey  # isort: skip
from pupicker.window.colours import scoreColours, scoreRange  # isort: skip
from pupicker.window.label_window import isInside  # isort: skip
from pupicker.window.micrograph_list import alikeEnds, cutAlike, cutMiddle, shortNames  # isort: skip
from pupicker.window.radial_average import BINS, LabelMean, radialSums  # isort: skip
from pupicker.window.scale_bar import lengthText, roundLength  # isort: skip

DIAMETER_PX = 20.0


def test_names_keep_both_ends():
    assert cutMiddle("Falcon_2012_06_12-14_33_35_0.mrc", 20) == "Falcon…4_33_35_0.mrc"
    assert len(cutMiddle("x" * 50, 20)) == 20 and cutMiddle("short.mrc", 20) == "short.mrc"


def test_names_in_a_list_keep_what_differs():
    names = [f"session_of_monday_{number}_patch_aligned_doseweighted.mrc" for number in (8, 9, 10, 110)]
    alike = alikeEnds(names)
    for characters in (12, 20, 40):
        cut = [cutAlike(name, characters, alike) for name in names]
        assert len(set(cut)) == len(names) and max(map(len, cut)) <= characters
        assert all(f"_{number}_" in name for number, name in zip((8, 9, 10, 110), cut, strict=True))
    assert cutAlike("Falcon_2012_06_12-14_33_35_0.mrc", 20, (7, 4)) == "2012_0…12-14_33_35_0"
    assert alikeEnds(["one.mrc"]) == (0, 0) and alikeEnds(["a.mrc", "aa.mrc"]) == (1, 4)


def test_equal_names_get_the_folders_that_tell_them_apart():
    assert shortNames(["x/a.mrc", "x/b.mrc"]) == ["a.mrc", "b.mrc"]
    assert shortNames(["/d/1/x/a.mrc", "/d/2/x/a.mrc", "/d/1/b.mrc"]) == ["1/x/a.mrc", "2/x/a.mrc", "b.mrc"]
    assert shortNames(["a.mrc", "x/a.mrc", "a.mrc"]) == ["a.mrc", "x/a.mrc", "a.mrc"]


@pytest.mark.parametrize(("longest", "length", "text"), [(137, 100, "100 Å"), (49.9, 20, "20 Å"), (900, 500, "50 nm"),
                                                         (0.3, 0.2, "0.2 Å")])
def test_scale_bars_have_round_lengths(longest, length, text):
    assert roundLength(longest) == pytest.approx(length) and lengthText(roundLength(longest)) == text


def test_cells_of_a_table_sort_by_their_numbers():
    cells = ["0.913 ± 0.010", "", "0.95", "failed", "0.92 ± 0.1"]
    assert sorted(cells, key=sortKey)[2:] == ["0.913 ± 0.010", "0.92 ± 0.1", "0.95"]


def test_an_outlier_changes_no_colours_and_no_axis():
    scores = np.append(np.linspace(-6, 6, 1000), 500.0)
    assert scoreRange(scores)[1] < 6.1 and len(set(scoreColours(scores, scoreRange(scores)))) > 50
    low, high = usualLimits(scores)
    assert low == -6 and high == 8.0
    assert usualLimits(np.array([-2.0, 3.0])) == (-2.0, 3.0)
    byHand = np.append(scores, [np.inf] * 3)
    assert usualLimits(byHand) == usualLimits(scores) and scoreRange(byHand) == scoreRange(scores)


def test_the_last_bar_says_what_else_it_holds():
    scores = np.linspace(-6, 6, 1000)
    for some, texts in ((scores, []), (np.append(scores, 500.0), ["≥ 7.8"])):
        histogram = ScoreHistogram(Figure(), some, print)
        assert [text.get_text() for text in histogram.axes.texts] == texts
        assert bool(histogram.axes.patches[-1].get_hatch()) == bool(texts)


def test_the_mean_of_labels_is_of_all_micrographs():
    """Of other pixel sizes and contrasts too, and still when the diameter has changed since."""
    places, mean, random = [(60.0, 60.0), (140.0, 130.0)], LabelMean(), np.random.default_rng(0)
    for key, pixelSizeAng, contrast in (("a", 2.0, 1.0), ("b", 4.0, 50.0)):
        rows, columns = np.mgrid[:200, :200]
        image = random.normal(0, 0.1, (200, 200))
        for x, y in places:
            image -= np.hypot(columns - x, rows - y) < 40 / pixelSizeAng
        mean.measure(key, image * contrast, places, pixelSizeAng, 80.0)
    labelled = {"a": places, "b": places, "c": places[:1]}
    for reachAng, radius in ((80.0, 20), (72.0, 22)):
        total, number = mean.sums(labelled, reachAng)
        curve = total / number
        assert curve[:radius - 2].max() < curve[radius + 2:].min() and mean.missing(labelled, reachAng) == ["c"]
    assert mean.missing(labelled, 50.0) == ["a", "b", "c"]  # too far from what was measured
    mean.measure("c", None, places[:1], 2.0, 80.0)  # it cannot be read
    assert np.array_equal(mean.sums(labelled, 72.0)[1], number) and mean.missing(labelled, 80.0) == []
    assert mean.missing({"a": places[:1]}, 80.0) == ["a"]


def test_the_mean_of_labels_shows_their_radius():
    rows, columns = np.mgrid[:200, :200]
    image = np.zeros((200, 200), np.float32)
    for x, y in ((60, 60), (140, 130)):
        image -= (np.hypot(columns - x, rows - y) < 20) * 1.0
    total, number = radialSums(image, [(60, 60), (140, 130)], 40.0)
    mean = total / number
    assert len(mean) == BINS and mean[:18].max() < mean[22:].min()


def test_a_lasso():
    corners = [(0, 0), (10, 0), (10, 10), (5, 5), (0, 10)]
    assert [isInside(corners, point) for point in ((2, 2), (5, 8), (5, 4), (11, 5))] == [True, False, True, False]


def test_of_the_picks_near_the_threshold_half_are_above_it():
    """Below it are many more."""
    score = np.concatenate([[5.0, 0.3, 9.0, 1.0], -np.arange(1, 100) / 500])
    gone = score == 0.3
    assert score[nearThreshold(score, gone, 0.0)][:5].tolist() == [1.0, -0.002, 5.0, -0.004, 9.0]
    assert len(nearThreshold(score, gone, 0.0)) == 102


def test_corrections_are_kept_and_read_again(tmp_path):
    """What the window writes is what the protocol reads."""
    data = ScoredSet([], np.array([1, 1, 2]), np.array([10.0, 50.0, 5.0]), np.array([20.0, 60.0, 5.0]),
                     np.array([3.0, 2.0, 1.0]), None, 30)
    rows = {1: np.array([0, 1]), 2: np.array([2])}
    path = str(tmp_path / "corrections.json")
    made = Corrections(path, data, rows, DIAMETER_PX)
    kept = np.ones(3, dtype=bool)
    made.toggle(1, 11, 21, kept, asNegative=False)  # on the first pick
    made.toggle(1, 51, 59, kept, asNegative=True)
    made.toggle(1, 90, 90, kept & ~made.gone, asNegative=False)
    made.exclude(2)
    assert made.gone.tolist() == [True, True, True] and made.number() == 4
    assert made.text() == "1 added, 1 taken away, 1 marked as no particle, 1 micrograph left out"
    again = Corrections(path, data, rows, DIAMETER_PX)
    assert again.gone.tolist() == [True, True, True]
    found = readCorrections(path)
    assert found.added == {1: [(90.0, 90.0)]} and found.negatives == {1: [(50.0, 60.0)]}
    assert found.removed == {(1, 10, 20), (1, 50, 60)} and found.excluded == {2} and found.diameterPx == DIAMETER_PX
    assert again.undo() == 0 and not again.record.canUndo()  # a new window has nothing to undo
    assert made.undo() == 2 and not made.isExcluded(2) and made.gone.tolist() == [True, True, False]
    assert readCorrections("").removed == set()


def corrections(tmp_path, picks, path=None):
    """Corrections of picks x, y of one micrograph, the best first; and a mask of all of them."""
    x, y = np.array(picks, dtype=float).reshape(-1, 2).T
    data = ScoredSet([], np.ones(len(x), dtype=int), x, y, -np.arange(len(x), dtype=float), None, 30)
    made = Corrections(str(path or tmp_path / "corrections.json"), data, {1: np.arange(len(x))}, DIAMETER_PX)
    return made, np.ones(len(x), dtype=bool)


def test_a_pick_is_moved_as_often_as_one_likes(tmp_path):
    made, kept = corrections(tmp_path, [(50, 50)])
    for start, end in ((50, 70), (70, 90), (90, 110)):
        marked = made.nearest(1, start + 1, 50, kept & ~made.gone)
        assert marked is not None
        made.move(1, marked, (float(end), 50.0))
    assert made.byHand(1) == [(110.0, 50.0)] and made.gone.tolist() == [True] and made.text() == "1 moved"
    for _ in range(3):
        made.undo()
    assert made.byHand(1) == [] and made.gone.tolist() == [False]
    made.undo(again=True)
    made.toggle(1, 70, 50, kept & ~made.gone, asNegative=False)
    assert made.text() == "1 taken away" and made.gone.tolist() == [True]


def test_no_place_is_a_pick_and_no_particle(tmp_path):
    made, kept = corrections(tmp_path, [(50, 50), (200, 50)])
    made.toggle(1, 120, 50, kept, asNegative=True)
    made.move(1, made.nearest(1, 50, 50, kept), (121.0, 50.0))
    assert made.places(1, "not_particles") == [] and made.byHand(1) == [(121.0, 50.0)]
    made.toggle(1, 122, 50, kept & ~made.gone, asNegative=True)
    assert made.places(1, "not_particles") == [(121.0, 50.0)] and made.byHand(1) == []
    assert made.gone.tolist() == [True, False] and made.text() == "1 taken away, 1 marked as no particle"


def test_weaker_picks_give_way_to_what_was_put_by_hand(tmp_path):
    """The rule of the window is that of the run that makes the set."""
    picks = [(50, 50), (100, 50), (150, 50), (200, 50)]
    made, kept = corrections(tmp_path, picks)
    nothing = ~kept  # the threshold is above all of them
    for x, asNegative in ((50 + 0.45 * DIAMETER_PX, False), (100 + 0.55 * DIAMETER_PX, False),
                          (150 + 0.25 * DIAMETER_PX, True), (200 + 0.35 * DIAMETER_PX, True)):
        made.toggle(1, x, 50, nothing, asNegative)
    assert made.gone.tolist() == [True, False, True, False]
    found = readCorrections(made.record.path)
    coordinates = [Coordinate(x=x, y=y) for x, y in picks]
    for coordinate in coordinates:
        coordinate.setMicId(1)
    assert [found.keeps(coordinate) for coordinate in coordinates] == (~made.gone).tolist()


def test_a_lasso_takes_what_was_added_too(tmp_path):
    made, kept = corrections(tmp_path, [(50, 50), (200, 50)])
    made.toggle(1, 100, 50, kept, asNegative=False)
    made.move(1, made.nearest(1, 50, 50, kept), (60.0, 50.0))
    assert made.removeInside(1, lambda point: point[0] < 150, kept & ~made.gone)
    assert made.byHand(1) == [] and made.gone.tolist() == [True, False] and made.text() == "1 taken away"
    made.undo()
    assert made.byHand(1) == [(100.0, 50.0), (60.0, 50.0)]


def test_what_a_run_was_given_is_not_changed_by_later_corrections(tmp_path):
    made, kept = corrections(tmp_path, [(50, 50), (200, 50)])
    assert made.freeze() == ""
    made.toggle(1, 50, 50, kept, asNegative=False)
    copy = made.freeze()
    made.toggle(1, 200, 50, kept & ~made.gone, asNegative=False)
    assert readCorrections(copy).removed == {(1, 50, 50)} and made.freeze() != copy
    made.undo()
    assert made.freeze() == copy


def test_corrections_that_are_not_on_disk_are_given_to_no_run(tmp_path):
    made, kept = corrections(tmp_path, [(50, 50), (200, 50)])
    made.toggle(1, 50, 50, kept, asNegative=False)
    path = tmp_path / os.path.basename(made.record.path)
    path.unlink()
    path.mkdir()
    made.toggle(1, 200, 50, kept & ~made.gone, asNegative=False)
    assert made.record.error.startswith("NOT SAVED: ") and made.text() == "2 taken away"
    with pytest.raises(OSError, match=path.name):
        made.freeze()


def test_other_picks_leave_the_changes_to_be_undone(tmp_path):
    """Weaker picks are shown too."""
    made, kept = corrections(tmp_path, [(50, 50)])
    made.toggle(1, 50, 50, kept, asNegative=False)
    more, _ = corrections(tmp_path, [(50, 50), (200, 50)], tmp_path / "other.json")
    made.take(more.data, {1: np.arange(2)})
    assert made.gone.tolist() == [True, False] and made.record.canUndo()
    assert made.undo() == 1 and made.gone.tolist() == [False, False] and made.record.canUndo(again=True)


def scoredSet(path, enabled):
    """Coordinates with the scores 0, 1, ... as the window of the scores reads them."""
    mics = SetOfMicrographs(filename=str(path) + "_mics.sqlite")
    mics.append(Micrograph(location="a.mrc"))
    mics.write()
    coordSet = SetOfCoordinates(filename=str(path) + ".sqlite")
    coordSet.setMicrographs(mics)
    for number, isEnabled in enumerate(enabled):
        coord = Coordinate(x=number, y=0)
        coord.setMicId(1)
        coord._pupickerScore = Float(number)
        coord.setEnabled(isEnabled)
        coordSet.append(coord)
    coordSet.write()
    return readScoredSet(coordSet)


def test_disabled_coordinates_are_not_shown(tmp_path):
    assert scoredSet(tmp_path / "some", [True, False, True]).score.tolist() == [0.0, 2.0]
    with pytest.raises(ViewerError, match="All of these coordinates are disabled"):
        scoredSet(tmp_path / "none", [False, False])


@pytest.mark.gui
def test_no_control_below_an_image_is_cut(tmp_path):
    need_screen()
    run_on_screen("image_bar_driver", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert {width: rows for width, (_, rows) in found.items()} == {"900": 1, "420": 2, "200": 4, "901": 1}
    assert all(right_px <= int(width) for width, (right_px, _) in found.items())
