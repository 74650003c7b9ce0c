"""Tables as other programs write them: what is read, from what it is told, and what they can read of ours."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pupicker.engine.files.coordinates import (
    CoordinateTable,
    Reading,
    format_to_write,
    read_coordinates,
    write_coordinates,
    write_index,
)
from pupicker.engine.files.coordinates.formats import BY_SUFFIX, format_of
from pupicker.engine.files.micrographs import write_mrc
from pupicker.engine.runtime.errors import InputError, UsageError

WIDTH, HEIGHT, PIXEL_ANG = 64, 48, 6.0
PLACES = [(10.0, 20.0), (30.0, 5.0), (50.0, 40.0)]


@pytest.fixture
def micrographs(tmp_path):
    (tmp_path / "mics").mkdir()
    paths = [tmp_path / "mics" / f"mic_{number}.mrc" for number in range(2)]
    for path in paths:
        write_mrc(path, np.random.default_rng(0).normal(size=(HEIGHT, WIDTH)).astype(np.float32), PIXEL_ANG)
    return paths


def boxes(form="{} {} 20 20"):
    return "".join(form.format(x - 10, y - 10) + "\n" for x, y in PLACES)


def plain(header=""):
    return header + "".join(f"{x:g} {y:g}\n" for x, y in PLACES)


def cbox(z="<NA>"):
    names = ("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth", "EstWidth", "EstHeight",
             "Confidence", "NumBoxes", "Angle")
    head = "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n"
    head += "".join(f"_{name} #{number}\n" for number, name in enumerate(names, 1))
    return head + "".join(f"{x - 10} {y - 10} {z.format(n)} 20 20 1 19 21 0.7 1 <NA>\n"
                          for n, (x, y) in enumerate(PLACES))


def star(columns, rows, block=""):
    return f"data_{block}\n\nloop_\n" + "".join(f"_{name} #{n}\n" for n, name in enumerate(columns, 1)) + rows


def relion(extra=(), value=""):
    return star(("rlnCoordinateX", "rlnCoordinateY", *extra), "".join(f"{x} {y} {value}\n" for x, y in PLACES))


def pos():
    rows = "".join(f"1 {x:g} {y:g} -1.0\n" for x, y in PLACES)
    return "# XMIPP_STAR_1 * \n# \ndata_header\n _pickingMicrographState Manual\n" + star(
        ("enabled", "xcoor", "ycoor", "cost"), rows, "particles") + star(
        ("enabled", "xcoor", "ycoor", "cost"), "-1 1 1 0.5\n", "particles_auto")


def via(shape):
    shapes = [json.dumps(shape(x, y)).replace('"', '""') for x, y in PLACES]
    rows = "".join(f'mic_0.png,-1,"{{}}",3,{n},"{text}","{{}}"\n' for n, text in enumerate(shapes))
    return ("filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
            + rows)


def via_json():
    regions = [{"shape_attributes": {"name": "circle", "cx": x, "cy": y, "r": 3}, "region_attributes": {}}
               for x, y in PLACES]
    return json.dumps({"_via_img_metadata": {"mic_0.png-1": {"filename": "mic_0.png", "regions": regions}}})


def csv_of(*titles):
    return ",".join(titles) + "\n" + "".join(f"{x},{y},20\n" for x, y in PLACES)


ONE_EACH = {
    "mic_0.cbox": cbox(), "mic_0_old.cbox": boxes("{} {} 20 20 0.7"), "mic_0_info.json":
    json.dumps({"quality": 5, "boxes": [[x, y, "manual"] for x, y in PLACES]}), "mic_0.pos": pos(),
    "mic_0.csv": csv_of("X-Coordinate", "Y-Coordinate", "Diameter"),
    "via.csv": via(lambda x, y: {"name": "point", "cx": x, "cy": y}),
    "via_rect.csv": via(lambda x, y: {"name": "rect", "x": x - 5, "y": y - 4, "width": 10, "height": 8}),
    "via_polygon.csv": via(lambda x, y: {"all_points_x": [x - 1, x + 1], "all_points_y": [y - 2, y + 2]}),
    "via.json": via_json(), "mic_0.coords": plain("x         y      density\n").replace("\n", " \n"),
    "mic_0.txt": plain(), "mic_0_manual.box": boxes(), "boxes_mic_0.dat": boxes(), "stars.dat": relion(),
    "mic_0.csv.csv": csv_of("rlnCoordinateX", "rlnCoordinateY", "rlnClassNumber"),
    "topaz.tab": "image_name\tx_coord\ty_coord\n" + "".join(f"mic_0\t{x:g}\t{y:g}\n" for x, y in PLACES),
}


@pytest.mark.parametrize("name", ONE_EACH)
def test_a_table_of_one_micrograph(tmp_path, name):
    (tmp_path / name).write_text(ONE_EACH[name])
    table = read_coordinates(tmp_path / name)
    assert sorted(zip(table.x, table.y, strict=True)) == sorted(PLACES)
    assert len(table.names()) == 1
    if name.startswith(("mic_0.", "topaz", "via")):
        assert table.names()[0].split(".")[0] == "mic_0"
    if name == "mic_0.cbox":
        assert table.score.tolist() == [0.7] * 3


def picked_particles(path, names, fraction=True):
    rows = np.zeros(len(PLACES), [("uid", "<u8"), ("location/micrograph_path", "S90"),
                                  ("location/micrograph_shape", "<u4", (2,)), ("location/center_x_frac", "<f4"),
                                  ("location/center_y_frac", "<f4"), ("pick_stats/ncc_score", "<f4")])
    rows["location/micrograph_path"], rows["location/micrograph_shape"] = names, (HEIGHT, WIDTH)
    rows["location/center_x_frac"], rows["location/center_y_frac"] = (np.array(PLACES) / (WIDTH, HEIGHT)).T
    with path.open("wb") as file:
        np.save(file, rows if fraction else rows[["uid"]])
    return path


def test_cryosparc_there_and_back(tmp_path, micrographs):
    name = b"J5/motioncorrected/012345678901234567890_mic_0_patch_aligned_doseweighted.mrc"
    table = read_coordinates(picked_particles(tmp_path / "picked_particles.cs", name), micrographs)
    assert table.names() == [str(micrographs[0])]
    assert list(zip(table.x, table.y, strict=True)) == PLACES and table.score.tolist() == [0.0] * 3
    write_coordinates(tmp_path / "ours.cs", table, micrographs)
    again = read_coordinates(tmp_path / "ours.cs")
    assert list(zip(again.x, again.y, strict=True)) == PLACES and again.names() == table.names()
    assert len(set(np.load(tmp_path / "ours.cs")["uid"])) == 3
    with pytest.raises(InputError, match="needs the sizes of the micrographs"):
        write_coordinates(tmp_path / "other.cs", table.renamed({str(micrographs[0]): "gone"}))
    whole = (tmp_path / "ours.cs").read_bytes()
    (tmp_path / "cut.cs").write_bytes(whole[:10] + b"(" + whole[11:])
    with pytest.raises(InputError, match=r"cut\.cs: not a file of cryoSPARC, or damaged"):
        read_coordinates(tmp_path / "cut.cs")
    with pytest.raises(InputError, match="passthrough"):
        read_coordinates(picked_particles(tmp_path / "particles.cs", name, fraction=False))


def coordinates_sqlite(path, columns, rows):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE Classes (id INTEGER, label_property TEXT, column_name TEXT, class_name TEXT)")
        labels = [(n, label, f"c{n:02}", "Float") for n, label in enumerate(columns, 1)]
        connection.executemany("INSERT INTO Classes VALUES (?, ?, ?, ?)", labels)
        stored = ", ".join(f"c{n:02}" for n, *_ in labels)
        connection.execute(f"CREATE TABLE Objects (id INTEGER, enabled INTEGER, {stored})")
        connection.executemany(f"INSERT INTO Objects VALUES (?, ?{', ?' * len(columns)})", rows)
    connection.close()
    return path


def test_a_set_of_scipion(tmp_path):
    columns = ("_x", "_y", "_micName", "_rlnAutopickFigureOfMerit")
    rows = [(n, 1, x, y, "mic_0.mrc", 0.5) for n, (x, y) in enumerate(PLACES)] + [(9, 0, 1, 1, "mic_0.mrc", 0.1)]
    table = read_coordinates(coordinates_sqlite(tmp_path / "coordinates.sqlite", columns, rows))
    assert list(zip(table.x, table.y, strict=True)) == PLACES and table.names() == ["mic_0.mrc"]
    assert table.score.tolist() == [0.5] * 3
    with pytest.raises(InputError, match="without coordinates"):
        read_coordinates(coordinates_sqlite(tmp_path / "movies.sqlite", ("_a",), []))
    (tmp_path / "broken.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 200)
    with pytest.raises(InputError, match=r"broken\.sqlite: not a table of Scipion"):
        read_coordinates(tmp_path / "broken.sqlite")


# ---- folders


def test_jobs_of_relion(tmp_path, micrographs):
    """Up to 3.1 and from 4 on; the job, the folder above it and the index all mean the same."""
    for job, index in (("AutoPick/job006", "coords_suffix_autopick.star"), ("AutoPick4/job007", "autopick.star")):
        folder = tmp_path / job
        (folder / "Movies").mkdir(parents=True)
        for mic in ("mic_0", "mic_1"):
            (folder / f"Movies/{mic}_autopick.star").write_text(relion())
        (folder / "job.star").write_text("data_job\n\n_rlnJobTypeLabel relion.autopick\n")
        (folder / "note.txt").write_text(" ++++ Executing new job\n with the following command(s): x y\n")
        rows = "".join(f"MotionCorr/{mic}.mrc {job}/Movies/{mic}_autopick.star\n" for mic in ("mic_0", "mic_1"))
        (folder / index).write_text("CtfFind/job003/micrographs_ctf.star\n" if "suffix" in index else star(
            ("rlnMicrographName", "rlnMicrographCoordinates"), rows, "coordinate_files"))
        for given in (folder, folder.parent, folder / index):
            table = read_coordinates(given, micrographs)
            assert table.names() == list(map(str, micrographs)) and len(table) == 6, given


def test_output_of_cryolo_is_what_is_above_its_threshold(tmp_path, micrographs, caplog):
    caplog.set_level(logging.INFO)
    for folder, ending, text in (("CBOX", ".cbox", cbox() + cbox().splitlines()[-1] + "\n"), ("EMAN", ".box", boxes())):
        (tmp_path / "out" / folder).mkdir(parents=True)
        (tmp_path / "out" / folder / f"mic_0{ending}").write_text(text)
    assert len(read_coordinates(tmp_path / "out", micrographs)) == 3
    assert "EMAN are read" in caplog.text
    assert len(read_coordinates(tmp_path / "out" / "CBOX", micrographs)) == 4


def test_two_indices_and_an_index_of_itself(tmp_path):
    index = star(("rlnMicrographName", "rlnMicrographCoordinates"), "a.mrc autopick.star\n", "coordinate_files")
    for name in ("autopick.star", "manualpick.star"):
        (tmp_path / name).write_text(index)
    with pytest.raises(InputError, match="are indices of jobs"):
        read_coordinates(tmp_path)
    with pytest.raises(InputError, match="is an index too"):
        read_coordinates(tmp_path / "autopick.star")


# ---- what a table says beside x and y


def test_origins_of_a_refinement_move_particles(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    optics = star(("rlnOpticsGroup", "rlnImagePixelSize"), "1 24.0\n", "optics") + "\n"
    (tmp_path / "p.star").write_text(optics + relion(("rlnOriginXAngst", "rlnOriginYAngst"), "12 -6"))
    by_header = read_coordinates(tmp_path / "p.star", None, Reading(pixel_size_ang=PIXEL_ANG))
    assert list(zip(by_header.x, by_header.y, strict=True)) == [(x - 2, y + 1) for x, y in PLACES]
    assert "by up to 2.0 px" in caplog.text
    of_binned = read_coordinates(tmp_path / "p.star", None, Reading(scale=2.0, pixel_size_ang=PIXEL_ANG))
    assert of_binned.x[0] == 2 * (10 - 1)  # the table's own pixels are of 12 A
    assert read_coordinates(tmp_path / "p.star").x[0] == 10 - 0.5  # nothing but the pixel size of its images is known
    kept = read_coordinates(tmp_path / "p.star", None, Reading(refined_origins=False))
    assert list(zip(kept.x, kept.y, strict=True)) == PLACES
    (tmp_path / "old.star").write_text(relion(("rlnOriginX", "rlnOriginY"), "3 -1"))
    assert read_coordinates(tmp_path / "old.star").x[0] == 7


@pytest.mark.parametrize(("name", "text"), [
    ("a.star", star(("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"), "1 2 3\n4 5 6\n")),
    ("a.csv", "x,y,z\n1,2,3\n4,5,6\n"), ("a.cbox", cbox("{}")),
    ("a.pos", star(("xcoor", "ycoor", "zcoor"), "1 2 3\n4 5 6\n", "particles")),
])
def test_particles_of_a_tomogram_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="particles in 3D, of a tomogram"):
        read_coordinates(tmp_path / name)
    (tmp_path / name).write_text(text.replace("4 5 6", "4 5 3").replace("4,5,6", "4,5,3") if "cbox" not in name
                                 else cbox("1"))
    assert len(read_coordinates(tmp_path / name)) > 1


def test_the_only_block_of_xmipp_may_be_that_of_the_machine(tmp_path):
    (tmp_path / "mic_0.pos").write_text(pos().replace("data_particles\n", "data_others\n").replace(
        "_xcoor #2\n_ycoor #3\n_cost #4\n1 ", "_left #2\n_right #3\n_cost #4\n1 ", 1).replace("\n-1 1 1", "\n1 1 1"))
    assert len(read_coordinates(tmp_path / "mic_0.pos")) == 1


def test_a_probability_in_percent_is_refused_with_its_line(tmp_path):
    (tmp_path / "p.tsv").write_text("micrograph\tx\ty\tprobability\nmic_0\t1\t2\t0.9\nmic_0\t3\t4\t85\n")
    with pytest.raises(InputError, match=r"line 3: probability is '85', expected a number from 0 to 1"):
        read_coordinates(tmp_path / "p.tsv")


def test_fractions_swapped_axes_and_mirrored_rows(tmp_path, micrographs):
    def read(places, **options):
        (tmp_path / "p.tsv").write_text("micrograph\tx\ty\n" + "".join(f"mic_0\t{x}\t{y}\n" for x, y in places))
        table = read_coordinates(tmp_path / "p.tsv", micrographs, Reading(**options))
        return [(round(x, 6), round(y, 6)) for x, y in zip(table.x, table.y, strict=True)]

    fractions = [(x / WIDTH, y / HEIGHT) for x, y in PLACES]
    with pytest.raises(InputError, match="between 0 and 1: these are fractions") as caught:
        read(fractions)
    assert caught.value.parameters == ("fractions",)
    assert read(fractions, fractions=True) == PLACES
    assert read([(y, x) for x, y in fractions], fractions=True, swap_xy=True) == PLACES
    assert read([(x, HEIGHT - 1 - y) for x, y in PLACES], flip_y=True) == PLACES
    assert read([(y, x) for x, y in PLACES], swap_xy=True) == PLACES
    assert read([(x / 4, y / 4) for x, y in PLACES], scale=4.0) == PLACES
    with pytest.raises(UsageError, match="fractions have no scale"):
        Reading(fractions=True, scale=2.0)
    with pytest.raises(InputError, match="need the micrographs' size"):
        read_coordinates(tmp_path / "p.tsv", None, Reading(flip_y=True))


def test_scores_below_the_lowest_are_left_out(tmp_path):
    (tmp_path / "p.tsv").write_text("x\ty\tscore\n10\t20\t-1\n30\t5\t2\n")
    assert read_coordinates(tmp_path / "p.tsv", None, Reading(min_score=0.0)).x.tolist() == [30]
    (tmp_path / "p.tsv").write_text("x\ty\n10\t20\n")
    with pytest.raises(InputError, match="has no scores"):
        read_coordinates(tmp_path / "p.tsv", None, Reading(min_score=0.0))


def test_two_columns_are_of_the_one_micrograph_that_is_meant(tmp_path, micrographs, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "picks.txt").write_text(plain())
    assert read_coordinates(tmp_path / "picks.txt", micrographs[1:]).names() == [str(micrographs[1])]
    assert "taken for the only one given" in caplog.text
    with pytest.raises(InputError, match="named after none of those given"):
        read_coordinates(tmp_path / "picks.txt", micrographs)
    (tmp_path / "mic_1.txt").write_text(plain())
    assert read_coordinates(tmp_path / "mic_1.txt", micrographs).names() == [str(micrographs[1])]
    (tmp_path / "three.txt").write_text("1 2 3\n4 5 6\n")
    with pytest.raises(InputError, match="first line must name the columns"):
        read_coordinates(tmp_path / "three.txt")


# ---- names


def test_what_programs_add_to_names_is_seen_through_and_said(tmp_path, micrographs, caplog):
    caplog.set_level(logging.INFO)
    names = ["mic_0_topazpicks", "C:\\data\\012345678901234567_mic_1_aligned_mic_DW.mrc"]
    (tmp_path / "p.tsv").write_text("micrograph\tx\ty\n" + "".join(f"{name}\t1\t2\n" for name in names))
    assert read_coordinates(tmp_path / "p.tsv", micrographs).names() == list(map(str, micrographs))
    assert "2 of its names are matched" in caplog.text and "'mic_0_topazpicks' is taken for mic_0.mrc" in caplog.text


def test_the_place_in_a_stack_is_seen_through_and_said(tmp_path, micrographs, caplog):
    """Before the name, before its folders, and in the images of RELION's particles."""
    caplog.set_level(logging.INFO)
    for name in ("000001@mic_0.mrcs", "000001@Extract/job3/mic_0.mrcs"):
        caplog.clear()
        (tmp_path / "p.tsv").write_text(f"micrograph\tx\ty\n{name}\t1\t2\n")
        assert read_coordinates(tmp_path / "p.tsv", micrographs).names() == [str(micrographs[0])]
        assert f"(000001@...): {name!r} is taken for mic_0.mrc" in caplog.text
    caplog.clear()
    (tmp_path / "p.star").write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnImageName\n"
                                     "1 2 000001@E/mic_0.mrcs\n3 4 000002@E/mic_0.mrcs\n")
    assert read_coordinates(tmp_path / "p.star", micrographs).names() == [str(micrographs[0])]
    assert "has no _rlnMicrographName" in caplog.text and "'000001@E/mic_0.mrcs' for 'E/mic_0.mrcs'" in caplog.text
    caplog.clear()
    (tmp_path / "p.tsv").write_text("micrograph\tx\ty\nE/mic_0.mrc\t1\t2\n")
    read_coordinates(tmp_path / "p.tsv", micrographs)
    assert caplog.text == ""


