from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from gemmi import cif
from hypothesis import given
from hypothesis import strategies as st

from pupicker.core.image.downsampling import fourier_resize
from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates, write_coordinates
from pupicker.engine.files.coordinates.formats import BY_SUFFIX
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.names import TABLE_SUFFIXES
from pupicker.tests.shared_data import shared

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
SCORES = NUMBERS.filter(lambda number: number != -999)  # which means "no score" in RELION
EIGHTHS = st.integers(-999, 99999).map(lambda number: number / 8)
LETTERS = st.characters(codec="utf-8", exclude_characters="\"'", exclude_categories=["C", "Zl", "Zp"])
NAMES = st.text(LETTERS, min_size=1).filter(lambda name: name.strip() not in (".", "?"))  # "no value" in a STAR file


@st.composite
def tables(draw: st.DrawFn, names: st.SearchStrategy[str] = NAMES, probability: bool = True) -> CoordinateTable:
    """Any table a format can hold; names have no blanks at their ends."""
    some = draw(st.lists(names.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True))
    rows = draw(st.lists(st.tuples(st.sampled_from(some), NUMBERS, NUMBERS, SCORES, st.floats(0, 1)), max_size=12))
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return CoordinateTable(
        np.array(columns[0], dtype=object), np.array(columns[1]), np.array(columns[2]),
        np.array(columns[3]) if draw(st.booleans()) else None,
        np.array(columns[4]) if probability and draw(st.booleans()) else None,
    )


def table_of(*rows: tuple[str, float, float], score: list[float] | None = None) -> CoordinateTable:
    names, x, y = zip(*rows, strict=True)
    return CoordinateTable(
        np.array(names, dtype=object), np.array(x), np.array(y), None if score is None else np.array(score),
    )


def assert_equal(one: CoordinateTable, other: CoordinateTable) -> None:
    assert one.micrograph.tolist() == other.micrograph.tolist()
    for field in ("x", "y", "score", "probability"):
        first, second = getattr(one, field), getattr(other, field)
        assert (first is None) == (second is None), field
        if first is not None:
            np.testing.assert_array_equal(first, second, err_msg=field)


def sorted_rows(table: CoordinateTable) -> list[tuple]:
    score = [None] * len(table) if table.score is None else table.score.tolist()
    return sorted(zip(table.micrograph.tolist(), table.x.tolist(), table.y.tolist(), score, strict=True))


# ---- the table


def test_table_fields_are_arrays_of_one_length():
    table = table_of(("a", 1, 2), ("b", 3, 4))
    assert table.x.dtype == np.float64 and table.micrograph.dtype == object and len(table) == 2
    with pytest.raises(ValueError, match="score"):
        CoordinateTable(table.micrograph, table.x, table.y, np.zeros(3))
    assert len(CoordinateTable.empty()) == 0 and CoordinateTable.empty().names() == []


@given(tables())
def test_parts_of_a_table(table):
    assert table.names() == list(dict.fromkeys(table.micrograph.tolist()))
    parts = [table.of(name) for name in table.names()]
    assert all(part.names() == [name] for name, part in zip(table.names(), parts, strict=True))
    joined = CoordinateTable.concatenate(parts)
    assert sorted_rows(joined) == sorted_rows(table)
    assert len(table.of("no such micrograph/")) == 0
    mask = table.x > 0
    assert_equal(table.select(mask), table.select(np.flatnonzero(mask)))


def test_concatenate_keeps_scores_that_all_have():
    scored, bare = table_of(("a", 1, 2), score=[0.5]), table_of(("b", 3, 4))
    assert CoordinateTable.concatenate([scored, scored]).score.tolist() == [0.5, 0.5]
    assert CoordinateTable.concatenate([scored, CoordinateTable.empty()]).score.tolist() == [0.5]
    assert CoordinateTable.concatenate([scored, bare]).score is None
    assert len(CoordinateTable.concatenate([])) == 0


