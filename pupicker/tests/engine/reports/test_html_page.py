"""The page as a document: every piece in its place, every text escaped."""

from __future__ import annotations

import jinja2
import pytest
from matplotlib.figure import Figure

from pupicker.engine.reports.html import MAX_ROWS, HtmlReport, _templates
from pupicker.tests.commands.html_page import Page

HOSTILE = """<script>alert("1")</script>&'{{ 77 * 77 }}{% endfor %}"""


def page_of(report: HtmlReport, folder) -> Page:
    report.write(folder / "page.html")
    return Page(folder / "page.html")


def test_hostile_text_stays_text_everywhere(tmp_path):
    report = HtmlReport(HOSTILE, HOSTILE)
    for add in (report.section, report.paragraph, report.alarm, report.code):
        add(HOSTILE)
    report.table((HOSTILE, "n"), [(HOSTILE, 1)])
    report.figure(Figure((1, 1)), HOSTILE)
    page = page_of(report, tmp_path)
    source = (tmp_path / "page.html").read_text()
    assert "<script" not in source and "5929" not in page.text
    assert page.sections == [HOSTILE] and page.alarms == [HOSTILE]
    assert [HOSTILE, "1"] in page.rows and len(page.images) == 1


def test_pieces_keep_their_order(tmp_path):
    report = HtmlReport("t", "lead")
    report.section("first")
    report.table(("", ""), [("a", None), ("b", 1.23456)])
    report.section("second")
    report.paragraph("p")
    report.table(("name", "n"), [(f"m{i}", i) for i in range(MAX_ROWS + 5)])
    page = page_of(report, tmp_path)
    assert page.sections == ["first", "second"]
    assert page.rows[:2] == [["a", "-"], ["b", "1.235"]] and page.rows[2] == ["name", "n"]
    assert len(page.rows) == 2 + 1 + MAX_ROWS and "5 more rows are left out here." in page.text
    source = (tmp_path / "page.html").read_text()
    assert source.startswith("<!DOCTYPE html>\n<html") and source.endswith("</html>\n")
    assert source.index("first") < source.index("1.235") < source.index("second") < source.index("<p>p</p>")


def test_what_a_template_does_not_know_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        _templates.get_template("page.html.j2").render(title="t", blocks=[])
