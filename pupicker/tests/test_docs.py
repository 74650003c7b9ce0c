"""README and docs: links and pictures lead somewhere, commands can be typed as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import pupicker
from pupicker.commands.main import build_parser

REPOSITORY = Path(pupicker.__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")),
         *sorted((REPOSITORY / "benchmarks").glob("*.md")), *sorted((REPOSITORY / "benchmarks").glob("paper/*.md"))]
LARGEST_PICTURE = 200_000

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "setup.py").is_file(), reason="needs the repository: setup.py is not beside the package"
)


def name(path):
    return path.relative_to(REPOSITORY).as_posix()


def anchors(path):
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_pictures_exist(page):
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            missing.append(target)
    assert missing == []


def test_pictures_are_small():
    large = {name(p): p.stat().st_size for p in (REPOSITORY / "docs" / "images").glob("*_*.png")
             if p.stat().st_size > LARGEST_PICTURE}
    assert large == {}


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
