"""Benchmarks on training micrographs: what is left out, what is learnt from, what is counted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from safetensors.torch import save_file

import pupicker
from pupicker.core.networks import build
from pupicker.tests.simulated import DIAMETER_ANG, PIXEL_SIZE_ANG


@pytest.fixture
def small_set(programs, simulated, tmp_path):
    """Five simulated micrographs to train on, as a benchmark set."""
    from benchmarks.common.datasets import BenchmarkSet

    truth = tmp_path / "truth.tsv"
    pupicker.write_coordinates(truth, pupicker.read_coordinates(simulated.truth))
    return BenchmarkSet("small", "", simulated.micrographs, [], truth, tmp_path, PIXEL_SIZE_ANG, DIAMETER_ANG, 13.0)


def test_labels_are_drawn_from_micrographs_that_are_not_left_out(small_set, tmp_path):
    from benchmarks.common.datasets import read_table
    from benchmarks.left_out import options_of, split

    judged, table = split(small_set, 10, 1, tmp_path)
    files = small_set.training
    assert judged.test == files[2:4] and judged.training == [*files[:2], files[4]]
    rows, own = read_table(table), {path.stem for path in judged.training}
    assert len(rows) == 10 and {row[0] for row in rows} <= own
    truth = {(m, f"{x:.2f}", f"{y:.2f}") for m, x, y in read_table(small_set.truth)}
    assert {(m, f"{x:.2f}", f"{y:.2f}") for m, x, y in rows} <= truth
    assert split(small_set, 10, 1, tmp_path)[1].read_text() != split(small_set, 10, 2, tmp_path)[1].read_text()
    changed = {"options": ["--objective", "pn"], "prior_share": 0.5, "diameter_px": 25, "updates_factor": 2}
    options = options_of(judged, 10, changed, 300)
    told = dict(zip(options[::2], options[1::2], strict=True))
    particles = small_set.particles(judged.training)
    assert float(told["--particles-per-micrograph"]) == pytest.approx(particles / 6, abs=1e-3)
    assert told["--working-pixel-size"] == "6.4000" and told["--updates"] == "600" and told["--objective"] == "pn"
    assert options_of(judged, 1000, {}, None)[3] == f"{1000 / 3:.3f}", "at least what is labelled"


def test_a_longer_training_follows_from_the_default_one(programs, tmp_path):
    from benchmarks.common.runs import Records
    from benchmarks.left_out import updates_of_default

    def unit(method, stage):
        return {"set": "bgal", "method": method, "labels": 10, "draw": 0, "settings": {"stage": stage}}

    records, own = Records(tmp_path / "r.jsonl"), unit("longer", "a")
    with pytest.raises(SystemExit, match="measure the variant default first"):
        updates_of_default(records, own)
    for stage, updates in (("b", 100), ("a", 200)):
        records.append({**unit("default", stage), "training": {"updates": updates}})
    assert updates_of_default(records, own) == 200


def test_the_report_has_a_part_for_each_stage_the_newest_first(programs, tmp_path):
    """A gain is over the default of the same stage, set and draw."""
    from benchmarks.common.runs import Records
    from benchmarks.left_out import report

    records = Records(tmp_path / "r.jsonl")
    for method, stage, draw, found in (("default", "old", 0, 0.5), ("pn", "old", 0, 0.75), ("default", "new", 0, 0.875),
                                       ("default", "new", 1, 0.25), ("pn", "new", 0, 0.625), ("pn", "new", 1, 0.5),
                                       ("nnpu", "new", 2, 0.5)):
        records.append({"set": "bgal", "method": method, "labels": 10, "draw": draw, "settings": {"stage": stage},
                        "average_precision": found, "training": {}, "finished": f"{stage == 'new'}"})
    report(SimpleNamespace(records=tmp_path / "r.jsonl"))
    new, old = (tmp_path / "r.md").read_text().split("## ")[1:]
    assert new.startswith("new\n") and "| 10 | pn | 2 | +0.0000 | 0.2500 | bgal 0: -0.250, bgal 1: +0.250 |" in new
    assert "nnpu" not in new, "nothing to compare it with"
    assert old.startswith("old\n") and "| 10 | pn | 1 | +0.2500 | – | bgal 0: +0.250 |" in old


@pytest.mark.slow
def test_a_variant_is_trained_and_judged_by_the_command_line(small_set, tmp_path):
    from benchmarks.left_out import measure

    quick = ["--network", "conv31", "--batch-size", "32", "--updates", "2"]
    result = measure(small_set, 10, 0, {"options": quick}, None, None)
    assert 0 <= result["average_precision"] <= 1 and result["training"]["updates"] == 2
    weights = {name: value.contiguous() for name, value in build("conv31").state_dict().items()}
    save_file(weights, tmp_path / "weights.safetensors")
    other = measure(small_set, 10, 0, {"options": quick}, tmp_path / "weights.safetensors", None)
    assert other["untrained"] < result["untrained"], "random weights find less than the general model"


@pytest.mark.slow
def test_candidates_of_annotated_particles_are_counted(small_set):
    from benchmarks.particle_numbers import candidates, candidates_for_each, judged, positions
    from pupicker.shared.lengths import MIN_DISTANCE, packed_discs

    every = candidates(small_set, None, {})
    assert every.labels == small_set.particles(small_set.training)
    assert 0.5 * every.labels < len(every.hits) <= every.labels < len(every.scores)
    pixels = sum(pupicker.read_micrograph(path).pixels.size for path in small_set.training)
    most = packed_discs(pixels * PIXEL_SIZE_ANG**2, MIN_DISTANCE * DIAMETER_ANG)
    assert 0.8 * most < every.max_particles <= most * (1 + 1e-6), "all that fit what is not excluded"
    seen = {name: xy[:4] for name, xy in positions(small_set.truth).items()}
    some = candidates(small_set, None, seen)
    assert some.labels == every.labels - 4 * len(seen) and len(some.scores) < len(every.scores)
    assert 0.8 < candidates_for_each(every)[0] < 3
    told = judged(every, 10, 5)
    assert 0.3 < told["bound"]["mean_ratio"] < 3 and 0 <= told["interval_holds"] <= 1
