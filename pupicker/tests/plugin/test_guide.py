"""The user's guide calls the fields of the forms as the forms do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

from pyworkflow.protocol import params  # isort: skip

import pupicker  # isort: skip
import pupicker.protocols  # isort: skip

GUIDE = Path(pupicker.__file__).resolve().parents[1] / "docs" / "guide"
OF_SCIPION = {"Continue", "Restart", "Execute", "Output", "Error", "Streaming", "Use GPU", "GPU IDs",
              "+ Coordinate", "Analyze results", "Stop", "Use a queue engine?", "Queue for jobs", "Yes", "No"}
OF_WINDOWS = {"Create set", "Open the report", "Train", "Label", "Done", "Train now", "Gallery",
              "Weaker picks too"}  # buttons, links, and a protocol at the start of a sentence


def plain(label):
    """A label without its unit and its question mark."""
    return re.sub(r" \([^)]*\)$", "", label).rstrip("?")


def words_of_the_forms():
    """Labels, also with a choice behind: ``Start from: earlier model``."""
    found = set()
    for name in pupicker.protocols.__all__:
        for _, param in getattr(pupicker.protocols, name)().getDefinition().iterAllParams():
            label = plain(param.getLabel())
            found |= {label, param.getLabel()}
            if isinstance(param, params.EnumParam):
                found |= {f"{label}: {choice}" for choice in param.choices}
    return found


@pytest.mark.parametrize("page", sorted(GUIDE.glob("*.md")) or [None], ids=lambda page: page.stem if page else "")
def test_fields_have_their_names(page):
    if page is None:
        pytest.skip("needs the repository: docs are not beside the package")
    text = re.sub(r"```.*?```|`[^`]*`|!\[[^]]*\]", "", page.read_text(encoding="utf-8"), flags=re.S)
    said = re.findall(r"(?<![\w*])\*\*([A-Z][^*\n]*)\*\*:", text)  # fields that are explained
    said += re.findall(r"(?<![\w*])\*((?:[A-Z]|\+ )[^*\n]*[^*\n.])\*(?![\w*])", text)
    said = {words for words in said if not words.startswith("Particles → ")}
    assert said - OF_SCIPION - OF_WINDOWS - words_of_the_forms() == set()
