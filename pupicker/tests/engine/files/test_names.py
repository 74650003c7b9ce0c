from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pupicker.engine.files.names import distinct_stems, match_names, name_problem
from pupicker.engine.runtime.errors import InputError
from pupicker.tests.plain_names import FOLDERS, PLAIN


@given(st.lists(PLAIN, min_size=1, unique=True), FOLDERS)
def test_every_spelling_of_distinct_names_is_found(stems, folders):
    paths = [Path("/data", *folders, f"{stem}.mrc") for stem in stems]
    for spelled in (
        stems, [path.name for path in paths], list(map(str, paths)), [f"other/place/{stem}.tif" for stem in stems],
    ):
        assert match_names(spelled, paths) == dict(zip(spelled, paths, strict=True))


def test_longest_match_wins():
    paths = [Path("/p/x/001.mrc"), Path("/p/y/001.mrc"), Path("/q/y/001.mrc"), Path("/q/y/001.tif")]
    assert match_names(["x/001.mrc"], paths) == {"x/001.mrc": paths[0]}
    assert match_names(["q/y/001.mrc", "q/y/001.tif"], paths) == {"q/y/001.mrc": paths[2], "q/y/001.tif": paths[3]}
    assert match_names(["/p/y/001.mrc"], paths) == {"/p/y/001.mrc": paths[1]}
    assert match_names(["x/001"], paths) == {"x/001": paths[0]}
    for ambiguous in ("001", "001.mrc", "y/001.mrc", "elsewhere/001.mrc"):
        with pytest.raises(InputError, match=rf"'{ambiguous}'.*ambiguous.*001\.mrc"):
            match_names([ambiguous], paths)


def test_same_path_wins_over_equal_tail(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [Path("a.mrc"), Path("/other/a.mrc")]
    assert match_names(["a.mrc"], paths) == {"a.mrc": paths[0]}


def test_names_without_micrograph_are_left_out():
    assert match_names(["a", "b"], [Path("a.mrc")]) == {"a": Path("a.mrc")}
    assert match_names([], [Path("a.mrc")]) == {}
    assert match_names(["a"], []) == {}


def test_integer_like_names_keep_their_zeros():
    assert match_names(["000012", "12"], [Path("000012.mrc")]) == {"000012": Path("000012.mrc")}


def test_repeated_paths_are_not_ambiguous():
    assert match_names(["a", "a"], [Path("a.mrc"), Path("a.mrc")]) == {"a": Path("a.mrc")}


def test_two_micrographs_of_a_table_do_not_share_a_file():
    only = [Path("/data/y/001.mrc")]
    assert match_names(["x/001.mrc", "y/001.mrc"], only) == {"y/001.mrc": only[0]}
    with pytest.raises(InputError, match=r"'x/001\.mrc' and 'z/001\.mrc' .*both fit /data/y/001\.mrc"):
        match_names(["x/001.mrc", "z/001.mrc"], only)


def test_two_spellings_of_one_micrograph_share_its_file():
    only = Path("/data/y/001.mrc")
    assert match_names(["001", "y/001.mrc", "001.mrc"], [only]) == {"001": only, "y/001.mrc": only, "001.mrc": only}


def test_stems_of_tables():
    assert distinct_stems(["x/a.mrc", "b.mrc", "000012"]) == {"x/a.mrc": "a", "b.mrc": "b", "000012": "000012"}
    assert distinct_stems(["/p/x/001.mrc", "/p/y/001.mrc"]) == {"/p/x/001.mrc": "x_001", "/p/y/001.mrc": "y_001"}
    assert distinct_stems(["/p/x/1.mrc", "/q/x/1.mrc"]) == {"/p/x/1.mrc": "p_x_1", "/q/x/1.mrc": "q_x_1"}
    assert distinct_stems(["a", "x/a", "a"]) == {"a": "a", "x/a": "x_a"}
    for equal in (["x/a.mrc", "x/a.tif"], ["x/a", "y/a", "z/x_a"]):
        with pytest.raises(InputError, match="would both be called"):
            distinct_stems(equal)


@given(st.lists(st.tuples(FOLDERS, PLAIN), unique_by=str))
def test_stems_are_distinct(names):
    paths = ["/".join([*folders, f"{stem}.mrc"]) for folders, stem in names]
    stems = distinct_stems(paths)
    assert set(stems) == set(paths)
    assert len(set(stems.values())) == len(paths)
    assert not any("/" in stem for stem in stems.values())


@pytest.mark.parametrize(("name", "suffix", "words"), [
    (os.fsdecode(b"\xff.mrc"), ".tsv", "not UTF-8"), ("a\nb.mrc", ".star", "line break"),
    ("a\"'b.mrc", ".star", "both kinds of quotes"), ("a\"'b.mrc", ".tsv", ""), ("a b.mrc", ".star", ""),
])
def test_names_that_a_table_cannot_hold(name, suffix, words):
    assert (words in name_problem(name, suffix)) if words else name_problem(name, suffix) == ""
