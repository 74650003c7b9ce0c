from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pupicker.commands import convert
from pupicker.commands.main import main
from pupicker.engine.files.coordinates import read_coordinates
from pupicker.engine.files.micrographs import write_mrc
from pupicker.tests.shared_data import shared


@pytest.fixture
def picks(tmp_path: Path) -> Path:
    path = tmp_path / "picks.tsv"
    path.write_text("micrograph\tx\ty\tscore\na\t0\t10.5\t0.5\nb\t1\t2\t0.25\n")
    return path


def test_to_star(picks, capsys):
    target = picks.with_suffix(".star")
    assert main(["convert", str(picks), str(target)]) == 0
    assert capsys.readouterr().out == f"2 particles of 2 micrographs: {target}\n"
    table = read_coordinates(target)
    assert table.names() == ["a", "b"] and table.x.tolist() == [0, 1] and table.score.tolist() == [0.5, 0.25]


def test_to_a_folder_of_scaled_boxes(picks):
    folder = picks.parent / "boxes"
    options = ["--per-micrograph", ".box", "--box-size", "20", "--scale", "4"]
    assert main(["convert", str(picks), str(folder), *options]) == 0
    assert (folder / "a.box").read_text() == "-10\t32\t20\t20\t0.5\n"  # centre 0, 42
    assert main(["convert", str(picks), str(folder), *options, "--averaged"]) == 0
    assert (folder / "a.box").read_text() == "-8\t34\t20\t20\t0.5\n"  # centre 1.5, 43.5: a corner is a whole pixel
    assert sorted(path.name for path in folder.iterdir()) == ["a.box", "b.box"]


def test_micrographs_name_the_rows_and_get_a_table_each(picks):
    for name in "abc":
        (picks.parent / "mics").mkdir(exist_ok=True)
        (picks.parent / "mics" / f"{name}.mrc").write_bytes(b"")
    folder = picks.parent / "tables"
    assert main(["convert", str(picks), str(folder), "--micrographs", str(picks.parent / "mics")]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.star", "b.star", "c.star"]
    assert read_coordinates(folder).names() == [str(picks.parent / "mics" / f"{name}.mrc") for name in "ab"]


def test_a_folder_for_relion_has_the_index_that_extract_takes(picks, capsys, monkeypatch):
    monkeypatch.chdir(picks.parent)
    assert main(["convert", "picks.tsv", "AutoPick/job009", "--per-micrograph", "_autopick.star"]) == 0
    assert "index for RELION: AutoPick/job009/autopick.star" in capsys.readouterr().out
    text = (picks.parent / "AutoPick/job009/autopick.star").read_text()
    assert "data_coordinate_files" in text and "\nb AutoPick/job009/b_autopick.star" in text
    assert read_coordinates("AutoPick/job009").names() == ["a", "b"]


@pytest.mark.parametrize(("options", "code", "said"), [
    (["--name-pattern", "("], 2, "the pattern '(' cannot be read"), (["--flip-y"], 1, "(--flip-y)"),
    (["--fractions", "--scale", "2"], 2, "fractions have no scale"),
    (["--scale", "0"], 2, "the scale 0 must be above 0 (--scale)"), (["--scale", "nan"], 2, "the scale nan must be"),
    (["--averaged"], 2, "--averaged: says what --scale means"),
    (["--box-size", "-2"], 2, "the box size -2 px must be at least 1 (--box-size)"),
    (["--micrographs", "nowhere"], 1, "nowhere"),
])
def test_wrong_options(picks, capsys, options, code, said):
    assert main(["convert", str(picks), str(picks.with_suffix(".star")), *options]) == code
    error = capsys.readouterr().err
    assert error.startswith("pupicker convert: error: ") and said in error and error.count("\n") == 1
    assert not picks.with_suffix(".star").exists()


def test_input_that_is_missing_or_unknown(tmp_path, capsys):
    assert main(["convert", str(tmp_path / "no.star"), str(tmp_path / "a.tsv")]) == 1
    assert "no.star: No such file" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "nothing"), str(tmp_path / "a.tsv")]) == 1
    assert "nothing: No such file" in capsys.readouterr().err
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    assert main(["convert", str(tmp_path / "a.pdf"), str(tmp_path / "a.tsv")]) == 1
    assert "a.pdf: not a coordinate table" in capsys.readouterr().err


