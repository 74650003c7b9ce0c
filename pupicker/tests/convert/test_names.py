"""Names of micrographs and masks mean the same in Scipion and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

from pyworkflow.object import Float, String  # isort: skip

from pupicker.convert.labels import _find, _uniqueIds  # isort: skip
from pupicker.engine.files.masks import MaskFolder  # isort: skip
from pupicker.engine.files.names import match_names  # isort: skip
from pupicker.engine.runtime.errors import InputError  # isort: skip
from pupicker.protocols.forms.exclusion import ExclusionForm  # isort: skip
from pupicker.shared.names import MaskError, masks_by_key, micrograph_key  # isort: skip


@given(st.sampled_from(["a", "May08_04.33.57"]), st.sampled_from(
    ["", ".mrc", ".tif", ".tif.mrc", ".jpeg", ".mrc.eer", ".map", "_autopick.star", "_manualpick.star", ".MRC.box"]))
def test_labels_find_their_micrograph_on_both_sides(key, ending):
    """In Scipion, where names come from a set, and on the command line, where they come from a table."""
    assert _find(key + ending, _uniqueIds({7: key + ".mrc", 8: "b.mrc"}), _uniqueIds({1: key + ending})) == 7
    assert match_names([key + ending], [Path(f"x/{key}.mrc"), Path("x/b.mrc")]) == {
        key + ending: Path(f"x/{key}.mrc")}


@pytest.mark.parametrize("name", [
    "012345678901234567890_a_patch_aligned_doseweighted.mrc", "a_aligned_mic_DW.mrc", "a_topazpicks",
    "a_Fractions.tif"])
def test_both_sides_see_through_what_programs_add_to_names(name):
    assert _find(name, _uniqueIds({7: "a.mrc", 8: "b.mrc"}), _uniqueIds({1: name})) == 7
    assert match_names([name], [Path("a.mrc"), Path("b.mrc")]) == {name: Path("a.mrc")}
    assert _find(name, _uniqueIds({7: "a_sum.mrc", 8: "a_dw.mrc"}), _uniqueIds({1: name})) is None
    with pytest.raises(InputError, match="ambiguous"):
        match_names([name], [Path("a_sum.mrc"), Path("a_frames.mrc")])


class Form(ExclusionForm):
    def __init__(self, folder):
        self.margin, self.masksFolder = Float(0.0), String(folder)


class Micrographs(list):
    def getSize(self):
        return len(self)

    def getFirstItem(self):
        return self[0]


class Micrograph:
    def __init__(self, name):
        self.getMicName = lambda: name
        self.getObjId = lambda: 1


@pytest.mark.parametrize(("name", "mask"), [
    ("a.mrc", "a.png"), ("a.mrc", "a_mask.mrc"), ("a.tif.mrc", "a_mask.tif.png"), ("a.mrc.eer", "a.mrc"),
    ("May08_04.33.57.mrc", "May08_04.33.57_mask.mrc"),
])
def test_a_mask_is_found_on_both_sides(tmp_path, name, mask):
    for file in (mask, ".a.png", "notes.txt"):
        (tmp_path / file).touch()
    assert masks_by_key(tmp_path) == {micrograph_key(name): str(tmp_path / mask)}
    assert MaskFolder(tmp_path, [Path(name)]).of(Path(name)) == tmp_path / mask
    assert Form(tmp_path)._getMasks([Micrograph(name)]) == [(1, str(tmp_path / mask))]
    assert Form(tmp_path)._validateExclusion(Micrographs([Micrograph(name)])) == []


def test_two_masks_of_a_micrograph_are_refused_on_both_sides(tmp_path):
    for name in ("a.png", "a_mask.mrc"):
        (tmp_path / name).touch()
    words = r"a\.png and a_mask\.mrc are of one micrograph; leave one of them"
    with pytest.raises(MaskError, match=words):
        masks_by_key(tmp_path)
    with pytest.raises(InputError, match=words):
        MaskFolder(tmp_path, [Path("a.mrc")])
    (message,) = Form(tmp_path)._validateExclusion(Micrographs([Micrograph("a.mrc")]))
    assert message.startswith("*Folder of masks*: ")
    assert "a.png and a_mask.mrc are of one micrograph" in message
