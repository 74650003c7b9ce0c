from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import pupicker
from pupicker.commands import label
from pupicker.commands.main import COMMANDS, build_parser, main
from pupicker.engine.files.micrographs import write_mrc
from pupicker.engine.runtime.errors import InputError
from pupicker.tests.commands.command_line import run
from pupicker.window.micrograph_image import MicrographError
from pupicker.window.suggester import LabelMicrograph


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(capsys, command):
    result = run(capsys, command, "--help")
    assert result.code == 0 and result.err == ""
    assert f"example:\n  pupicker {command} " in result.out


def test_every_option_is_explained():
    parsers = next(action.choices for action in build_parser()._actions if isinstance(action.choices, dict))
    assert tuple(parsers) == COMMANDS
    unexplained = [action.dest for parser in parsers.values() for action in parser._actions if not action.help]
    assert unexplained == []


def test_help_does_not_wait_for_torch():
    program = (
        "import contextlib, io, json, sys\n"
        "from pupicker.commands.main import COMMANDS, main\n"
        "for command in COMMANDS:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main([command, '--help'])\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"torch", "numpy", "matplotlib"} & set(json.loads(done.stdout)) == set()


def test_version(capsys):
    result = run(capsys, "--version")
    assert result.code == 0 and result.out == f"pupicker {pupicker.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("fly",), ("pick",), ("pick", "a.mrc", "--model", "m", "--bogus")])
def test_wrong_usage_is_exit_code_2(capsys, arguments):
    result = run(capsys, *arguments)
    assert result.code == 2 and result.out == "" and "error:" in result.err


def test_missing_micrograph_is_one_line(capsys, tmp_path):
    result = run(capsys, "info", tmp_path / "none.mrc")
    assert str(tmp_path / "none.mrc") in result.error(1)


@pytest.mark.parametrize(("device", "words"), [
    ("gpu", "the device gpu must be auto, cpu, cuda or cuda:N (--device)"), ("cuda:x", "the device cuda:x must be"),
    ("mps", "the device mps must be"), ("cuda:99", "the device cuda:99 is not there"),
])
def test_impossible_device_is_an_error_not_a_fallback(capsys, simulated, model_path, tmp_path, device, words):
    result = run(capsys, "pick", simulated.folder, "--model", model_path, "--output", tmp_path / "p.star",
                 "--device", device)
    assert words in result.error(2) and "(--device)" in result.error(2)
    assert not (tmp_path / "p.star").exists()


def test_python_m_pupicker_with_a_reader_that_goes_away(model_path):
    """``pupicker info MODEL | head -0`` ends without a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pupicker", "info", str(model_path)], stdout=writing, stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writing)
    assert done.stderr == "" and done.returncode == 1


@pytest.mark.parametrize(("closed", "words", "code"), [
    (">&-", "info {model}", 0), ("2>&-", "info {model}", 0), (">&- 2>&- <&-", "info {model}", 0),
    ("2>&-", "info {model}_gone", 1), ("2>&-", "info {model} --diameter 5", 2),
])
def test_a_standard_stream_that_is_closed_changes_no_exit_code(model_path, closed, words, code):
    """As a service or a job that was started without one has it."""
    line = f'exec "$0" -m pupicker {words.format(model=shlex.quote(str(model_path)))} {closed}'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert bool(done.stdout) == (not code and not closed.startswith(">"))


@pytest.mark.parametrize(("number", "said"), [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")])
def test_a_signal_where_nothing_has_to_be_finished(tmp_path, number, said):
    """The exit code is that of the signal, as it is where something has to be; also if Ctrl-C is ignored around us."""
    command = ["env", "--default-signal", sys.executable, "-m", "pupicker", "simulate", "--output", str(tmp_path),
               "--micrographs", "5000", "--width", "128", "--height", "128", "--particles", "1", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("mic_*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 128 + number and out == "" and "Traceback" not in err
    assert err.splitlines()[-1] == f"pupicker simulate: {said}"


@pytest.mark.parametrize("option", ["--score-sd", "--uncertainty"])
def test_the_deviation_of_a_score_has_one_name_and_an_old_one_that_no_help_shows(option):
    parser = build_parser()
    assert parser.parse_args(["pick", "a.mrc", "--model", "m", "--output", "o.star", option]).score_sd is True
    (commands,) = (action.choices for action in parser._actions if hasattr(action, "choices") and action.choices)
    text = commands["pick"].format_help()
    assert "--score-sd" in text and "--uncertainty" not in text


@pytest.mark.parametrize("words", [
    ["pick", "mics", "--model", "m", "--output", ""], ["pick", "", "--model", "m", "--output", "p.star"],
    ["pick", "mics", "--model=", "--output", "p.star"],
    ["train", "mics", "--picks", "", "--diameter", "9", "--output", "m"],
    ["pick", "mics", "--model", "m", "--output", "p.star", "--masks", ""], ["convert", "", "p.star"],
    ["convert", "p.tsv", ""], ["info", ""], ["models", "show", ""], ["models", "publish", ""],
])
def test_a_name_that_is_empty_is_wrong_usage(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # which an empty name would mean
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert ": is empty: give a name (a variable of the shell that is not set?)" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_label_shows_no_micrograph_of_another_pixel_size_than_the_training_is_told(tmp_path):
    for name, size in (("a", 2.5), ("b", 5.0), ("c", 2.51), ("d", 0.0)):
        write_mrc(tmp_path / f"{name}.mrc", np.eye(20, 30, dtype=np.float32), size)
        one = LabelMicrograph(name, name, str(tmp_path / f"{name}.mrc"), 2.5)
        if name == "b":
            with pytest.raises(MicrographError, match=r"b\.mrc: has pixels of 5 A, the first micrograph of 2\.5 A"):
                label._pixels(False, one)
        else:
            assert label._pixels(False, one).shape == (20, 30)
        assert label._pixels(True, one).shape == (20, 30)


def test_label_takes_the_pixel_size_of_the_first_micrograph_that_can_be_read(tmp_path):
    write_mrc(tmp_path / "b.mrc", np.eye(20, 30, dtype=np.float32), 2.5)
    (tmp_path / "a.mrc").write_bytes(b"cut")
    assert label._pixel_size_ang([tmp_path / "a.mrc", tmp_path / "b.mrc"]) == 2.5
    write_mrc(tmp_path / "c.mrc", np.eye(20, 30, dtype=np.float32), float("nan"))
    with pytest.raises(InputError, match=r"c\.mrc: impossible pixel size nan"):
        label._pixel_size_ang([tmp_path / "c.mrc", tmp_path / "a.mrc"])
