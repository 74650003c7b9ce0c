"""The command lines of the README, one after the other, on a folder of micrographs and a table of labels."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

import pupicker
from pupicker.tests.commands.command_line import run

QUICK = ("--updates", 20, "--batch-size", 64)  # of the training alone, which would take many minutes on one core
PAGE = Path(pupicker.__file__).resolve().parents[1] / "README.md"


@pytest.mark.slow
@pytest.mark.skipif(not PAGE.is_file(), reason="needs the repository: README.md is not beside the package")
def test_they_run_one_after_the_other(simulated, tmp_path, monkeypatch, capsys):
    (tmp_path / "micrographs").mkdir()
    for path in simulated.micrographs:
        shutil.copy(path, tmp_path / "micrographs")
    shutil.copy(simulated.labels, tmp_path / "labels.star")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("pupicker ")]
    assert [line.split()[1] for line in lines] == ["train", "pick", "evaluate", "baseline"]
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        result = run(capsys, *words, *(QUICK if words[0] == "train" else ()))
        assert result.code == 0, (line, result.err)
        if " evaluate " in line:
            recall = re.search(r"^recall +([0-9.]+)$", result.out, re.MULTILINE)
            assert float(recall.group(1)) > 0.5, result.out
    assert {path.name for path in tmp_path.iterdir()} == {
        "micrographs", "labels.star", "model.pupicker", "picks.star", "report.html", "curve.png", "first_look.star"}