def test_a_part_that_does_not_match_is_a_warning_and_nothing_an_error(tmp_path, micrographs, caplog):
    (tmp_path / "p.tsv").write_text("micrograph\tx\ty\nmic_0\t1\t2\n000123_mic_1\t3\t4\n000123_mic_1\t5\t6\n")
    table = read_coordinates(tmp_path / "p.tsv", micrographs)
    assert "2 of its 3 rows are left out" in caplog.text and "000123_mic_1" in caplog.text
    assert table.names() == [str(micrographs[0]), "000123_mic_1"]
    with pytest.raises(InputError, match=r"none of its 3 rows .* the table names 'mic_0'"):
        read_coordinates(tmp_path / "p.tsv", [Path("other.mrc"), Path("another.mrc")])
    by_pattern = read_coordinates(tmp_path / "p.tsv", micrographs, Reading(name_pattern=r"(mic_\d)"))
    assert by_pattern.names() == list(map(str, micrographs)) and len(by_pattern) == 3
    for pattern in ("(", "mic", "(a)(b)"):
        with pytest.raises(UsageError):
            Reading(name_pattern=pattern)


def test_two_names_that_resemble_one_micrograph_are_refused(tmp_path):
    (tmp_path / "p.tsv").write_text("micrograph\tx\ty\nmic_0_sum\t1\t2\nmic_0_DW\t3\t4\n")
    with pytest.raises(InputError, match="both resemble"):
        read_coordinates(tmp_path / "p.tsv", [Path("mic_0.mrc")])


