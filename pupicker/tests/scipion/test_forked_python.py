"""A fork that stands in for a started Python behaves as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pupicker.tests.scipion.forked_python import ForkedPython

REPORT = """
import json, os, sys, random
import colorsys
sys.stderr.write("to stderr\\n")
print(json.dumps({"argv": sys.argv, "folder": os.getcwd(), "variable": os.environ.get("PUPICKER_TEST"),
                  "path": sys.path, "stdin": sys.stdin.read(), "random": random.random(), "name": __name__,
                  "session": os.getsid(0), "pid": os.getpid(), "imported": "wave" in sys.modules}))
sys.exit(int(sys.argv[1]))
"""
WAIT = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
child = subprocess.Popen(["sleep", "100"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
os.rename("pids", "started")
time.sleep(100)
"""


@pytest.fixture(scope="module")
def python():
    """One that has imported ``wave``, which nothing else does."""
    forked = ForkedPython(("wave",))
    yield forked
    forked.close()


def report(python, tmp_path, *arguments, interpreter=None, **variables):
    script = tmp_path / "report.py"
    script.write_text(REPORT)
    (tmp_path / "here").mkdir(exist_ok=True)
    done = subprocess.run([interpreter or python.path, script, *arguments], env={**os.environ, **variables},
                          cwd=tmp_path / "here", input="some text", capture_output=True, text=True)
    assert done.stderr == "to stderr\n"
    return done.returncode, json.loads(done.stdout)


def test_it_takes_over_what_a_process_gets(python, tmp_path):
    variables = {"PUPICKER_TEST": "ä", "PYTHONPATH": "/some/folder"}
    code, forked = report(python, tmp_path, "7", "a b", **variables)
    real_code, real = report(python, tmp_path, "7", "a b", interpreter=sys.executable, **variables)
    assert code == real_code == 7
    assert forked["imported"] and not real["imported"]
    for name in ("argv", "folder", "variable", "path", "stdin", "name"):
        assert forked[name] == real[name], name
    assert forked["session"] == forked["pid"]


def test_each_has_random_numbers_of_its_own(python, tmp_path):
    assert report(python, tmp_path, "0")[1]["random"] != report(python, tmp_path, "0")[1]["random"]


def test_another_variable_of_an_import_starts_the_real_one(python, tmp_path):
    code, answer = report(python, tmp_path, "3", SCIPION_HOME="/elsewhere")
    assert code == 3 and not answer["imported"]


def test_an_error_is_that_of_the_script(python, tmp_path):
    script = tmp_path / "wrong.py"
    script.write_text("raise ValueError('why')")
    done = subprocess.run([python.path, script], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "ValueError: why"


def started(python, tmp_path):
    """A process that waits, and the numbers of the fork and of what that has started."""
    script = tmp_path / "wait.py"
    script.write_text(WAIT)
    process = subprocess.Popen([python.path, script], cwd=tmp_path)
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    return process, *map(int, (tmp_path / "started").read_text().split())


def runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:  # it ended, before or after the file was opened
        return False


def assert_ends(process):
    until = time.monotonic() + 60
    while runs(process):
        assert time.monotonic() < until, f"process {process} goes on"
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
class TestEnd:

    def test_sigterm_reaches_the_fork(self, python, tmp_path):
        process, fork, child = started(python, tmp_path)
        process.terminate()
        assert process.wait(60) == 5
        assert_ends(fork)
        os.kill(child, signal.SIGKILL)

    def test_a_killed_fork_is_a_killed_process(self, python, tmp_path):
        process, fork, child = started(python, tmp_path)
        os.kill(fork, signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        os.kill(child, signal.SIGKILL)

    def test_a_killed_process_takes_the_fork_with_it(self, python, tmp_path):
        process, fork, child = started(python, tmp_path)
        process.kill()
        process.wait()
        for number in (fork, child):
            assert_ends(number)

    def test_nothing_outlives_the_server(self, tmp_path):
        python = ForkedPython(())
        process, fork, child = started(python, tmp_path)
        python.close()
        assert process.wait(60) == 70
        for number in (fork, child):
            assert_ends(number)


def test_many_at_once(python, tmp_path):
    script = tmp_path / "sleep.py"
    script.write_text("import sys, time; time.sleep(0.2); sys.exit(int(sys.argv[1]))")
    processes = [subprocess.Popen([python.path, script, str(number)]) for number in range(40)]
    assert [process.wait(60) for process in processes] == list(range(40))


def test_a_server_that_cannot_import_says_so():
    with pytest.raises(RuntimeError, match="no_such_package"):
        ForkedPython(("no_such_package",))
