"""README and docs: links lead somewhere, every page is reached, pictures are small, commands can be typed as given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import pupicker
from pupicker.commands.main import build_parser

REPOSITORY = Path(pupicker.__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")),
         *sorted((REPOSITORY / "benchmarks").rglob("README.md"))]
PICTURES = [path for folder in ("docs", "benchmarks") for path in sorted((REPOSITORY / folder).rglob("*"))
            if path.suffix in (".png", ".jpg", ".jpeg", ".gif", ".svg")]
LARGEST_PICTURE = 120_000
LONGEST_README = 150
TOPAZ, TIMES = "docs/topaz.md", "docs/performance.md"  # how long a micrograph takes is said in the second only

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "setup.py").is_file(), reason="needs the repository: setup.py is not beside the package"
)


def name(path):
    return path.relative_to(REPOSITORY).as_posix()


def anchors(path):
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page):
    """What a page links to within the repository: (file, anchor, the link as it stands)."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield (page.parent / file).resolve() if file else page, anchor, target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_pictures_exist(page):
    missing = [target for path, anchor, target in links(page)
               if not path.exists() or (anchor and anchor not in anchors(path))]
    assert missing == []


def test_every_page_and_picture_is_reached_from_the_readme():
    reached, waiting = set(), [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.exists():
            reached.add(page)
            waiting += [path for path, *_ in links(page)] if page.suffix == ".md" else []
    of_docs = [path for path in PICTURES if path.is_relative_to(REPOSITORY / "docs")]
    assert [name(path) for path in (*PAGES, *of_docs) if path not in reached] == []


def test_there_are_pictures_to_check():
    assert {"docs/images/demo.png", "docs/images/window.png"} <= {name(path) for path in PICTURES}


@pytest.mark.parametrize("picture", PICTURES, ids=name)
def test_picture_is_small(picture):
    assert picture.stat().st_size <= LARGEST_PICTURE


def test_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def test_time_of_a_micrograph_stands_in_one_place():
    claim = re.compile(r"\d\s*(?:s|seconds?|minutes?)\s+(?:a|per)\s+micrograph")
    said = {name(page) for page in PAGES if claim.search(page.read_text(encoding="utf-8"))}
    assert said <= {TIMES}


def accuracies(page):
    """Rows of a page's table of accuracies: set -> number of labels -> what the cell says."""
    table = re.search(r"^\| set \| 10 labels .*\n(?:\|.*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE)
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.group().splitlines()]
    labels = [int(cell.split()[0]) for cell in head[1:]]
    return {first: dict(zip(labels, cells, strict=True)) for first, *cells in rows}


def test_accuracies_are_those_measured():
    short, full = accuracies(REPOSITORY / "README.md"), accuracies(REPOSITORY / TOPAZ)
    assert short and all(short.values())
    assert short == {title: {labels: full[title][labels] for labels in row} for title, row in short.items()}
    results = (REPOSITORY / "benchmarks" / "results" / "label_efficiency.md").read_text(encoding="utf-8")
    key_of = {title: key for key, title in re.findall(r"(\w+) = ([^;]+?)[;.](?:\s|$)", results)}
    for title, row in full.items():
        title = {"T20S proteasome, gold, carbon (simulated)": "T20S proteasome, gold and carbon (simulated)",
                 "stick (simulated)": "stick, 200 Å (simulated)"}.get(title, title)
        for labels, cell in row.items():
            (line,) = re.findall(rf"^\| {key_of[title]} \| {labels} \|.*$", results, re.MULTILINE)
            pupicker_cell, *topaz_cells = line.split("|")[4:8]
            best = max(re.findall(r"\d\.\d+", column)[0] for column in topaz_cells if re.search(r"\d\.", column))
            assert cell == f"{pupicker_cell.split()[0]} / {best}", line


def commands(page):
    """Lines of a page's shell blocks that start pupicker, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.replace("/path/to/python -m pupicker", "pupicker") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("pupicker ")]


def test_there_are_commands_to_check():
    assert sum(len(commands(page)) for page in PAGES) > 15


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_file() and commands(page)], ids=name)
def test_commands_can_be_typed_as_they_stand(page, capsys):
    refused = []
    for line in commands(page):
        try:
            build_parser().parse_args(shlex.split(line, comments=True)[1:])
        except SystemExit as end:
            if end.code:
                refused.append((line, capsys.readouterr().err))
    assert refused == []
