from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from pupicker.engine.files.listing import list_micrographs
from pupicker.engine.files.micrographs import read_header
from pupicker.engine.runtime.errors import InputError
from pupicker.tests.shared_data import shared


def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return paths


def star(path: Path, names: list[str], block: str = "data_micrographs") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"1 {name}\n" for name in names)
    path.write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 1.5\n\n"
        f"{block}\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographName #2\n{rows}\n"
    )
    return path


def test_folder_is_sorted_without_hidden_files_and_sub_folders(tmp_path):
    b, a, tif, *_ = make(
        tmp_path, "b.mrc", "a.mrc", "c.TIF", ".hidden.mrc", "notes.txt", "picks.star", "deeper/d.mrc", "e.mrc/inside",
    )
    assert list_micrographs([tmp_path]) == [a, b, tif]


def test_order_and_repetitions(tmp_path, monkeypatch):
    a, b, _ = make(tmp_path, "a.mrc", "b.mrc", "x/c.mrc")
    monkeypatch.chdir(tmp_path)
    assert list_micrographs([b, a, str(b), tmp_path]) == [b, a]
    assert list_micrographs(["x/../a.mrc", "a.mrc"]) == [Path("x/../a.mrc")]


@pytest.mark.parametrize("block", ["data_micrographs", "data_"])
def test_star_of_a_relion_project(tmp_path, block):
    project = tmp_path / "project"
    first, spaced = make(project, "MotionCorr/job002/a.mrc", "MotionCorr/job002/b c.mrc")
    path = star(project / "CtfFind/job003/m.star", ["MotionCorr/job002/a.mrc", '"MotionCorr/job002/b c.mrc"'], block)
    assert list_micrographs([path]) == [first, spaced]


def test_star_paths_from_its_own_folder_come_first(tmp_path, monkeypatch):
    _, _, absolute = make(tmp_path, "job/a.mrc", "a.mrc", "far/b.mrc")
    monkeypatch.chdir(tmp_path)
    assert list_micrographs([star(Path("job/m.star"), ["a.mrc", str(absolute)])]) == [Path("job/a.mrc"), absolute]
    (found,) = list_micrographs([star(tmp_path / "deep/job/m.star", ["a.mrc"])])
    assert found.samefile("a.mrc")


def test_missing_files_of_a_star_file_stay_in_the_list(tmp_path):
    (a,) = make(tmp_path, "a.mrc")
    assert list_micrographs([star(tmp_path / "m.star", ["a.mrc", "gone/b.mrc", "a.mrc"])]) == [a, Path("gone/b.mrc")]


def test_unquoted_names_that_look_like_syntax(tmp_path):
    names = ["data_001.mrc", "loop_1.mrc", "Übersicht.mrc", "[1].mrc", "it's.mrc"]
    path = star(tmp_path / "m.star", names)
    assert [found.name for found in list_micrographs([path])] == names


def test_what_is_no_micrograph(tmp_path):
    make(tmp_path, "a.jpg", "empty/notes.txt")
    star(tmp_path / "m.star", [])
    for argument, said in (
        ("a.jpg", "not a micrograph"), ("missing.mrc", "no such file"), ("empty", "no micrographs"),
        ("m.star", "no micrographs"),
    ):
        with pytest.raises(InputError) as caught:
            list_micrographs([tmp_path / argument])
        assert str(tmp_path / argument) in str(caught.value) and said in str(caught.value)
    with pytest.raises(InputError, match="no micrographs"):
        list_micrographs([])


