"""The loop over 2D classes: which classes are good, what is learnt from, what is compared with the truth."""

from __future__ import annotations

import numpy as np
import pytest

import pupicker
from pupicker.tests.scipion.system_relion import missing_relion
from pupicker.tests.simulated import DIAMETER_ANG, PIXEL_SIZE_ANG


def test_a_good_class_has_more_than_an_equal_share(programs):
    from benchmarks.class_loop import CLASSES, good_classes

    number = np.repeat([1, 2, 4, 7], [CLASSES + 1, CLASSES, 7 * CLASSES, CLASSES - 1])
    assert len(number) == 10 * CLASSES and good_classes(number) == [1, 4]


def test_picks_are_judged_at_the_threshold_and_without(programs, tmp_path):
    """Two particles on the first micrograph, one on a later one."""
    from benchmarks.class_loop import judged
    from benchmarks.common.datasets import BenchmarkSet
    from pupicker import CoordinateTable

    truth = CoordinateTable(np.array(["a.mrc", "a.mrc", "b.mrc"], dtype=object), [10, 50, 20], [10, 50, 20])
    pupicker.write_coordinates(tmp_path / "truth.tsv", truth)
    chosen = BenchmarkSet("made", "", [tmp_path / "a.mrc"], [tmp_path / "b.mrc"], tmp_path / "truth.tsv", tmp_path,
                          4.0, 40.0, 5.0)
    picks = CoordinateTable(np.array(["x/a.mrc", "x/a.mrc", "x/a.mrc", "x/b.mrc", "x/b.mrc"], dtype=object),
                            [11, 90, 51, 70, 20], [10, 90, 50, 70, 21], [3.0, 2.0, -1.0, 1.0, 0.5])
    score = judged(picks, 0.0, chosen)
    assert score["first"] == {"average_precision": round((1 + 2 / 3) / 2, 4), "precision": 0.5, "recall": 0.5,
                              "picks": 2, "truth": 2}
    assert score["later"] == {"average_precision": 0.5, "precision": 0.5, "recall": 1.0, "picks": 2, "truth": 1}


def test_means_are_of_sessions_that_both_have(programs):
    from benchmarks.class_loop import report

    def record(method, seed, value):
        score = {"average_precision": value, "precision": value, "recall": value}
        more = {} if method == "general" else {"labelled": 40, "labelled_right": 30}
        return {"set": "barrel", "method": method, "draw": seed, "first": score, "later": score, **more,
                "training": None if method == "general" else {"wall_s": 1}, "settings": {"updates": 200},
                "versions": {"pupicker": {"commit": "abc"}}}

    text = report([record("general", 0, 0.5), record("general", 1, 0.7), record("classes", 0, 0.6)])
    head, means = text.split("Means over")
    assert "| barrel | 0 | classes | 40, 0.75 | 0.600 |" in head and "| barrel | 1 | general |" in head
    assert "| barrel | 1 | general |  | 0.500 |" in means and "| barrel | 1 | classes |  | 0.600 |" in means
    assert "Updates of each training: 200" in means


@pytest.mark.relion
@pytest.mark.slow
def test_a_session_goes_round(programs, simulated, tmp_path):
    """Real micrographs of the simulator, classes of RELION, a short training."""
    from benchmarks import class_loop
    from benchmarks.common.datasets import BenchmarkSet

    if missing_relion()[:1] == ["the system package relion"]:
        pytest.skip("needs the system package relion")
    pupicker.write_coordinates(tmp_path / "truth.tsv", pupicker.read_coordinates(simulated.truth))
    chosen = BenchmarkSet("small", "", simulated.micrographs[:4], simulated.micrographs[4:], tmp_path / "truth.tsv",
                          tmp_path, PIXEL_SIZE_ANG, DIAMETER_ANG, 0.5 * DIAMETER_ANG / PIXEL_SIZE_ANG)
    quick = ["--network", "conv31", "--batch-size", 32, "--updates", 2]
    result = class_loop.measure(lambda: chosen, "classes", 0, quick)
    assert 10 < result["labelled"] < result["classified"] and result["training"]["cpu_s"] > 0
    assert result["labelled_right"] > 0.5 * result["labelled"]
    assert sum(count for count, _ in result["class_counts"]) == result["classified"]
    assert sum(right for _, right in result["class_counts"]) == result["classified_right"]
    for role, files in (("first", chosen.training), ("later", chosen.test)):
        assert result[role]["truth"] == chosen.particles(files)
        assert 0 < result[role]["average_precision"] <= 1
