from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pupicker.shared.names import micrograph_key
from pupicker.tests.plain_names import FOLDERS, PLAIN


@pytest.mark.parametrize(("name", "key"), [
    ("dir/a.mrc", "a"),
    ("/x/dir/a.MRC", "a"),
    ("a", "a"),
    ("000012", "000012"),
    ("000012.mrc", "000012"),
    ("May08_04.33.57", "May08_04.33.57"),
    ("May08_04.33.57.mrc", "May08_04.33.57"),
    ("May08_04.33.57.box", "May08_04.33.57"),
    ("a.mrc.star", "a"),
    ("a.tiff.mrc", "a"),
    ("a.tif.mrc", "a"),
    ("a.jpeg", "a"),
    ("a.mrc.eer", "a"),
    ("a.xmp", "a"),
    ("a_autopick.star", "a"),
    ("Movies/a_autopick.star", "a"),
    ("a_manualpick.star", "a"),
    ("a_autopick.mrc", "a_autopick"),
    ("a_autopick", "a_autopick"),
    ("_autopick.star", "_autopick"),
    (".mrc", ".mrc"),
    ("a.v2", "a.v2"),
    ("", ""),
])
def test_key(name, key):
    assert micrograph_key(name) == key


@given(FOLDERS, PLAIN, st.sampled_from([".mrc", ".tif", ".TIFF", ".mrcs", ".eer"]))
def test_key_ignores_folders_and_extension(folders, stem, suffix):
    assert micrograph_key("/".join([*folders, stem + suffix])) == micrograph_key(stem) == stem
