"""The program that measures the speed: what it records, what it makes of it, and a whole quick run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest


def run(part="pick", program="pupicker", count=2, repeat=0, version="a", finished="2026-01-01", **fields):
    return {"part": part, "set": "bgal", "program": program, "count": count, "repeat": repeat, "version": version,
            "finished": finished, "load_average": 0.5, **fields}


def lists(program, seconds, **fields):
    """Runs on two and twelve micrographs that cost `seconds` each and 3 s to start, three times."""
    return [run(program=program, count=count, repeat=repeat, cpu_s=3 + seconds * count + 0.1 * repeat, wall_s=1.0,
                rss_mb=100.0 + count, **fields) for repeat in range(3) for count in (2, 12)]


def test_a_micrograph_costs_the_difference_of_two_lists(programs):
    from benchmarks.speed.summaries import fixed, marginal

    runs = lists("pupicker", 0.5)
    one = marginal(runs, "cpu_s")
    assert (one.median, one.low, one.count) == (pytest.approx(0.5), pytest.approx(0.5), 3)
    assert fixed(runs, "cpu_s") == pytest.approx(3.1)
    assert marginal(runs[:1], "cpu_s") is None and fixed([], "cpu_s") is None, "one length says nothing"


def test_runs_of_an_older_version_do_not_count(programs):
    from benchmarks.speed.summaries import newest

    old, new = run(cpu_s=9.0), run(version="b", finished="2026-02-01", cpu_s=1.0)
    topaz = run(program="topaz conv31", version="0.3.20", cpu_s=5.0)
    assert newest([old, new, topaz]) == [new, topaz]
    assert newest([new, {**old, "set": "apoferritin"}]) == [new, {**old, "set": "apoferritin"}], "another set"


def test_a_run_is_measured_once_and_a_failure_is_not_recorded(programs, tmp_path, capsys):
    from benchmarks.common.runs import Failure
    from benchmarks.speed.measured import Measured

    def fail():
        raise Failure("topaz extract ended with status 1")

    path = tmp_path / "results" / "speed.json"
    results = Measured(path, "0.3.20")
    results.run("pick", "bgal", "pupicker", lambda: {"cpu_s": 1.0}, 2)
    results.run("pick", "bgal", "topaz conv31", fail, 2)
    again = Measured(path, "0.3.20")
    again.run("pick", "bgal", "pupicker", lambda: pytest.fail("measured twice"), 2)
    again.run("pick", "bgal", "pupicker", lambda: {"cpu_s": 2.0}, 2, repeat=1)
    assert [r["cpu_s"] for r in json.loads(path.read_text())["runs"]] == [1.0, 2.0]
    assert "status 1" in capsys.readouterr().out
    content = json.loads(path.read_text())
    content["machine"]["processor"] = "another one"
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match=r"speed\.json.*another one.*--output"):
        Measured(path)


def test_what_is_seen_of_a_long_list(programs):
    """A second of start, then ten micrographs a second on half of two cores; memory grows by 1 MB a micrograph."""
    from benchmarks.speed.endurance import summary, thinned

    points = [(t / 4, 0.5 * t / 4, 100.0 + max(0, (t - 4) * 2.5), max(0, int((t - 4) * 2.5))) for t in range(45)]
    points.append((11.5, 5.6, 250.0, 100))
    found = summary(points, 100, 2)
    assert found["busy_share"] == pytest.approx(5.6 / 11.5 / 2, abs=1e-3)
    assert found["busy_share_after_start"] == pytest.approx(0.25, abs=0.01)
    assert found["first_tenth_wall_s"] == pytest.approx(1, abs=0.15)
    assert found["last_tenth_cpu_s"] == pytest.approx(0.5, abs=0.1)
    assert found["rss_mb"] == 250 and found["first_tenth_rss_mb"] < 110 < 190 < found["last_tenth_rss_mb"]
    assert len(thinned(points)) <= 125


def test_the_floor_keeps_what_the_smaller_image_can_hold(programs):
    import torch

    from benchmarks.speed.floor import downsampled

    rows, columns = (np.arange(side) / side for side in (120, 160))
    wave = 5 + np.cos(2 * np.pi * (3 * rows[:, None] + 4 * columns)) + np.cos(2 * np.pi * 55 * rows)[:, None]
    small = downsampled(torch.from_numpy(wave.astype(np.float32)), 4).numpy()
    rows, columns = (np.arange(side) / side for side in (30, 40))
    np.testing.assert_allclose(small, 5 + np.cos(2 * np.pi * (3 * rows[:, None] + 4 * columns)), atol=1e-4)


def test_the_table_says_how_many_times_faster(programs, tmp_path):
    from benchmarks.speed.report import write_report

    runs = [*lists("pupicker", 0.5), *lists("topaz conv31, -s 4 -r 10", 2.0, version="0.3.20")]
    runs += [run("accuracy", count=1, average_precision=0.9)]
    runs += [run("train", count=n, repeat=k, cpu_s=100.0 + k, wall_s=1.0, rss_mb=5.0, updates=200,
                 average_precision=0.8) for n in (10, 100) for k in (0, 1)]
    content = {"machine": {"processor": "P", "cores": 2, "torch": "2"}, "commands": ["python -m x"], "runs": runs}
    write_report(content, tmp_path / "speed.json")
    text = (tmp_path / "speed.md").read_text()
    assert "| bgal | pupicker | 0.500 (0.500–0.500) | 3.10 | 12 | 9.10 (9.00–9.20) | 1.00 (1.00–1.00) | 112" in text
    assert "| 0.900 | – |" in text and text.count("| 4 |") == 1, "Topaz takes four times what pupicker takes"
    assert "| bgal | 10 | pupicker | 200 (200–200) | 100.5 (100.0–101.0) |" in text
    assert "own schedule" not in text, "a column without a number is left out"
    assert "Versions: Topaz 0.3.20, pupicker a" in text
    assert (tmp_path / "speed.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_quick_run_measures_every_part_and_goes_on_where_it_was(programs, tmp_path):
    output = tmp_path / "speed.json"
    environment = {**os.environ, "PUPICKER_BENCHMARK_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}

    def program(*words):
        command = [sys.executable, "-m", "benchmarks.speed", "--quick", "--output", str(output), *words]
        done = subprocess.run(command, cwd=programs.parent, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        assert "FAILED" not in done.stdout, done.stdout[-3000:]
        return done.stdout

    program("--only", "start,preprocess")
    before = json.loads(output.read_text())
    program()
    content = json.loads(output.read_text())
    assert content["runs"][: len(before["runs"])] == before["runs"], "what was recorded stays"
    parts = {r["part"] for r in content["runs"]}
    assert parts == {"start", "preprocess", "pick", "train", "first picks", "accuracy", "memory", "long list"}
    assert all(r["cpu_s"] > 0 and r["rss_mb"] > 10 for r in content["runs"] if r["part"] != "accuracy")
    assert all(0 <= r["average_precision"] <= 1 for r in content["runs"] if r["part"] in ("accuracy", "train"))
    assert len(content["commands"]) == 2 and content["machine"]["torch"]
    text = output.with_suffix(".md").read_text()
    assert all(f"## {title}" in text for title in ("Picking with a model", "Training", "A long list of small"))
    assert output.with_suffix(".png").stat().st_size > 1000
    assert program("--report").strip() == text.strip(), "the report alone is the same"
