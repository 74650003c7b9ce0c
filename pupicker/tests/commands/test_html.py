"""``train --html``, ``pick --html`` and ``report``: what the reports hold, whatever the micrographs are called."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest

from pupicker.engine.files.coordinates import read_coordinates, write_coordinates
from pupicker.engine.files.micrographs import read_image, write_mrc
from pupicker.tests.commands.command_line import run
from pupicker.tests.commands.html_page import Page, in_a_browser
from pupicker.tests.simulated import HEIGHT, PARTICLES, PIXEL_SIZE_ANG, WIDTH

NASTY = "<b>&'.mrc"


@pytest.fixture
def nasty(simulated, tmp_path):
    """A micrograph whose name is HTML."""
    path = tmp_path / NASTY
    shutil.copy(simulated.unseen[0], path)
    return path


@pytest.fixture
def broken(tmp_path):
    """A micrograph without contrast, which is quarantined."""
    path = tmp_path / "<i>blank.mrc"
    write_mrc(path, np.ones((HEIGHT, WIDTH), dtype=np.float32), PIXEL_SIZE_ANG)
    return path


# ---- training


def test_report_of_a_training(train, simulated, broken, tmp_path):
    target = tmp_path / "new" / "train.html"
    result = train("--html", target, "--seed", 7, micrographs=[*simulated.labelled, broken])
    assert result.code == 3
    page = Page(target)
    page.assert_self_contained()
    assert page.sections == ["Course of the training", "What a threshold does", "Labels and picks", "Left out",
                             "Model", "How it was made"]
    assert len(page.images) == 2 + 3  # two figures, three labelled micrographs
    assert [image["alt"].split(",")[0] for image in page.images[2:]] == [str(p) for p in simulated.labelled]
    assert page.alarms == ["Quarantined micrographs, not used at all: 1"]
    assert [row for row in page.rows if row and row[0] == str(broken)] == [
        [str(broken), "all pixels have the same value 1; leave it out or compute it again"]]
    assert "pupicker train" in page.text and "--seed 7" in page.text and f"--html {target}" in page.text
    rows = {row[0]: row[1:] for row in page.rows if len(row) > 1}
    again = train("--html", target, "--only-html", "--seed", 7, micrographs=[*simulated.labelled, broken])
    assert again.code == 3 and Page(target).sections == page.sections and "--only-html" not in Page(target).text
    shown = in_a_browser(target, tmp_path)
    assert shown["overflow"] <= 0 and shown["height"] < 6000
    assert min(width / len(text) for text, width in shown["first"] if len(text) < 30) > 5  # in one line
    assert rows["labels"] == [str(3 * PARTICLES)] and rows["seed"] == ["7"] and "torch" in rows


def test_report_of_a_training_on_many_micrographs(train, simulated, tmp_path):
    """Some of them stand for all: picking all would take longer than the training."""
    more = [tmp_path / f"copy{number}.mrc" for number in range(7)]
    for path in more:
        shutil.copy(simulated.unseen[0], path)
    assert train("--html", tmp_path / "train.html", micrographs=[*simulated.labelled, *more]).code == 0
    assert "Expected precision and recall on 8 training micrographs" in Page(tmp_path / "train.html").text


def test_report_of_a_training_without_held_out_labels(train, tmp_path):
    assert train("--html", tmp_path / "t.html", "--validation-fraction", 0).code == 0
    text = Page(tmp_path / "t.html").text
    assert "follows from scores and number of particles" in text and "Right: average precision" not in text


def test_report_of_a_training_with_held_out_labels(train, tmp_path):
    assert train("--html", tmp_path / "t.html", "--validation-fraction", 0.25).code == 0
    assert "Right: average precision estimated from held-out labels" in Page(tmp_path / "t.html").text


def test_html_that_cannot_be_written_is_said_before_training(train, tmp_path):
    message = train("--html", tmp_path).error(2)
    assert f"--html {tmp_path}: is a folder" in message
    assert not (tmp_path / "m.pupicker").exists()


# ---- picking


def test_report_of_a_picking(pick, simulated, nasty, broken, tmp_path):
    target = tmp_path / "pick.html"
    result = pick([*simulated.unseen, nasty, broken], tmp_path / "p", "--format", "tsv", "--html", target, "--json")
    assert result.code == 3
    page = Page(target)
    page.assert_self_contained()
    assert {"b", "i"} & page.tags == set()  # names are text
    assert page.sections == ["Scores", "Picks per micrograph", "Examples", "Micrographs", "Left out", "Model",
                             "How it was made"]
    assert len(page.images) == 2 + 3
    counts = {row[0]: row[1] for row in page.rows if len(row) == 3}
    assert {name: int(counts[name]) for name in result.json["picks"]} == result.json["picks"]
    assert page.alarms == ["Quarantined micrographs, not used at all: 1"]
    assert any(row[0] == str(broken) for row in page.rows)


def test_pictures_of_examples_have_circles_where_the_picks_are(pick, simulated, tmp_path):
    """The marked centres are taken out of the picture again: none is shifted, flipped or scaled."""
    from PIL import Image

    target, path = tmp_path / "p.html", simulated.unseen[0]
    assert pick([path], tmp_path / "p.tsv", "--html", target).code == 0
    picks = read_coordinates(tmp_path / "p.tsv")
    data = Page(target).images[-1]["src"].split(",")[1]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)
    green = (picture[..., 1] - picture[..., 0] > 60) & (picture[..., 1] - picture[..., 2] > 30)
    height, width = read_image(path).pixels.shape
    scale = 700 / max(height, width)  # 7 inches of 100 dots
    x, y, radius = picks.x * scale, picks.y * scale, 80 / PIXEL_SIZE_ANG * scale
    rows, columns = np.nonzero(green[: round(height * scale)])
    inside = (x > radius) & (x < width * scale - radius) & (y > radius) & (y < height * scale - radius)
    assert inside.any()
    for one_x, one_y in zip(x[inside], y[inside], strict=True):
        distance = np.hypot(columns - one_x, rows - one_y)
        ring = np.abs(distance - radius) < 3
        angles = np.degrees(np.arctan2(rows[ring] - one_y, columns[ring] - one_x)) // 30
        assert len(np.unique(angles)) == 12  # all the way round


def test_alarm_when_many_micrographs_have_no_pick(pick, simulated, tmp_path):
    assert pick(simulated.unseen, tmp_path / "p.star", "--html", tmp_path / "p.html", "--threshold", 1000).code == 0
    page = Page(tmp_path / "p.html")
    assert len(page.alarms) == 1 and page.alarms[0].startswith("2 of 2 micrographs have no pick")
    assert "Scores" not in page.sections and len(page.images) == 1 + 2


# ---- report


def test_report_of_existing_tables(capsys, pick, simulated, model_path, tmp_path):
    run_report, names = tmp_path / "r.json", tmp_path / "names.json"
    assert pick(simulated.unseen, tmp_path / "p", "--format", "tsv", "--report", run_report).code == 0
    shown = {path.stem: f"<u>{number}" for number, path in enumerate(simulated.unseen)}
    names.write_text(json.dumps(shown))
    result = run(capsys, "report", *simulated.unseen, "--picks", tmp_path / "p", "--model", model_path,
                 "--run-report", run_report, "--names", names, "--output", tmp_path / "r.html", "--threads", 1)
    assert (result.code, result.out) == (0, "")
    page = Page(tmp_path / "r.html")
    page.assert_self_contained()
    assert {row[0] for row in page.rows if len(row) == 3} >= set(shown.values()) and "u" not in page.tags
    assert pick(simulated.unseen, tmp_path / "q", "--html", tmp_path / "q.html").code == 0
    assert page.sections == Page(tmp_path / "q.html").sections


@pytest.mark.parametrize(("content", "what"), [
    ({"command": "train", "threshold": 2.0}, "command"), ({"quarantined": 3}, "quarantined"),
    ({"quarantined": ["a.mrc"]}, "quarantined"), ({"threshold": "high"}, "threshold"),
    ({"borders_px": []}, "borders_px"),
])
def test_a_report_of_something_else_is_refused(capsys, simulated, tmp_path, content, what):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    line = run(capsys, "report", simulated.labelled[0], "--picks", simulated.labels, "--run-report", path, "--output",
               tmp_path / "r.html").error(1)
    assert f"{path}: its {what} is not that of a picking, " in line and line.endswith("(--run-report)")
    assert not (tmp_path / "r.html").exists()


def test_report_without_model_and_with_a_micrograph_that_is_gone(capsys, simulated, tmp_path):
    """Coordinates of any program, without scores."""
    gone = tmp_path / "gone.mrc"
    shutil.copy(simulated.micrographs[0], gone)
    star = tmp_path / "mics.star"
    star.write_text("data_\nloop_\n_rlnMicrographName #1\n" + "".join(f"{p}\n" for p in [gone, *simulated.unseen]))
    gone.unlink()
    truth = read_coordinates(simulated.truth)
    write_coordinates(tmp_path / "t.tsv", truth)
    result = run(capsys, "report", star, "--picks", tmp_path / "t.tsv", "--output", tmp_path / "r.html")
    assert result.code == 0
    page = Page(tmp_path / "r.html")
    assert page.sections == ["Picks per micrograph", "Examples", "Micrographs", "Left out", "How it was made"]
    assert "gone.mrc cannot be shown (No such file" in page.text
    assert len(page.images) == 1 + 2 and [row for row in page.rows if row == ["micrographs without a pick", "1"]]
    assert re.match(r"1 of 3 micrographs has no pick", page.alarms[0])


@pytest.mark.parametrize(("content", "found"), [("[1]", "list"), ("{", "not a JSON file"), ('{"a": 1}', "in quotes")])
def test_bad_names_are_named(capsys, simulated, tmp_path, content, found):
    names = tmp_path / "n.json"
    names.write_text(content)
    message = run(capsys, "report", *simulated.unseen, "--picks", simulated.truth, "--names", names,
                  "--output", tmp_path / "r.html").error(1)
    assert str(names) in message and found in message
