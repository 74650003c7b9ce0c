"""What the library says: nothing in a program that does not ask, lines on stderr on the command line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pupicker
from pupicker.commands import main as command_line

USE = """
from pathlib import Path
from pupicker.engine.runtime.progress import Progress
from pupicker.engine.runtime.run_report import Report
report, progress = Report("pick"), Progress(1, "picking")
report.used(Path("a.mrc"), 3, (1, 0, 0, 0))
report.quarantine(Path("b.mrc"), "b.mrc: is blank")
progress.advance()
"""


def _stderr(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(pupicker.__file__))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def test_a_program_that_asks_for_nothing_is_told_nothing():
    assert _stderr(USE) == ""


def test_a_program_may_listen():
    heard = _stderr("import logging\nlogging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')" + USE)
    assert "INFO a.mrc: 3 pixels are NaN, infinite or beyond 1e30, and masked" in heard
    assert "WARNING quarantined: b.mrc: is blank" in heard


def test_lines_of_the_command_line(monkeypatch, capsys):
    log = logging.getLogger("pupicker.engine.somewhere")

    def run(args):
        log.info("%s: borders are left out (they can be kept)", "a.mrc", extra={"parameters": ("keep_borders",)})
        log.warning("two labels are left out")
        log.warning("quarantined: b.mrc: is blank")
        return 0

    from pupicker.commands import info

    monkeypatch.setattr(info, "run", run)
    assert command_line.main(["info", "a.mrc"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "note: a.mrc: borders are left out (they can be kept) (--keep-borders)",
        "warning: two labels are left out",
        "quarantined: b.mrc: is blank",
    ]
    assert not any(isinstance(h, logging.StreamHandler) for h in logging.getLogger("pupicker").handlers)


def test_the_handler_is_taken_off_when_a_command_fails():
    assert command_line.main(["info", "/nowhere.mrc"]) == 1
    assert not any(isinstance(h, logging.StreamHandler) for h in logging.getLogger("pupicker").handlers)
