"""Reports, progress, devices, signals, atomic writing: what the commands lean on."""

from __future__ import annotations

import copy
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from pupicker.core.networks import build
from pupicker.engine.runtime.device import on_device, precision_on, resolve_device, set_precision, set_threads
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.engine.runtime.interruption import Stopped, stop_on_signals, terminated_by_signal
from pupicker.engine.runtime.processes import Lost, _all_there
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.run_report import Report, remove_report, report_beside

# ---- report


def test_report_says_it_once_in_one_line(caplog, tmp_path):
    report = Report("pick", results={"picks": {"a.mrc": 3}})
    report.done.append(Path("a.mrc"))
    report.quarantine(Path("b.mrc"), "b.mrc: two\n  lines")
    report.quarantine(Path("c.mrc"), "no name in it")
    assert caplog.messages == ["quarantined: b.mrc: two lines", "quarantined: c.mrc: no name in it"]
    report.write(tmp_path / "new" / "r.json")
    assert json.loads((tmp_path / "new" / "r.json").read_text()) == {
        "command": "pick", "done": ["a.mrc"],
        "quarantined": [{"micrograph": "b.mrc", "reason": "b.mrc: two lines"},
                        {"micrograph": "c.mrc", "reason": "no name in it"}],
        "masked_pixels": {}, "borders_px": {}, "picks": {"a.mrc": 3},
    }
    assert report.exit_code == 3
    report.require_some()


def test_report_without_any_usable_micrograph():
    report = Report("pick")
    assert report.exit_code == 0
    report.require_some()
    report.quarantine(Path("b.mrc"), "b.mrc: broken")
    with pytest.raises(InputError, match=r"the only micrograph cannot be used: b\.mrc: broken"):
        report.require_some()


def test_reports_have_names_of_their_own_and_nothing_else_is_removed_for_one(tmp_path):
    assert report_beside(tmp_path) == tmp_path / "report.json"
    assert report_beside(tmp_path, "3/8") == tmp_path / "report_3_of_8.json"
    assert report_beside(tmp_path / "p.star", "3/8") == tmp_path / "p.star.report.json"
    Report("pick").write(tmp_path / "report.json")
    (tmp_path / "other.json").write_text('{"key": 1}')
    for name in ("report.json", "other.json", "none.json"):
        remove_report(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]


# ---- progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    progress = Progress(4, "picking", stream, interval_s=0.0)
    for name in "abcd":
        progress.advance(note=name)
    lines = stream.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "picking: 1/4 (25%)", "picking: 2/4 (50%)", "picking: 3/4 (75%)", "picking: 4/4 (100%)"
    ]
    assert "ETA 0:00 min, a" in lines[0] and "took 0:00 min, d" in lines[-1] and "\r" not in stream.getvalue()


def test_few_lines_in_a_log():
    stream = io.StringIO()
    progress = Progress(1000, "picking", stream, interval_s=3600)
    for _ in range(1000):
        progress.advance()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_bar_on_a_terminal():
    stream = Terminal()
    progress = Progress(2, "picking", stream)
    progress.advance(2)
    assert stream.getvalue().startswith("\r") and "[" + "#" * 24 + "]" in stream.getvalue()
    assert stream.getvalue().endswith("\n")


def test_nothing_to_do_and_more_than_expected():
    stream = io.StringIO()
    Progress(0, "x", stream).advance()
    over = Progress(2, "x", stream, interval_s=0.0)
    over.advance(3)
    assert "3/2 (100%)" in stream.getvalue()


# ---- device


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("gpu", "", "cuda:x", "meta", "cuda:-1"):
        with pytest.raises(UsageError, match="the device"):
            resolve_device(wrong)
    with pytest.raises(UsageError, match=r"the device cuda:99.*GPUs"):
        resolve_device("cuda:99")


def test_threads():
    before = torch.get_num_threads()
    try:
        assert set_threads(1) == 1 and torch.get_num_threads() == 1
        assert set_threads(0) == len(os.sched_getaffinity(0)) == torch.get_num_threads()
        assert set_threads(512) == len(os.sched_getaffinity(0)), "more would wait for each other"
        with pytest.raises(UsageError, match="the threads -2 must be from 0 to 512"):
            set_threads(-2)
    finally:
        torch.set_num_threads(before)


def test_precision():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    try:
        for text, expected in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
            set_precision(text)
            assert precision_on(cpu) == precision_on(gpu) == expected
            network = on_device(build("conv31", width=1), cpu)
            assert network.precision == expected and copy.deepcopy(network).precision == expected
        set_precision("auto")
        flags = Path("/proc/cpuinfo").read_text().split()
        assert (precision_on(cpu) == torch.bfloat16) == bool({"avx512_bf16", "amx_tile"} & set(flags))
        assert precision_on(gpu) == torch.float32
        with pytest.raises(UsageError, match="the precision int8 must be one of auto, float32, bfloat16"):
            set_precision("int8")
    finally:
        set_precision("auto")


# ---- signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_is_remembered_and_handlers_come_back(number, code):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop() and Stopped("").exit_code == code
        # The second Ctrl-C ends at once.
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with stop_on_signals():
        assert Stopped("by a program").exit_code == 1
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("before_it", [False, True])
def test_the_line_of_a_lost_connection_is_not_cut_short_by_a_signal(before_it):
    """torchrun sends SIGTERM to those that are left of a training; the line is said when the blocks are left."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(Lost), terminated_by_signal(), stop_on_signals(), _all_there():
            if before_it:
                os.kill(os.getpid(), signal.SIGTERM)
            raise RuntimeError("Connection closed by peer")
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_no_handlers_in_another_thread():
    answers = []

    def work():
        with stop_on_signals() as stop:
            answers.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]


def test_progress_that_cannot_be_written_ends_no_work(tmp_path):
    """As on a full disk of logs."""
    command = [sys.executable, "-m", "pupicker", "simulate", "--output", tmp_path / "made", "--micrographs", "1",
               "--width", "128", "--height", "128", "--particles", "1"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=full, check=False)
    assert done.returncode == 0 and (tmp_path / "made" / "truth.star").is_file()
