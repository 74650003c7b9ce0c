"""What the program that measures growth makes of what it saw."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest


def row(done, protocol, core):
    return {"done": done, "wall_s": done / 5, "protocol_cpu_s": protocol, "core_cpu_s": core, "protocol_mb": 150.0,
            "core_mb": 290.0, "output_kb": done, "own_files": 3 * done, "own_kb": 8 * done, "steps_kb": 40}


def growing(number):
    rows = [row(0, 0.0, 0.0), row(10, 3.0, 6.0), row(20, 3.1, 6.2), row(30, 3.2, 6.4), row(40, 3.4, 6.6)]
    return {"micrographs": number, "rows": rows, "end": rows[-1], "load_at_the_end": 1.0}


def test_a_cost_is_that_of_the_chunk_and_not_of_the_start(programs):
    from benchmarks.growth.report import costs, ends

    found = costs(growing(40)["rows"], "protocol_cpu_s")
    assert found == [(20, pytest.approx(10)), (30, pytest.approx(10)), (40, pytest.approx(20))]
    assert ends([value for _, value in found]) == (pytest.approx(10), pytest.approx(20))


def test_the_newest_record_of_a_number_counts_and_is_in_the_table(programs, tmp_path):
    from benchmarks.growth.report import keep, write_report

    path = tmp_path / "growth.json"
    for number in (40, 20, 40):
        keep(path, "grow", growing(number))
    assert [one["micrographs"] for one in json.loads(path.read_text())["grow"]] == [20, 40]
    write_report(path)
    assert "| 40 | 10.0 | 20.0 | 2.00 | 20.0 | 20.0 | 1.00 |" in path.with_suffix(".md").read_text()
    assert path.with_suffix(".png").stat().st_size > 1000


def test_processes_of_a_run_are_told_apart(programs, tmp_path):
    from benchmarks.growth.processes import CORE, OTHERS, PROTOCOL, Usage, of_run

    run, sleep = "Runs/000009_Pick", "import time; time.sleep(60)"
    words = {PROTOCOL: ["pw_protocol_run.py", f"{run}/logs/run.db"], CORE: [f"{run}/extra/x.json", "serve"],
             OTHERS: [f"{run}/extra/y.json", "report"]}
    started = {kind: subprocess.Popen([sys.executable, "-c", sleep, *more], cwd=tmp_path)
               for kind, more in words.items()}
    elsewhere = subprocess.Popen([sys.executable, "-c", sleep, *words[CORE]], cwd=os.sep)
    try:
        deadline = time.monotonic() + 60
        while len(of_run(run, tmp_path)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert of_run(run, tmp_path) == {child.pid: kind for kind, child in started.items()}
        assert Usage(run, tmp_path).look()["core_mb"] > 1
    finally:
        for child in (*started.values(), elsewhere):
            child.kill()
            child.wait()


def test_what_is_lost_doubled_or_other_is_counted(programs, tmp_path):
    from benchmarks.growth.live import lost_and_doubled

    class Item:
        def __init__(self, number, x=0):
            self.number, self.x = number, x

        def getObjId(self):
            return self.number

        getMicId = getObjId

        def getMicName(self):
            return f"mic_{self.number - 1:06d}.mrc"

        def getPosition(self):
            return self.x, 5

    class Run:
        outputCoordinates = [Item(1, 10), Item(1, 10), Item(2, 20)]

        def getInputMicrographs(self):
            return [Item(1), Item(2), Item(3)]

        def _getQuarantined(self):
            return [("mic_000002.mrc", "why")]

    for number, x in ((1, 10), (2, 21)):
        (tmp_path / f"mic{number:06d}.tsv").write_text(f"micrograph\tx\ty\tscore\nm\t{x}\t5\t1\n")
    found = lost_and_doubled(Run(), [[("10", "5", "1")], [("20", "5", "1")], [("30", "5", "1")]], tmp_path)
    assert found == {"micrographs": 3, "picks": 3, "picks_by_the_command_line": 3, "lost_micrographs": 1,
                     "doubled_picks": 1, "other_tables": 1, "quarantined": 1}


def test_the_parts_of_a_latency_add_up(programs, tmp_path):
    from benchmarks.growth.sampling import Arrivals

    inputs, run = tmp_path / "micrographs.sqlite", tmp_path / "run"
    with closing(sqlite3.connect(inputs)) as database, database:
        database.execute("CREATE TABLE Objects (id INTEGER)")
        database.executemany("INSERT INTO Objects VALUES (?)", [(7,), (8,)])
    arrivals = Arrivals(inputs, run)
    arrivals.look()
    for file, text in (("batches/batch_mic000007.json", json.dumps({"names": {"mic000007": "a", "mic000008": "b"}})),
                       ("picks/mic000007.tsv", ""), ("picks/.mic000008.tsv", ""), ("DONE/all.TXT", "7\n")):
        path = run / "extra" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        time.sleep(0.2)
        arrivals.look()
    arrivals.start()
    found = arrivals.end()
    assert {name: len(values) for name, values in found.items()} == \
        {"set_to_batch": 2, "batch_to_table": 1, "table_to_output": 1, "set_to_output": 1}
    assert sum(values[0] for name, values in found.items() if name != "set_to_output") == \
        pytest.approx(found["set_to_output"][0], abs=0.03)
    assert found["batch_to_table"][0] >= 0.19
    assert max(arrivals.backlog) == 2
