"""Two runs into one output, and what a killed one leaves."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pupicker.engine.runtime.errors import InputError
from pupicker.engine.runtime.sole_writer import sole_writer, sole_writer_of_tables

HOLD = """
import sys
from pathlib import Path
from pupicker.engine.runtime.sole_writer import sole_writer, sole_writer_of_tables
output = Path(sys.argv[1])
with sole_writer_of_tables(output, [output / "a.star"]) if output.is_dir() else sole_writer(output):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holding():
    """Start a process that holds an output until it is closed."""
    processes = []

    def start(output: Path):
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(output)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.communicate()


def test_the_second_run_into_a_file_is_told(tmp_path, holding):
    first = holding(tmp_path / "m.pupicker")
    with pytest.raises(InputError, match=rf"another run is writing it \(process {first.pid} on") as caught, \
            sole_writer(tmp_path / "m.pupicker"):
        pass
    assert caught.value.parameters == ("output",)
    with sole_writer(tmp_path / "other.pupicker"):
        pass
    first.communicate()
    with sole_writer(tmp_path / "m.pupicker"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_goes_on_waits_for_the_one_before_it(tmp_path, holding):
    first = holding(tmp_path / "m.pupicker")
    ending, begin = threading.Timer(1.0, first.communicate), time.monotonic()
    ending.start()
    with sole_writer(tmp_path / "m.pupicker", patience_s=30.0):
        assert time.monotonic() - begin >= 1.0
    ending.join()
    assert list(tmp_path.iterdir()) == []


def test_in_a_folder_only_the_same_tables_are_held(tmp_path, holding):
    first = holding(tmp_path)
    with pytest.raises(InputError, match=r"a\.star: another run is writing it"), \
            sole_writer_of_tables(tmp_path, [tmp_path / "b.star", tmp_path / "a.star"]):
        pass
    with sole_writer_of_tables(tmp_path, [tmp_path / "b.star"]):
        pass
    first.kill()
    first.wait()
    with sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_half_written_goes(tmp_path):
    for name in (".a.0123abcd.star", ".b.0123abcd.star", ".m.pupicker.0123abcd.checkpoint", ".m.0123abcd.pupicker",
                 ".bashrc", "a.star"):
        (tmp_path / name).touch()
    with sole_writer_of_tables(tmp_path, [tmp_path / "a.star"]):
        assert not (tmp_path / ".a.0123abcd.star").exists()
    with sole_writer(tmp_path / "m.pupicker"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.0123abcd.star", ".bashrc", "a.star"]
