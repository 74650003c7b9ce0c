"""Models by name, read without torch: headers, cards, digests, folders."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from safetensors import safe_open

from pupicker.engine.models.model_card import card as card_of
from pupicker.engine.models.model_file import load_model
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.model_header import (
    ModelError,
    average_precision,
    content_digest,
    copy_with_card,
    digest_problem,
    facts,
    read_card,
    read_header,
)
from pupicker.shared.model_library import (
    SITE_VARIABLE,
    USER_VARIABLE,
    Folder,
    find_model,
    library_entries,
    library_folders,
    matching,
    read_entry,
    user_folder,
)
from pupicker.tests.engine.blobs import GEOMETRY
from pupicker.tests.tiny_model import tiny_model

CARD = {"specimen": "β-galactosidase", "microscope": "Krios, K3", "note": "50 labels", "author": "ann",
        "date": "2026-01-31"}


@pytest.fixture
def folders(tmp_path):
    """Two models of the user, two of the site, one name in both."""
    user, site = tmp_path / "user", tmp_path / "site"
    made = tiny_model(tmp_path / "made.pupicker", 1)
    for path, seed, scale in ((user / "apo", 1, 1.0), (user / "shared", 2, 1.0), (site / "shared", 3, 1.0),
                              (site / "ribosome", 4, 2.0)):
        tiny_model(made, seed, scale)
        copy_with_card(made, f"{path}.pupicker", {**CARD, "specimen": path.name})
    (site / "notes.txt").write_text("no model")
    return library_folders({USER_VARIABLE: str(user), SITE_VARIABLE: str(site)})


def test_a_card_changes_neither_model_nor_digest(tmp_path):
    source = tiny_model(tmp_path / "m.pupicker")
    target, again = tmp_path / "a" / "n.pupicker", tmp_path / "o.pupicker"
    copy_with_card(source, target, CARD)
    copy_with_card(target, again, {"note": "another card"})
    assert read_card(source) == {}
    assert read_card(target) == {**CARD, "digest": content_digest(source)}
    assert read_card(again) == {"note": "another card", "digest": content_digest(source)}
    assert read_header(source) == read_header(target) == read_header(again)
    with safe_open(str(source), "pt") as one, safe_open(str(target), "pt") as other:
        assert set(one.keys()) == set(other.keys())
        assert one.metadata()["pupicker"] == other.metadata()["pupicker"]
        assert all(bool((one.get_tensor(name) == other.get_tensor(name)).all()) for name in one.keys())  # noqa: SIM118
    assert load_model(target).header() == load_model(source).header()
    assert int.from_bytes(target.read_bytes()[:8], "little") % 8 == 0


def test_the_digest_tells_models_apart(tmp_path):
    digests = {content_digest(tiny_model(tmp_path / "m.pupicker", seed, scale))
               for seed, scale in ((0, 1.0), (1, 1.0), (0, 2.0), (0, 1.0))}
    assert len(digests) == 3


def test_facts_are_those_of_the_card_of_the_core(tmp_path):
    path = tiny_model(tmp_path / "m.pupicker")
    found = facts(read_header(path))
    stored = card_of(load_model(path))
    assert found == {name: stored[name] for name in found}
    assert found["diameter_ang"] == GEOMETRY.diameter_ang and found["validation"]["average_precision"] == 0.9


@pytest.mark.parametrize(("facts_of", "value"), [
    ({"validation": {"average_precision": 0.8}, "expected_average_precision": 0.9}, 0.8),
    ({"validation": {"average_precision": None}, "expected_average_precision": 0.9}, 0.9),
    ({"expected_average_precision": 0.9}, 0.9), ({"validation": "damaged"}, None), ({}, None),
])
def test_average_precision_is_that_of_held_out_labels_else_what_is_expected(facts_of, value):
    assert average_precision(facts_of) == value


@pytest.mark.parametrize("place", [-3, 0.5])
def test_what_was_damaged_on_the_way_is_noticed(tmp_path, place):
    """One byte of the weights, or one letter of what training wrote: here a digit of the calibration."""
    path = tmp_path / "m.pupicker"
    copy_with_card(tiny_model(tmp_path / "made.pupicker"), path, CARD)
    content = bytearray(path.read_bytes())
    at = content.index(b"0.7") + 2 if place == 0.5 else len(content) + place
    content[at] ^= 1
    path.write_bytes(content)
    assert "damaged" in digest_problem(path) and str(path) in digest_problem(path)
    with pytest.raises(InputError, match="damaged"):
        load_model(path)
    (entry,) = matching(library_entries([Folder(str(tmp_path), "user")]), ["krios"])
    assert entry.state == "damaged" and entry.problem == digest_problem(path)
    with pytest.raises(ModelError, match="damaged"):
        find_model("m", [Folder(str(tmp_path), "user")])


@pytest.mark.parametrize("content", [b"", b"no model", b"\0" * 50, None])
def test_what_is_no_model_is_listed_as_damaged(tmp_path, content):
    path = tmp_path / "m.pupicker"
    path.write_bytes(tiny_model(tmp_path / "made").read_bytes()[:60] if content is None else content)
    (entry,) = library_entries([Folder(str(tmp_path), "user")])
    assert (entry.name, entry.state) == ("m", "damaged") and str(path) in entry.problem
    assert "\n" not in entry.problem and entry.to_dict()["problem"] == entry.problem
    for read in (read_header, read_card, content_digest):
        with pytest.raises(ModelError, match="not a model of pupicker"):
            read(path)


def test_a_file_with_another_ending_keeps_its_name(tmp_path):
    """It is no model of the library, which ``pupicker models show`` shows all the same."""
    path = tmp_path / "weights_of_may.safetensors"
    tiny_model(path)
    assert read_entry(str(path)).name == path.name


def test_a_card_cannot_play_with_the_terminal(tmp_path):
    path = tmp_path / "m.pupicker"
    written = {"note": "a\x1b[2J\nb" + "c" * 1000, "other": "x", "author": "a\udcff"}
    copy_with_card(tiny_model(tmp_path / "made.pupicker"), path, written)
    card = read_card(path)
    assert card["note"].startswith("a[2J bc") and len(card["note"]) == 500
    assert "other" not in card and card["author"] == "a"


def test_the_folder_of_the_user_comes_first(folders):
    entries = library_entries(folders)
    assert [(entry.name, entry.owner, entry.state) for entry in entries] == [
        ("apo", "user", ""), ("shared", "user", ""), ("ribosome", "site", ""), ("shared", "site", "hidden")]
    assert find_model("shared", folders).path == entries[1].path
    assert find_model("ribosome.pupicker", folders).path == entries[2].path
    assert json.loads(json.dumps(entries[0].to_dict()))["specimen"] == "apo"


def test_several_folders_of_a_site_and_the_usual_one_of_the_user(tmp_path, monkeypatch):
    found = library_folders({SITE_VARIABLE: f"{tmp_path}/a: {tmp_path}/b:", USER_VARIABLE: "~/mine"})
    assert [folder.owner for folder in found] == ["user", "site", "site"]
    assert [folder.path for folder in found[1:]] == [f"{tmp_path}/a", f"{tmp_path}/b"]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "")
    assert user_folder({USER_VARIABLE: "~/mine"}) == str(tmp_path / "mine")
    assert user_folder({}) == str(tmp_path / ".local" / "share" / "pupicker" / "models")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert user_folder({}) == str(tmp_path / "data" / "pupicker" / "models")
    assert library_entries(library_folders({})) == []


def test_search(folders):
    entries = library_entries(folders)

    def names(*words, **lengths):
        return [entry.name for entry in matching(entries, words, **lengths)]

    assert names("RIBO") == names("krios", "ribosome") == ["ribosome"]
    assert names("krios", "nothing") == []
    diameter, pixel_size = GEOMETRY.diameter_ang, GEOMETRY.working_pixel_size_ang
    assert names(diameter_ang=diameter * 1.1) == ["apo", "shared", "shared"]
    assert names(diameter_ang=diameter * 1.9) == ["ribosome"] and names(diameter_ang=diameter * 5) == []
    assert names(pixel_size_ang=pixel_size * 0.3) == names() and names(pixel_size_ang=pixel_size) == names()
    assert names(pixel_size_ang=pixel_size * 1.5) == ["ribosome"]


@pytest.mark.parametrize(("given", "said"), [
    ("ribosom", "nearest names are ribosome"), ("Ribosome", "nearest names are ribosome"),
    ("po", "nearest names are apo"),
    ("xyz", "pupicker models list shows the names"),
])
def test_an_unknown_name_says_what_is_near(folders, given, said):
    with pytest.raises(ModelError, match=f"^{given}: there is no such model file.*{said}"):
        find_model(given, folders)


def test_an_empty_library_says_so():
    with pytest.raises(ModelError, match="the library is empty"):
        find_model("apo", library_folders({USER_VARIABLE: "/nonexistent"}))


def test_it_is_read_without_torch(folders):
    """By the plugin, which has none."""
    program = ("import sys; from pupicker.shared.model_library import *\n"
               f"print(len(library_entries([Folder({folders[0].path!r}, 'user')])), 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]