def test_folder_without_micrographs_of_its_own_stands_for_its_sub_folders(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    a, b, *_ = make(tmp_path, "x/a.mrc", "y/z/b.mrc", ".hidden/c.mrc", "y/.d.mrc")
    assert list_micrographs([tmp_path]) == [a, b]
    assert "the 2 in its sub-folders are taken" in caplog.text


def test_lists_of_paths(tmp_path, monkeypatch):
    make(tmp_path, "mics/a.mrc", "mics/b c.mrc.gz")
    (tmp_path / "list.txt").write_text("# mine\nmics/a.mrc\n\nmics/b c.mrc.gz\nmics/gone.mrc\n")
    monkeypatch.chdir(tmp_path)
    for given in ("list.txt", "@list.txt"):
        assert list_micrographs([given]) == [Path("mics/a.mrc"), Path("mics/b c.mrc.gz"), Path("mics/gone.mrc")]
    (tmp_path / "windows.txt").write_text("mics/a.mrc\n", encoding="utf-16")
    assert list_micrographs(["windows.txt"]) == [Path("mics/a.mrc")]
    for content in (b"some words\n", b"", b"\0\1\2"):
        (tmp_path / "notes.txt").write_bytes(content)
        with pytest.raises(InputError, match=r"notes\.txt: not a list of micrographs"):
            list_micrographs([tmp_path / "notes.txt"])


def test_what_lies_beside_micrographs_is_left_out_and_said(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    kept = make(tmp_path, "a_DW.mrc", "b.mrc", "gallery_1.mrc")
    make(tmp_path, "a.mrc", "a_PS.mrc", "b_fft.mrc", "gain.mrc", "x_gain_ref.mrc", "b_frames.mrcs", "c.Fractions.tif",
         "d_Fractions.tif", "shown.png")
    extra = tmp_path / "c.Fractions.tif"  # a dot: the name of an average of that program
    assert list_micrographs([tmp_path]) == sorted([*kept, extra])
    for words in ("2 files look like power spectra", "2 files look like gain", "2 files look like frames",
                  "there dose-weighted too", "a_PS.mrc"):
        assert words in caplog.text
    assert list_micrographs([tmp_path / "a_PS.mrc"]) == [tmp_path / "a_PS.mrc"]
    (tmp_path / "spectra").mkdir()
    only = make(tmp_path / "spectra", "a_ctf.mrc")
    assert list_micrographs([tmp_path / "spectra"]) == only  # else nothing would be left


def test_links_that_lead_nowhere_are_said(tmp_path, caplog):
    (a,) = make(tmp_path, "a.mrc")
    for name in ("b.mrc", "c.mrc", "d.tif", "e.mrc", ".f.mrc", "notes.txt"):
        (tmp_path / name).symlink_to(tmp_path / "gone" / name)
    (tmp_path / "g.mrc").symlink_to(a)
    assert list_micrographs([tmp_path]) == [a, tmp_path / "g.mrc"]
    (record,) = caplog.records
    assert record.levelname == "WARNING" and record.getMessage().endswith(
        ": 4 links lead to files that are not there, and are left out: b.mrc, c.mrc, d.tif, ...")
    a.unlink()
    (tmp_path / "g.mrc").unlink()
    (below,) = make(tmp_path, "deeper/h.mrc")
    (tmp_path / "deeper" / "i.mrc").symlink_to("nowhere")
    assert list_micrographs([tmp_path]) == [below]
    assert "5 links lead to files that are not there" in caplog.text


def test_pipes_are_no_micrographs(tmp_path):
    os.mkfifo(tmp_path / "a.mrc")
    (b,) = make(tmp_path, "b.mrc")
    assert list_micrographs([tmp_path]) == [b]
    with pytest.raises(InputError, match=r"a\.mrc: is a pipe, not a file"):
        list_micrographs([tmp_path / "a.mrc"])
    with pytest.raises(InputError, match=r"a\.mrc: is a pipe, not a file"):
        read_header(tmp_path / "a.mrc")


def test_star_without_micrographs_or_broken(tmp_path):
    (tmp_path / "m.star").write_text("data_\nloop_\n_rlnCoordinateX\n1\n")
    with pytest.raises(InputError, match=r"m\.star: no column _rlnMicrographName"):
        list_micrographs([tmp_path / "m.star"])
    (tmp_path / "m.star").write_bytes(b"SQLite format 3\0\xff\xfe")
    with pytest.raises(InputError, match=r"m\.star: not a STAR file"):
        list_micrographs([tmp_path / "m.star"])


@pytest.mark.parametrize(("name", "count"), [
    ("rln31_emtestdata_micrographs_ctf.star", 24), ("rln31_emtestdata_corrected_micrographs.star", 24),
    ("rln31_emtestdata_particles_1k.star", 22), ("scipion_esrf_input_particles.star", 16),
])
def test_real_star_files(name, count):
    assert len(list_micrographs([shared(f"data/star_files/{name}")])) == count


def test_real_folder():
    assert len(list_micrographs([shared("data/empiar10146_apoferritin/mrc")])) == 8
