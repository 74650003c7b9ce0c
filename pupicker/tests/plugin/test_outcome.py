"""How a process of the core ended, in the words of the forms."""

from __future__ import annotations

import pytest

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

import pupicker.protocols  # isort: skip
from pupicker.commands.main import main  # isort: skip
from pupicker.plugin.outcome import LABELS, CoreError, checkOutcome, worded  # isort: skip
from pupicker.protocols.forms.fields import plainLabel  # isort: skip
from pupicker.shared.json_files import write_json  # isort: skip


@pytest.mark.parametrize(("line", "shown"), [
    ("pupicker train: error: the class prior 1.2 must be below 1 (--class-prior)",
     "pupicker train: error: the class prior 1.2 must be below 1 (field: Share of the area)"),
    ("these two exclude each other (--class-prior, --particles-per-micrograph)",
     "these two exclude each other (fields: Share of the area, Particles per micrograph)"),
    ("a.mrc: truncated (12 of 24 bytes)", "a.mrc: truncated (12 of 24 bytes)"),
    ("no form has this (--no-such-option)", "no form has this (--no-such-option)"),
    ("", ""),
])
def test_words_of_the_forms(line, shown):
    assert worded(line) == shown


def test_the_box_of_a_run_names_the_field(tmp_path, capfd):
    """From the check of the command to what the user reads."""
    code = main(["train", "nowhere", "--picks", "p.star", "--diameter", "100", "--output", "m.pupicker",
                           "--dropout", "1.5"])
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert code == 2 and "--dropout" in line
    write_json(tmp_path / "outcome.json", {"exit_code": code, "error": line})
    with pytest.raises(CoreError, match=r"dropout 1\.5 must be .* \(field: Dropout\)$"):
        checkOutcome("train", str(tmp_path / "outcome.json"))


def test_labels_are_those_of_the_forms():
    """What no form has keeps the name of the command line, which helps more than a field that is not there."""
    in_forms = set()
    for name in pupicker.protocols.__all__:
        for _, param in getattr(pupicker.protocols, name)().getDefinition().iterAllParams():
            in_forms.add(plainLabel(param.getLabel()))
    assert set(LABELS.values()) - in_forms == set()