# ---- what others read of ours


@pytest.fixture
def picks():
    return CoordinateTable(np.array(["MotionCorr/job002/mic_0.mrc"] * 2, object), np.array([379.25, 41.75]),
                           np.array([220.75, 116.25]), np.array([3.5, 1.25]))


def test_topaz_gets_its_columns(tmp_path, picks):
    write_coordinates(tmp_path / "p.txt", picks)
    assert (tmp_path / "p.txt").read_text() == (
        "image_name\tx_coord\ty_coord\tscore\nmic_0\t379.25\t220.75\t3.5\nmic_0\t41.75\t116.25\t1.25\n")
    write_coordinates(tmp_path / "p.box", picks, box_size_px=30)
    assert (tmp_path / "p.box").read_text() == "364\t206\t30\t30\t3.5\n27\t101\t30\t30\t1.25\n"


def test_cbox_there_and_back(tmp_path, picks):
    write_coordinates(tmp_path / "boxes", picks, box_size_px=30, per_micrograph_suffix=".cbox")
    again = read_coordinates(tmp_path / "boxes" / "mic_0.cbox")
    assert again.x.tolist() == picks.x.tolist() and again.score.tolist() == picks.score.tolist()


@pytest.mark.skipif(shutil.which("relion_star_printtable") is None, reason="needs the system package relion")
def test_relion_reads_the_index(tmp_path):
    write_index(tmp_path / "autopick.star", {"a_1.mrc": Path("AutoPick/job9/a_1_autopick.star")})
    command = ["relion_star_printtable", str(tmp_path / "autopick.star"), "data_coordinate_files",
               "rlnMicrographName", "rlnMicrographCoordinates"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["a_1.mrc", "AutoPick/job9/a_1_autopick.star"]


def test_formats_that_are_only_read_are_not_written(tmp_path):
    only_read = [suffix for suffix, form in BY_SUFFIX.items() if not hasattr(form, "write")]
    assert ".pos" in only_read and ".star" not in only_read
    for suffix in only_read:
        with pytest.raises(InputError, match="known formats are"):
            format_to_write(tmp_path / f"p{suffix}")
    (tmp_path / "p.pdf").write_bytes(b"%PDF-1.4\0")
    with pytest.raises(InputError, match=r"p\.pdf: not a coordinate table"):
        format_of(tmp_path / "p.pdf")


def test_the_settings_of_xmipp_beside_its_tables_are_no_table(tmp_path, micrographs):
    for path in micrographs:
        rows = "".join(f"{x:g} {y:g}\n" for x, y in PLACES)
        (tmp_path / f"{path.stem}.pos").write_text(star(["xcoor", "ycoor"], rows, "particles"))
    (tmp_path / "config.xmd").write_text("# XMIPP_STAR_1 *\ndata_properties\n _particleSize 100\n")
    assert len(read_coordinates(tmp_path, micrographs)) == 2 * len(PLACES)


def test_boxes_that_cannot_be_and_columns_of_boxes(tmp_path, caplog):
    (tmp_path / "mic_0.box").write_text("10 10 -20 -20\n")
    with pytest.raises(InputError, match=r"mic_0\.box: line 1: a box of -20 x -20"):
        read_coordinates(tmp_path / "mic_0.box")
    caplog.set_level(logging.WARNING, "pupicker")
    (tmp_path / "p.tsv").write_text("micrograph\tx\ty\twidth\theight\na\t1\t2\t20\t20\n")
    assert read_coordinates(tmp_path / "p.tsv").x.tolist() == [1]
    assert "has the columns 'width' and 'height': x and y are taken for centres" in caplog.text


def test_fractions_of_no_size_are_refused(tmp_path, micrographs):
    path = tmp_path / "p.cs"
    write_coordinates(path, CoordinateTable([str(micrographs[0])], [10.0], [20.0]), micrographs)
    rows = np.load(path)
    rows["location/micrograph_shape"] = 0
    with path.open("wb") as file:
        np.save(file, rows)
    with pytest.raises(InputError, match=r"p\.cs: row 1: location/micrograph_shape is 0"):
        read_coordinates(path)


def test_a_lowest_score_that_leaves_none_is_an_error(tmp_path):
    (tmp_path / "p.tsv").write_text("micrograph\tx\ty\tscore\na\t1\t2\t0.5\na\t3\t4\t0.25\n")
    with pytest.raises(InputError, match=r"none of its 2 rows .* 3 or more, the highest is 0\.5") as caught:
        read_coordinates(tmp_path / "p.tsv", None, Reading(min_score=3))
    assert caught.value.parameters == ("min_score",)


@pytest.mark.parametrize("text", [
    "# x y\n1.5 2\n3 4\n", "# by hand\n# at noon, twice\n\nx,y\n1.5,2\n3,4\n", "#x\ty\r\n1.5\t2\r\n3\t4\r\n",
    "# picks\n1.5 2\n3 4\n",
])
def test_comments_before_the_titles(tmp_path, text):
    (tmp_path / "a.txt").write_bytes(text.encode())
    found = read_coordinates(tmp_path / "a.txt")
    assert found.x.tolist() == [1.5, 3] and found.y.tolist() == [2, 4] and found.names() == ["a"]


def test_a_name_that_begins_with_a_number_sign_is_no_comment(tmp_path):
    (tmp_path / "p.txt").write_text("# micrograph x y\n#1 1.5 2\n#2 3 x\n")
    with pytest.raises(InputError, match="line 3: y is 'x'"):
        read_coordinates(tmp_path / "p.txt")
    (tmp_path / "p.txt").write_text("# micrograph x y\n#1 1.5 2\n#2 3 4\n")
    assert read_coordinates(tmp_path / "p.txt").names() == ["#1", "#2"]