def test_scaling_keeps_the_first_pixel_or_the_edges():
    table = table_of(("a", -0.5, 0), ("a", 99.5, 49.5))  # of an image 100 px wide
    assert table.scaled(4).x.tolist() == [-2, 398] and table.scaled(4).y.tolist() == [0, 198]
    scaled = table.scaled(4, averaged=True)
    assert scaled.x.tolist() == [-0.5, 399.5] and scaled.y.tolist() == [1.5, 199.5]
    np.testing.assert_allclose(scaled.scaled(0.25, averaged=True).y, table.y)


def test_scaling_is_that_of_fourier_cropping():
    """A blob of a cropped image comes back to where it was."""
    y, x = np.mgrid[:256, :320].astype(np.float32)
    image = torch.from_numpy(np.exp(-((x - 200) ** 2 + (y - 120) ** 2) / 200))
    small = fourier_resize(image, (64, 80))
    row, column = (float((small * axis).sum() / small.sum()) for axis in torch.meshgrid(
        torch.arange(64.0), torch.arange(80.0), indexing="ij"))
    back = table_of(("a", column, row)).scaled(4)
    assert back.x[0] == pytest.approx(200, abs=0.05) and back.y[0] == pytest.approx(120, abs=0.05)


# ---- round trips


@given(tables(), st.sampled_from([".tsv", ".csv"]))
def test_delimited_round_trip(table, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picks{suffix}"
        write_coordinates(path, table)
        assert_equal(read_coordinates(path), table)


@given(tables(probability=False))
def test_star_round_trip(table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picks.star"
        write_coordinates(path, table)
        assert_equal(read_coordinates(path), table)


@given(st.lists(st.tuples(EIGHTHS, EIGHTHS, NUMBERS)), st.integers(1, 400), st.booleans())
def test_box_round_trip(rows, box_size_px, scored):
    x, y, score = (np.array([row[place] for row in rows]) for place in range(3))
    table = CoordinateTable(np.full(len(rows), "m.1", dtype=object), x, y, score if scored and rows else None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.1.box"
        write_coordinates(path, table, box_size_px=box_size_px)
        assert all(field.lstrip("-").isdigit() for line in path.read_text().splitlines() for field in line.split()[:4])
        found = read_coordinates(path)
        assert found.micrograph.tolist() == table.micrograph.tolist()
        assert (found.score is None) == (table.score is None)
        assert table.score is None or np.array_equal(found.score, table.score)
        assert np.abs(found.x - table.x).max(initial=0) <= 0.5 and np.abs(found.y - table.y).max(initial=0) <= 0.5


@given(
    tables(st.from_regex(r"\A([a-z]{1,2}/)?[A-Z]{1,2}\.mrc\Z"), probability=False),
    st.sampled_from([".star", ".tsv", ".csv"]),
)
def test_folder_round_trip(table, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picks"
        write_coordinates(path, table, per_micrograph_suffix=suffix)
        if len(table):
            assert sorted_rows(read_coordinates(path)) == sorted_rows(table)
            assert len(list(path.iterdir())) == len(table.names())


def test_folder_of_boxes_with_equal_names_in_two_folders(tmp_path):
    table = table_of(("x/001.mrc", 10, 20), ("y/001.mrc", 30, 40), ("x/002.mrc", 1, 2))
    write_coordinates(tmp_path / "boxes", table, box_size_px=16, per_micrograph_suffix=".box")
    assert sorted(path.name for path in (tmp_path / "boxes").iterdir()) == ["002.box", "x_001.box", "y_001.box"]
    micrographs = [Path("x/001.mrc"), Path("y/001.mrc"), Path("x/002.mrc")]
    assert sorted_rows(read_coordinates(tmp_path / "boxes", micrographs)) == sorted_rows(table)


def test_every_format_strips_its_extension():
    assert set(BY_SUFFIX) == set(TABLE_SUFFIXES)


# ---- writing


def test_star_as_relion_writes_it(tmp_path):
    path = tmp_path / "picks.star"
    write_coordinates(path, table_of(("dir/my mic.mrc", 1.5, 1 / 3), score=[-0.25]))
    assert path.read_text() == (
        "\n# version 30001\n\ndata_\n\nloop_ \n_rlnMicrographName #1 \n_rlnCoordinateX #2 \n_rlnCoordinateY #3 \n"
        "_rlnAutopickFigureOfMerit #4 \n_rlnClassNumber #5 \n_rlnAnglePsi #6 \n"
        '"dir/my mic.mrc" 1.500000 0.3333333333333333 -0.250000 0 0.000000 \n \n'
    )


DIFFICULT = ("data_1.mrc", "_1.mrc", "#1.mrc", ";1.mrc", "it's.mrc", 'a"b.mrc', "é.mrc", "[1]", "loop_", "İ", "\u212a")


@pytest.mark.parametrize("name", DIFFICULT)
def test_star_with_difficult_names(tmp_path, name):
    path = tmp_path / "picks.star"
    write_coordinates(path, table_of((name, 1, 2)))
    assert read_coordinates(path).names() == [name]
    cif.read_string(path.read_text())  # strict grammar


@pytest.mark.parametrize("name", ["mic_0001.mrc", "a/b_c-1.0_x.mrc", "1_2.mrc", "x'_.mrc", "a#_b[1].mrc"])
def test_star_has_no_quotes_that_relion_would_take_for_a_part_of_the_name(tmp_path, name):
    path = tmp_path / "picks.star"
    write_coordinates(path, table_of((name, 1, 2)))
    row = next(line for line in path.read_text().splitlines() if name in line)
    if "'" not in name:
        assert row.split()[0] == name
    assert read_coordinates(path).names() == [name]
    cif.read_string(path.read_text())


@pytest.mark.skipif(shutil.which("relion_star_printtable") is None, reason="needs the system package relion")
def test_relion_reads_the_names(tmp_path):
    path = tmp_path / "picks.star"
    write_coordinates(path, table_of(("mic_0001.mrc", 1, 2), ("dir_1/mic_0002.mrc", 3, 4)))
    printed = subprocess.run(["relion_star_printtable", str(path), "data_", "rlnMicrographName"],
                             capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["mic_0001.mrc", "dir_1/mic_0002.mrc"]


def test_name_with_both_quotes_is_refused(tmp_path):
    with pytest.raises(InputError, match="both kinds of quotes"):
        write_coordinates(tmp_path / "picks.star", table_of(("a 'b' \"c\"", 1, 2)))
    assert not list(tmp_path.iterdir())


def test_empty_tables(tmp_path):
    for suffix in (".star", ".tsv", ".csv"):
        write_coordinates(tmp_path / f"a{suffix}", CoordinateTable.empty())
        assert len(read_coordinates(tmp_path / f"a{suffix}")) == 0
    write_coordinates(tmp_path / "a.box", CoordinateTable.empty(), box_size_px=10)
    assert len(read_coordinates(tmp_path / "a.box")) == 0
    (tmp_path / "b.tsv").write_text("")
    assert len(read_coordinates(tmp_path / "b.tsv")) == 0


def test_folder_has_a_table_for_each_micrograph_given(tmp_path):
    table = table_of(("a", 1, 2), ("b.mrc", 3, 4))
    micrographs = [Path("/data/a.mrc"), Path("/data/b.mrc"), Path("/data/c.mrc")]
    write_coordinates(tmp_path / "picks", table, micrographs)
    assert sorted(path.name for path in (tmp_path / "picks").iterdir()) == ["a.star", "b.star", "c.star"]
    assert len(read_coordinates(tmp_path / "picks" / "c.star")) == 0
    (tmp_path / "with.dots").mkdir()
    write_coordinates(tmp_path / "with.dots", table, per_micrograph_suffix="_autopick.star")
    assert sorted(path.name for path in (tmp_path / "with.dots").iterdir()) == ["a_autopick.star", "b_autopick.star"]


def test_tables_that_a_format_cannot_hold(tmp_path):
    table = table_of(("a", 1, 2), ("b", 3, 4))
    with pytest.raises(InputError, match=r"a\.box.*box size"):
        write_coordinates(tmp_path / "a.box", table.of("a"))
    with pytest.raises(InputError, match=r"a\.box.*holds one micrograph, the table 2"):
        write_coordinates(tmp_path / "a.box", table, box_size_px=10)
    with pytest.raises(InputError, match=r"a\.xyz.*known formats are \.star, \.tsv"):
        write_coordinates(tmp_path / "a.xyz", table)
    assert not list(tmp_path.iterdir())


# ---- reading


def read_text(path: Path, text: str, **options: object) -> CoordinateTable:
    path.write_text(text)
    return read_coordinates(path, **options)  # type: ignore[arg-type]


def test_star_columns_in_any_order_without_numbers(tmp_path):
    table = read_text(tmp_path / "a.star", (
        "# comment\n\ndata_optics\n\n_rlnOpticsGroup 1\n\ndata_particles\n\nloop_\n_rlnCoordinateY\n"
        "_rlnAutopickFigureOfMerit\n_rlnMicrographName\n_rlnCoordinateX\n 2.5 0.75 'my mic.mrc' 1e1 # first\n\n"
    ))
    assert_equal(table, table_of(("my mic.mrc", 10, 2.5), score=[0.75]))


def test_star_with_one_row_as_pairs_and_windows_line_ends(tmp_path):
    table = read_text(tmp_path / "a.star", "\ufeffdata_\r\n_rlnCoordinateX 3\r\n_rlnCoordinateY 4\r\n")
    assert_equal(table, table_of(("a", 3, 4)))


@pytest.mark.parametrize("name", ["m.1_autopick.star", "m.1_manualpick.star", "m.1.star"])
def test_star_named_after_its_micrograph(tmp_path, name):
    text = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnAutopickFigureOfMerit\n1 2 -999\n"
    table = read_text(tmp_path / name, text)
    assert table.names() == ["m.1"] and table.score is None


def test_index_of_a_relion_job(tmp_path):
    for name, x in (("a", 1), ("b", 2)):
        path = tmp_path / f"AutoPick/job004/{name}_autopick.star"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n{x} 5\n")
    index = tmp_path / "AutoPick/job004/autopick.star"
    rows = "".join(f"Mics/{name}.mrc AutoPick/job004/{name}_autopick.star\n" for name in "ab")
    text = f"data_coordinate_files\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n{rows}"
    assert_equal(read_text(index, text), table_of(("Mics/a.mrc", 1, 5), ("Mics/b.mrc", 2, 5)))
    (tmp_path / "AutoPick/job004/b_autopick.star").unlink()
    with pytest.raises(InputError, match=r"autopick\.star: names the table .*b_autopick\.star, which is missing"):
        read_coordinates(index)


@pytest.mark.parametrize("text", [
    "micrograph\tx\ty\tscore\n001\t1.5\t2\t3\n", "image_name,x_coord,y_coord,score\n001,1.5,2,3\n",
    "Y_COORD X_COORD Image_Name Score\n2 1.5 001 3\n", "x;y;score;micrograph;class\n1.5;2;3;001;7\n",
    "\n x, y , score,micrograph,\n\n1.5, 2, 3,001,\n\n", '"micrograph","x","y","score"\r\n"001","1.5","2","3"\r\n',
])
def test_spellings_of_a_delimited_table(tmp_path, text):
    assert_equal(read_text(tmp_path / "a.csv", text), table_of(("001", 1.5, 2), score=[3]))


def test_delimited_table_named_after_its_micrograph(tmp_path):
    assert read_text(tmp_path / "000012.tsv", "x\ty\n1\t2\n").names() == ["000012"]


def test_box_is_a_corner(tmp_path):
    table = read_text(tmp_path / "m.box", "10\t20\t180\t100\t0.5\n -5 -6 180 180 0.25\n")
    assert_equal(table, table_of(("m", 100, 70), ("m", 85, 84), score=[0.5, 0.25]))
    assert read_text(tmp_path / "m.box", "10 20 180 180 -3\n").score is None
    assert read_text(tmp_path / "m.box", "10 20 180 180\n").score is None


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "abc", "5e999"])
@pytest.mark.parametrize(("name", "text", "line"), [
    ("a.tsv", "micrograph\tx\ty\na\t1\t2\n\na\t{}\t2\n", 4),
    ("a.txt", "x y score\n1 2 3\n1 2 {}\n", 3),
    ("a.box", "1 2 10 10\n\n1 2 10 {}\n", 3),
    ("a.star", "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n# note\n3 4\n5 {}\n", 9),
    ("a.star", "data_\n_rlnCoordinateX {}\n_rlnCoordinateY 2\n", 2),
])
def test_values_that_are_no_numbers(tmp_path, name, text, line, value):
    with pytest.raises(InputError) as caught:
        read_text(tmp_path / name, text.format(value))
    assert str(caught.value).startswith(f"{tmp_path / name}: line {line}: ")
    assert repr(value) in str(caught.value) and "finite number" in str(caught.value)


@pytest.mark.parametrize(("name", "content", "said"), [
    ("a.tsv", b"micrograph\tx\ty\na\t1\n", "line 2: 2 fields, the header has 3"),
    ("a.tsv", b"micrograph\tx\ty\na\t1,5\t2\n", "line 2: x is '1,5', with a decimal comma; write numbers with a"),
    ("a.csv", b"x;y\n1.012,5;2\n", "line 2: x is '1.012,5', with a decimal comma"),
    ("a.txt", b"\n12,5 33,7\n", "line 2: '12,5 33,7' has decimal commas; write numbers with a decimal point"),
    ("a.txt", b"12\t33\n12,5\t33,7\n", "line 2: x is '12,5', with a decimal comma"),
    ("a.csv", b"12,5;33\n", "line 1: '12,5;33' has decimal commas"),
    ("a.csv", b"x,y\n12,5,33,7\n", "4 fields, the header has 2: if its numbers have decimal commas, write"),
    ("a.box", b"12 33 90 90\n12,5 33,7 90 90\n", "line 2: '12,5 33,7 90 90' has decimal commas"),
    ("a.star", b"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1,5 2\n", "line 5: _rlnCoordinateX is '1,5', with a"),
    ("a.csv", b"x,y,X\n1,2,3\n", "2 columns have one title, 'x' and 'X': leave one of them"),
    ("a.tsv", b"micrograph\tx\ty\tscore\tscore\na\t1\t2\t3\t4\n", "2 columns have one title, 'score' and 'score'"),
    ("a.star", b"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateX\n_rlnCoordinateY\n1 2 3\n", "not a STAR file that can"),
    ("a.tsv", "x\ty\n1\t2\n".encode("utf-16-le"), "not text, or not in UTF-8: save a table as text in UTF-8"),
    ("a.csv", "micrograph,x,y\n\xfc,1,2\n".encode("latin-1"), "not text, or not in UTF-8"),
    ("a.txt", b"micrograph x y\nmy mic.mrc 1 2\n", "line 2: 4 fields, the header has 3"),
    ("a.tsv", b"a\t1\t2\n", "first line must name the columns"),
    ("a.csv", b'micrograph,"x,y\na,1,2\n', "first line must name the columns"),
    ("a.csv", b"\xff\xfe\0\0", "not text"),
    ("a.box", b"1 2 3\n", "line 1: 3 fields, expected x y width height"),
    ("a.box", b"\xff\xfe\0\0", "not text"),
    ("a.star", b"", "no block with the columns"),
    ("a.star", b"\xff\xfe\0\0", "not text"),
    ("a.star", b"hello world\n", "not a STAR file"),
    ("a.star", b"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n3\n", "not a STAR file that can be read (line 2"),
    ("a.star", b"data_\nloop_\n_rlnCoordinateX\n1\n", "no block with the columns"),
    ("a.json", b"{}", "known formats are"),
])
def test_broken_tables(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_coordinates(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ") and said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "text"), [
    ("a.tsv", "micrograph\tx\ty\nMüller\t1\t2\n"), ("a.txt", "1 2\n3 4\n"), ("a.box", "1 2 10 10\n"),
    ("a.star", "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n"),
    ("a_info.json", '{"boxes": [[1, 2, "manual"]]}'),
    ("a.csv", "#filename,region_shape_attributes\na,\"{\"\"cx\"\": 1, \"\"cy\"\": 2}\"\n"),
])
def test_what_windows_calls_unicode_is_read(tmp_path, name, text):
    """UTF-16 with its mark, whichever byte comes first."""
    expected = read_text(tmp_path / name, text)
    assert len(expected)
    for encoding, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        (tmp_path / name).write_bytes(mark + text.replace("\n", "\r\n").encode(encoding))
        assert_equal(read_coordinates(tmp_path / name), expected)


def test_boxes_with_commas_between_their_numbers(tmp_path):
    for text in ("10,20,180,180\n", "10, 20, 180, 180\n"):
        assert_equal(read_text(tmp_path / "m.box", text), table_of(("m", 100, 110)))


def test_rows_that_repeat_another_one_are_said(tmp_path, caplog):
    """Also of names that mean one micrograph."""
    text = "micrograph\tx\ty\nd/a.mrc\t1\t2\na\t1\t2\nb\t1\t2\na\t1\t2\n"
    assert len(read_text(tmp_path / "p.tsv", text)) == 4
    assert "p.tsv: 1 of its 4 rows repeats another one, with the same micrograph, x and y; the first: a at 1, 2" in (
        caplog.text)
    caplog.clear()
    assert len(read_text(tmp_path / "p.tsv", text, micrographs=[Path("a.mrc"), Path("b.mrc")])) == 4
    assert "2 of its 4 rows repeat" in caplog.text and "a.mrc at 1, 2" in caplog.text
    caplog.clear()
    read_text(tmp_path / "p.tsv", "micrograph\tx\ty\na\t1\t2\na\t2\t1\n")
    assert caplog.text == ""


def test_missing_and_mixed_folders(tmp_path):
    with pytest.raises(InputError, match=r"missing\.star: No such file"):
        read_coordinates(tmp_path / "missing.star")
    with pytest.raises(InputError, match="no coordinate tables"):
        read_coordinates(tmp_path)
    (tmp_path / "commas").mkdir()
    (tmp_path / "commas" / "a.txt").write_text("12,5 33,7\n")
    with pytest.raises(InputError, match=r"a\.txt: line 1: '12,5 33,7' has decimal commas"):
        read_coordinates(tmp_path / "commas")
    (tmp_path / "a.box").write_text("1 2 10 10\n")
    (tmp_path / "b.tsv").write_text("x\ty\n1\t2\n")
    with pytest.raises(InputError, match=r"several formats \(\.box, \.tsv\)"):
        read_coordinates(tmp_path)
    (tmp_path / "b.tsv").unlink()
    (tmp_path / ".b.tsv").write_text("half written")
    (tmp_path / "a_autopick.box").write_text("")
    with pytest.raises(InputError, match=r"a\.box and a_autopick\.box are of one micrograph"):
        read_coordinates(tmp_path)


def test_names_become_the_paths_of_the_micrographs(tmp_path):
    text = "micrograph\tx\ty\na\t1\t2\nother\t3\t4\n"
    table = read_text(tmp_path / "picks.tsv", text, micrographs=[Path("/data/a.mrc"), Path("/data/b.mrc")])
    assert table.names() == ["/data/a.mrc", "other"]
    with pytest.raises(InputError, match="ambiguous"):
        read_text(tmp_path / "picks.tsv", text, micrographs=[Path("x/a.mrc"), Path("y/a.mrc")])


# ---- files of other programs


@pytest.mark.parametrize(("name", "count", "micrographs"), [
    ("star_files/rln30_aspire_particles.star", 17, 1),
    ("star_files/rln31_emtestdata_20170629_00049_frameImage_autopick.star", 195, 1),
    ("star_files/rln31_emtestdata_particles_1k.star", 1000, 22),
    ("star_files/scipion_esrf_input_particles.star", 2021, 16),
    ("star_files/drpnet_Falcon_2012_06_12-14_33_35_0_autopick.star", 535, 1),
    ("robustness/Ucsf_stack_1142_DW_autopick.star", 45, 1),
    ("empiar10017_bgal/third_party_picks/picker_eval_manual_star", 1255, 2),
    ("empiar10017_bgal/third_party_picks/repic_crYOLO", 2719, 4),
    ("empiar10017_bgal/third_party_picks/repic_topaz", 3052, 4),
    ("empiar10146_apoferritin/truth/particles_1.5A.star", 1115, 7),
    ("labels/empiar10017_bgal/all.tsv", 2362, 4),
])
def test_real_tables(tmp_path, name, count, micrographs):
    table = read_coordinates(shared(f"data/{name}"))
    assert (len(table), len(table.names())) == (count, micrographs)
    for target in ("a.star", "a.tsv"):
        write_coordinates(tmp_path / target, table)
        assert_equal(read_coordinates(tmp_path / target), table)


@pytest.mark.parametrize("name", [
    "starfile_basic_double_quote.star", "starfile_empty_loop.star", "starfile_loop_double_quote.star",
    "starfile_two_basic_blocks.star", "rln31_emtestdata_micrographs_ctf.star", "rln31_emtestdata_movie_frameImage.star",
    "rln31_emtestdata_corrected_micrographs.star", "rln31_emtestdata_autopick.star", "scipion_emtestdata_movies.sqlite",
])
def test_real_files_without_coordinates_are_refused_in_a_line(name):
    path = shared(f"data/star_files/{name}")
    with pytest.raises(InputError) as caught:
        read_coordinates(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_equal_truth_in_two_formats():
    files = [shared(f"data/empiar10017_bgal/truth/particles_bin4_7.08A{suffix}") for suffix in (".star", ".txt")]
    micrographs = sorted(shared("data/empiar10017_bgal/mrc_bin4").iterdir())
    star, text = map(read_coordinates, files)
    assert star.names() != text.names()
    star, text = (read_coordinates(file, micrographs) for file in files)
    assert_equal(star, text)
    assert sorted(star.names()) == list(map(str, micrographs))


def test_scaling_of_the_real_truth():
    folder = shared("data/empiar10017_bgal/truth")
    small, full = (read_coordinates(folder / f"particles_{size}.star") for size in ("bin4_7.08A", "full_1.77A"))
    scaled = small.scaled(4, averaged=True)
    assert scaled.micrograph.tolist() == full.micrograph.tolist()
    np.testing.assert_allclose(scaled.x, full.x, atol=0.03)  # the small table has two decimals
    np.testing.assert_allclose(scaled.y, full.y, atol=0.03)


@pytest.mark.parametrize("suffix", [".star", ".tsv", ".csv"])
def test_spread_of_the_score_survives(tmp_path, suffix):
    names = np.array(["a.mrc", "b.mrc"], dtype=object)
    columns = (np.array(values) for values in ([1.0, 2], [3.0, 4], [5.0, 6], [0.25, 1.5]))
    x, y, score, spread = columns
    table = CoordinateTable(names, x, y, score, score_sd=spread)
    write_coordinates(tmp_path / f"picks{suffix}", CoordinateTable.concatenate([table.scaled(1.0), table.renamed({})]))
    read = read_coordinates(tmp_path / f"picks{suffix}")
    assert read.score_sd is not None and read.score_sd.tolist() == [0.25, 1.5, 0.25, 1.5]
    assert read.of("b.mrc").score_sd.tolist() == [1.5, 1.5]


def test_micrographs_of_one_name_and_two_formats(tmp_path):
    """A table that names them with their extensions tells them apart; a folder of tables cannot."""
    micrographs = [tmp_path / "a.mrc", tmp_path / "a.tif"]
    write_coordinates(tmp_path / "one.star", table_of(("a.mrc", 1, 2), ("a.tif", 3, 4)))
    assert read_coordinates(tmp_path / "one.star", micrographs).names() == list(map(str, micrographs))
    (tmp_path / "each").mkdir()
    (tmp_path / "each" / "a.box").write_text("0\t0\t10\t10\n")
    with pytest.raises(InputError, match=r"a\.mrc and .*a\.tif would both be called"):
        read_coordinates(tmp_path / "each", micrographs)
