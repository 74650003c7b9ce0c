"""What ``pupicker pick`` writes, and what it does with what it cannot read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from pupicker.commands import launch
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.engine.picking.picker import Picker
from pupicker.tests.commands.command_line import run
from pupicker.tests.commands.same_picks import assert_same_picks
from pupicker.tests.simulated import PIXEL_SIZE_ANG

MANY = 1500
"""Micrographs that take longer than it takes to stop."""


# ---- formats


@pytest.mark.parametrize("name", ["p.star", "p.tsv", "p.csv"])
@pytest.mark.parametrize("threshold", [(), ("--threshold", 1e9)])
def test_one_table_for_all(pick, simulated, tmp_path, name, threshold):
    result = pick(simulated.unseen, tmp_path / "new" / name, "--json", *threshold)
    assert result.code == 0
    table = read_coordinates(tmp_path / "new" / name, simulated.unseen)
    assert {str(path): len(table.of(str(path))) for path in simulated.unseen} == result.json["picks"]
    assert (len(table) == 0) == bool(threshold)


@pytest.mark.parametrize("suffix", ["star", "tsv", "csv", "box"])
def test_folder_with_a_table_for_each_micrograph(pick, simulated, tmp_path, suffix):
    """Also for one without picks, so that a program that waits for it sees that it is done."""
    folder = tmp_path / "picks"
    assert pick(simulated.unseen, folder, "--format", suffix).code == 0
    assert pick(simulated.unseen, tmp_path / "one.tsv").code == 0
    assert sorted(path.name for path in folder.iterdir()) == [f"{path.stem}.{suffix}" for path in simulated.unseen]
    expected = read_coordinates(tmp_path / "one.tsv")
    if suffix == "box":  # in whole pixels
        expected = replace(expected, x=np.floor(expected.x + 0.5), y=np.floor(expected.y + 0.5))
    assert_same_picks(read_coordinates(folder, simulated.unseen), expected)
    assert pick(simulated.unseen, folder, "--format", suffix, "--threshold", 1e9).code == 0
    assert len(list(folder.iterdir())) == 2 and len(read_coordinates(folder)) == 0


def test_box_file_of_one_micrograph_has_the_box_size(pick, simulated, tmp_path):
    assert pick(simulated.unseen[:1], tmp_path / "p.box").code == 0
    sides = {tuple(line.split()[2:4]) for line in (tmp_path / "p.box").read_text().splitlines()}
    assert sides == {("40", "40")}  # 240 A


def test_box_file_of_several_micrographs_is_refused_at_once(pick, simulated, tmp_path):
    result = pick(simulated.unseen, tmp_path / "p.box")
    assert "folder" in result.error(2) and "picking" not in result.err


@pytest.mark.parametrize("name", ["p.json", "p.mrc"])
def test_unknown_format_is_refused_at_once(pick, simulated, tmp_path, name):
    result = pick(simulated.unseen, tmp_path / name)
    assert str(tmp_path / name) in result.error(1) and "picking" not in result.err


def test_micrographs_of_the_same_name_in_two_folders(pick, simulated, tmp_path):
    paths = [tmp_path / "x" / "a.mrc", tmp_path / "y" / "a.mrc"]
    for path, source in zip(paths, simulated.unseen, strict=True):
        path.parent.mkdir()
        shutil.copyfile(source, path)
    assert pick(paths, tmp_path / "picks").code == 0
    assert sorted(path.name for path in (tmp_path / "picks").iterdir()) == ["x_a.star", "y_a.star"]
    for part in ("1/2", "2/2"):  # neither knows but of one, and both are called as in the whole
        assert pick(paths, tmp_path / "parts", "--candidates", tmp_path / "weaker", "--part", part).code == 0
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["x_a.star", "y_a.star"]
    assert sorted(path.name for path in (tmp_path / "weaker").iterdir()) == ["x_a.tsv", "y_a.tsv"]


# ---- errors and quarantine


def test_bad_micrographs_are_set_aside(pick, simulated, tmp_path):
    good = simulated.unseen[0]
    pixels = read_image(good).pixels
    paths = {name: tmp_path / f"{name}.mrc" for name in ("truncated", "text", "nan", "constant", "unset", "coarse")}
    paths["truncated"].write_bytes(good.read_bytes()[:20000])
    paths["text"].write_text("this is no micrograph " * 100)
    write_mrc(paths["nan"], np.full_like(pixels, np.nan), PIXEL_SIZE_ANG)
    write_mrc(paths["constant"], np.full_like(pixels, 3), PIXEL_SIZE_ANG)
    write_mrc(paths["unset"], pixels, 0.0)
    write_mrc(paths["coarse"], pixels, 40.0)
    tiff = tmp_path / "broken.tif"
    tiff.write_bytes(b"II*\0" + b"\xff" * 200)
    result = pick([*paths.values(), tiff, good], tmp_path / "picks")
    assert result.code == 3
    report = json.loads((tmp_path / "picks" / "report.json").read_text())
    assert report["done"] == [str(good)] and list(report["picks"]) == [str(good)]
    quarantined = {entry["micrograph"]: entry["reason"] for entry in report["quarantined"]}
    assert list(quarantined) == [*map(str, paths.values()), str(tiff)]
    assert all(reason.startswith(name) and "\n" not in reason for name, reason in quarantined.items())
    assert "--pixel-size" in quarantined[str(paths["unset"])] and "too coarse" in quarantined[str(paths["coarse"])]
    assert [line for line in result.err.splitlines() if line.startswith("picking: ")][-1].startswith("picking: 8/8")
    assert result.err.splitlines()[-1] == f"7 micrographs were quarantined, see {tmp_path / 'picks' / 'report.json'}"
    assert (tmp_path / "picks" / f"{good.stem}.star").exists()


def test_all_micrographs_bad_is_a_failure_with_a_report(pick, tmp_path):
    path = tmp_path / "a.mrc"
    write_mrc(path, np.zeros((300, 300), dtype=np.float32), PIXEL_SIZE_ANG)
    assert str(path) in pick([path], tmp_path / "p.star").error(1)
    report = json.loads((tmp_path / "p.star.report.json").read_text())
    assert [entry["micrograph"] for entry in report["quarantined"]] == [str(path)]
    assert not (tmp_path / "p.star").exists()


def test_missing_file_in_a_star_file_of_micrographs(pick, simulated, tmp_path):
    (tmp_path / "mics.star").write_text(
        f"data_\n\nloop_\n_rlnMicrographName #1\n{simulated.unseen[0]}\ngone.mrc\n"
    )
    result = pick([tmp_path / "mics.star"], tmp_path / "p.star", "--json")
    assert result.code == 3
    assert [entry["micrograph"] for entry in result.json["quarantined"]] == ["gone.mrc"]


@pytest.mark.parametrize(("option", "value"), [
    ("--min-distance", 0), ("--min-distance", "nan"), ("--threshold", "nan"), ("--pixel-size", 0),
    ("--pixel-size", 1e5),
])
def test_impossible_options(pick, simulated, tmp_path, option, value):
    assert option in pick(simulated.unseen[:1], tmp_path / "p.star", option, value).error(2)


def test_empty_folder(pick, tmp_path):
    (tmp_path / "none").mkdir()
    assert "no micrographs" in pick([tmp_path / "none"], tmp_path / "p.star").error(1)


def test_out_of_memory_on_one_micrograph_stops_no_other(pick, simulated, tmp_path, monkeypatch):
    working_picks = Picker.working_picks

    def full_once(picker, micrograph):
        if micrograph.path == simulated.micrographs[1]:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 GiB")
        return working_picks(picker, micrograph)

    monkeypatch.setattr(Picker, "working_picks", full_once)
    result = pick(simulated.micrographs[:3], tmp_path / "p.star", "--json")
    assert result.code == 3 and len(result.json["picks"]) == 2
    assert "CUDA out of memory. Tried" in result.json["quarantined"][0]["reason"]
    assert len(read_coordinates(tmp_path / "p.star").names()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_run_that_is_stopped_leaves_its_picks(simulated, model_path, tmp_path, number):
    """Beside the table, which is there when it is whole; the next run takes them away.  Scipion reads the outcome."""
    for copy in range(MANY):
        os.link(simulated.unseen[0], tmp_path / f"m{copy:03d}.mrc")
    output, unfinished = tmp_path / "p.star", tmp_path / "p.unfinished.star"
    command = [sys.executable, "-m", "pupicker", "pick", "--model", str(model_path), "--output", str(output),
               "--threads", "1"]
    outcome = tmp_path / "outcome.json"
    started = [sys.executable, launch.__file__, str(outcome), *command[3:], str(tmp_path)]
    process = subprocess.Popen(started, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not process.stderr.readline().startswith("picking: "):
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 128 + number and out == "" and not output.exists()
    done = len(read_coordinates(unfinished).names())
    assert 2 <= done < MANY and f"stopped after {done} of {MANY} micrographs" in err and str(unfinished) in err
    assert json.loads(outcome.read_text()) == {
        "exit_code": 128 + number, "error": f"pupicker pick: error: stopped after {done} of {MANY} micrographs"}
    assert subprocess.run([*command, str(tmp_path / "m000.mrc")], check=False, capture_output=True).returncode == 0
    assert output.exists() and not unfinished.exists()


def test_the_format_of_a_single_table_is_that_of_its_name(pick, simulated, tmp_path):
    assert "--format box: is for" in pick(simulated.unseen[:1], tmp_path / "p.star", "--format", "box").error(2)
    assert pick(simulated.unseen[:1], tmp_path / "p.star", "--format", "star").code == 0


@pytest.mark.parametrize("folder", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_parts_together_are_the_whole(capsys, pick, simulated, tmp_path, folder):
    """As tables, one a part, or as tables of micrographs in one folder; a part may hold no micrograph."""
    whole = tmp_path / "whole.tsv"
    assert pick(simulated.micrographs, whole).code == 0
    for part in ("1/6", "2/6", "3/6", "4/6", "5/6", "6/6"):
        output = tmp_path / "parts" if folder else tmp_path / "parts" / f"{part[0]}.star"
        assert pick(simulated.micrographs, output, "--part", part).code == 0
    assert len(list((tmp_path / "parts").iterdir())) == (5 if folder else 6)
    assert run(capsys, "convert", tmp_path / "parts", tmp_path / "joined.star", "--micrographs",
               *simulated.micrographs).code == 0
    joined, all_at_once = read_coordinates(tmp_path / "joined.star"), read_coordinates(whole)
    assert len(joined) > 5
    assert_same_picks(joined, all_at_once)


@pytest.mark.parametrize(("more", "can"), [
    (("--format", "tsv"), True), (("--format", "csv"), True), (("--format", "relion"), False), ((), False)])
def test_a_name_with_both_quotes_is_refused_by_star_tables_only(pick, simulated, tmp_path, more, can):
    odd = tmp_path / "it's 5\".mrc"
    odd.symlink_to(simulated.unseen[0])
    result = pick([odd, simulated.unseen[1]], tmp_path / "picks", *more)
    assert (result.code, "both kinds of quotes" in result.err) == ((0, False) if can else (3, True))
    assert len([path for path in (tmp_path / "picks").iterdir() if path.name.startswith(odd.stem)]) == can


def test_a_part_into_the_table_of_another(pick, simulated, tmp_path):
    paths, output = simulated.micrographs[:2], tmp_path / "p.tsv"
    assert pick(paths, output, "--part", "1/2").code == 0
    assert "picks of 1 micrograph of other parts" in pick(paths, output, "--part", "2/2").error(1)
    assert read_coordinates(output).names() == [str(paths[0])]
    assert pick(paths, output, "--part", "2/2", "--skip-done").code == 0
    assert pick(paths, output).code == 0  # the whole takes the place of its parts
    assert len(read_coordinates(output).names()) == 2


@pytest.mark.parametrize(("part", "message"), [("3/2", "I must be at most N"), ("0/2", "I/N"), ("1", "I/N")])
def test_a_part_that_is_none(pick, simulated, tmp_path, part, message):
    assert message in pick(simulated.unseen, tmp_path / "p.star", "--part", part).error(2)