def test_what_is_probably_wrong_is_said(picks, capsys):
    target = str(picks.with_suffix(".star"))
    assert main(["convert", str(picks), target]) == 0 and capsys.readouterr().err == ""
    picks.write_text("micrograph\tx\ty\n")
    assert main(["convert", str(picks), target]) == 0
    assert capsys.readouterr().err == (
        f"warning: {picks}: no particles are in it, or none are left: what is written is empty\n")
    picks.write_text("micrograph\tx\ty\na\t1\t2\na\t1\t2\n")
    assert main(["convert", str(picks), target]) == 0
    assert capsys.readouterr().err.startswith(f"warning: {picks}: 1 of its 2 rows repeats another one")
    picks.write_text("micrograph\tx\tx\ty\na\t1\t2\t3\n")
    assert main(["convert", str(picks), target]) == 1
    assert "2 columns have one title, 'x' and 'x'" in capsys.readouterr().err


@pytest.fixture
def micrographs(tmp_path: Path) -> Path:
    (tmp_path / "mics").mkdir()
    for name in "ab":
        write_mrc(tmp_path / "mics" / f"{name}.mrc", np.eye(20, 30, dtype=np.float32), 2.0)
    return tmp_path / "mics"


def test_rows_of_other_micrographs_are_left_out(picks, micrographs, capsys):
    (micrographs / "b.mrc").unlink()
    target = picks.with_suffix(".star")
    assert main(["convert", str(picks), str(target), "--micrographs", str(micrographs)]) == 0
    said = capsys.readouterr()
    assert "1 of its 2 rows is left out: 1 micrograph is not among those given: b" in said.err
    assert said.out == f"1 particle of 1 micrograph: {target}\n"
    assert read_coordinates(target).names() == [str(micrographs / "a.mrc")]


@pytest.mark.parametrize(("row", "said"), [
    ("a\t60\t3", "x = 60 to 60, y = 3 to 3"), ("b\t3\t-4", "y = -4 to -4"), ("b\t29\t19", ""), ("a\t-0.4\t0", ""),
])
def test_rows_outside_of_their_micrographs_are_said(picks, micrographs, capsys, row, said):
    picks.write_text(f"micrograph\tx\ty\n{row}\n")
    assert main(["convert", str(picks), str(picks.with_suffix(".star")), "--micrographs", str(micrographs)]) == 0
    error = capsys.readouterr().err
    if said:
        assert error.startswith(f"warning: {picks}: rows lie outside of their micrographs: {micrographs}/{row[0]}.mrc"
                                " has 30 x 20 pixels, its rows go from x = ")
        assert said in error and error.endswith("(--scale, --swap-xy)\n") and error.count("\n") == 1
    else:
        assert not error


def test_the_end_of_names_is_no_path(picks, capsys):
    folder = picks.parent / "tables"
    assert main(["convert", str(picks), str(folder), "--per-micrograph", "/../x.star"]) == 2
    assert "--per-micrograph /../x.star: is the end of the names of files" in capsys.readouterr().err
    assert not folder.exists()


def test_help_has_the_example(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["convert", "--help"])
    assert caught.value.code == 0
    assert convert.EXAMPLE in capsys.readouterr().out


def numbers(path: Path) -> list[list[float]]:
    return [list(map(float, line.split())) for line in path.read_text().splitlines()]


def test_real_boxes_to_star_and_back(tmp_path):
    source = shared("data/empiar10017_bgal/third_party_picks/repic_crYOLO")
    assert main(["convert", str(source), str(tmp_path / "picks.star")]) == 0
    options = ["--per-micrograph", ".box", "--box-size", "180"]
    assert main(["convert", str(tmp_path / "picks.star"), str(tmp_path / "boxes"), *options]) == 0
    for original in source.iterdir():
        assert numbers(tmp_path / "boxes" / original.name) == numbers(original)
