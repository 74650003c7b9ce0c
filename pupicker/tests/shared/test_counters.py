from __future__ import annotations

import json
import re

from pupicker.shared.counters import COMPARED, WINDOW, Counters


def test_sums_of_all_and_medians_of_the_last():
    now = [10.0]
    counters = Counters(clock=lambda: now[0])
    assert counters.to_dict()["null_level_median"] is None
    for number in range(WINDOW + 50):
        counters.picked(number % 3, 0.5, -8.0 if number < 50 else -5.0, None if number % 3 == 0 else 2.0)
    counters.add("quarantined", 2)
    now[0] = 70.0
    told = counters.to_dict()
    assert (told["micrographs"], told["empty"], told["picks"], told["quarantined"]) == (150, 50, 150, 2)
    assert (told["seconds"], told["uptime_s"], told["seconds_median"]) == (75.0, 60.0, 0.5)
    assert (told["null_level_median"], told["score_median"]) == (-5.0, 2.0)


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    """It is said once, and written as soon as it can be."""
    path = tmp_path / "folder" / "counters.json"
    path.parent.write_text("no folder")
    counters = Counters([path])
    for _ in range(2):
        counters.picked(12, 1.25, -7.5, 3.0)
    assert [record.getMessage().split(": ")[0] for record in caplog.records] == [str(path)]
    path.parent.unlink()
    counters.picked(12, 1.25, -7.5, 3.0)
    assert json.loads(path.read_text())["micrographs"] == 3


def test_files(tmp_path):
    for name in ("counters.json", "counters.prom"):
        Counters([tmp_path / name]).picked(12, 1.25, -7.5, 3.0)
    assert json.loads((tmp_path / "counters.json").read_text())["picks"] == 12
    text = (tmp_path / "counters.prom").read_text()
    assert text.endswith("\n")
    lines = text.splitlines()
    assert "pupicker_picks_total 12" in lines and "pupicker_null_level_median -7.5" in lines
    for help_line, type_line, value in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name = value.split()[0]
        assert help_line.startswith(f"# HELP {name} ")
        assert type_line == f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"
        assert re.fullmatch(r"[a-z_]+ -?[0-9.e+-]+", value)


def test_a_counter_of_millions_grows_by_one():
    counters = Counters()
    counters.add("picks", 12_345_678)
    counters.add("seconds", 1_234_567.891)
    lines = counters.to_prometheus().splitlines()
    assert "pupicker_picks_total 12345678" in lines and "pupicker_seconds_total 1234567.891" in lines


def counted(picks, nulls):
    counters = Counters()
    for number, null in zip(picks, nulls, strict=True):
        counters.picked(number, 1.0, null, 2.0)
    return counters.to_dict()["alarm"]


def test_an_alarm_when_picks_vanish_or_the_background_moves():
    usual = [-8.0 + 0.1 * (number % 5) for number in range(3 * COMPARED)]
    assert counted([200] * 60, usual) == ""
    assert counted([200] * 39, usual[:39]) == ""
    assert counted([200] * 30 + [90] * 30, usual) == ""  # fewer particles are no fault
    assert counted([200] * 40 + [10] * 20, usual) == (
        "picks vanish: 10 a micrograph (median of the last 20), 200 at first")
    assert counted([200] * 60, usual[:40] + [-6.0] * 20).startswith("the background moves: its score is -6.0 now, -7.8")
    assert counted([200] * 60, usual[:40] + [-7.5] * 20) == ""
    assert counted([0] * 60, usual) == ""  # there was nothing from the start, which the summary says elsewhere


def test_latency_and_rate():
    now = [0.0]
    counters = Counters(clock=lambda: now[0])
    for number in range(60):
        now[0] += 5.0
        counters.note(latency_s=20.0 if number == 59 else 2.0)
        counters.picked(1, 0.5, None, None)
    told = counters.to_dict()
    assert (told["per_minute"], told["latency_s_median"], told["latency_s_99"]) == (12.0, 2.0, 20.0)
    assert told["null_level_shift"] is None and told["alarm"] == ""
    assert "pupicker_alarm 0" in counters.to_prometheus().splitlines()
