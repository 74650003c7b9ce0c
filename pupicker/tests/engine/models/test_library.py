from __future__ import annotations

import os
from datetime import date

import pytest

from pupicker.core.networks import NETWORKS
from pupicker.engine.models.initial_weights import load_start
from pupicker.engine.models.library import model_file, publish
from pupicker.engine.models.model_file import load_model
from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.shared.model_header import content_digest, read_card
from pupicker.tests.tiny_model import tiny_model

CARD = {"specimen": "apoferritin", "microscope": None, "note": "", "author": "ann"}


def test_published_models_are_models_with_a_card(tmp_path):
    source, folder = tiny_model(tmp_path / "m.pupicker"), tmp_path / "deep" / "library"
    target = publish(source, "apo", folder, CARD)
    assert target == folder / "apo.pupicker" and os.listdir(folder) == ["apo.pupicker"]
    assert load_model(target).header() == load_model(source).header()
    assert read_card(target) == {"specimen": "apoferritin", "author": "ann", "date": date.today().isoformat(),
                                 "digest": content_digest(source)}
    assert read_card(publish(source, "other", folder, {}))["author"] != ""


def test_another_model_of_the_name_is_overwritten_only_when_told(tmp_path):
    source, other = tiny_model(tmp_path / "m.pupicker"), tiny_model(tmp_path / "n.pupicker", seed=1)
    target = publish(source, "apo", tmp_path / "library", CARD)
    with pytest.raises(UsageError, match=f"another model has this name .*{date.today()} by ann") as caught:
        publish(other, "apo", tmp_path / "library", {})
    assert caught.value.parameters == ("name", "replace") and content_digest(target) == content_digest(source)
    publish(target, "apo", tmp_path / "library", {"note": "the same one"})  # onto itself, what is not given stays
    assert read_card(target)["specimen"] == "apoferritin" and read_card(target)["note"] == "the same one"
    publish(other, "apo", tmp_path / "library", {}, replace=True)
    assert content_digest(target) == content_digest(other) and "specimen" not in read_card(target)
    target.write_bytes(b"damaged")
    with pytest.raises(UsageError, match="unreadable"):
        publish(other, "apo", tmp_path / "library", {})


def test_what_is_lost_of_a_card_is_said(tmp_path, caplog):
    source, folder = tiny_model(tmp_path / "m.pupicker"), tmp_path / "library"
    publish(source, "apo", folder, {**CARD, "note": "good ice"})
    publish(source, "apo", folder, {**CARD, "note": "good ice", "microscope": "Krios"})  # nothing is lost
    assert caplog.text == ""
    publish(source, "apo", folder, {"specimen": "ferritin", "author": "ann"})
    (record,) = caplog.records
    assert record.levelname == "WARNING" and record.getMessage().endswith(
        "the same model was published before; replaced on its card: specimen 'apoferritin' (now 'ferritin'),"
        " microscope 'Krios' (now none), note 'good ice' (now none)")
    publish(source, "apo", folder, {"author": "bob"}, replace=True)  # as was asked for
    assert len(caplog.records) == 1 and read_card(folder / "apo.pupicker")["author"] == "bob"


def test_what_cannot_be_used_is_not_published(tmp_path):
    damaged = tmp_path / "m.pupicker"
    damaged.write_bytes(tiny_model(tmp_path / "made.pupicker").read_bytes()[:-9])
    with pytest.raises(InputError, match=r"m\.pupicker"):
        publish(damaged, "apo", tmp_path / "library", {})
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="nothing can be published there") as caught:
        publish(tmp_path / "made.pupicker", "apo", tmp_path / "file", {})
    assert caught.value.parameters == ("folder",)
    assert not (tmp_path / "library").exists()


def test_a_file_that_exists_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUPICKER_USER_MODELS", str(tmp_path / "library"))
    in_library = publish(tiny_model(tmp_path / "m.pupicker"), "apo", tmp_path / "library", {})
    assert model_file("apo") == model_file("apo.pupicker") == in_library
    for absent in ("./apo", str(tmp_path / "apo.pupicker")):  # a path is a path
        assert str(model_file(absent)) == os.path.normpath(absent)
    tiny_model(tmp_path / "apo.pupicker", seed=1)
    assert str(model_file("apo.pupicker")) == "apo.pupicker" and model_file("apo") == in_library
    network = NETWORKS["conv31"].from_settings({"width": 4})
    assert load_start("apo", "conv31", network).name == str(in_library)  # a training goes on from it
    with pytest.raises(InputError, match=r"aop: there is no such model file.*nearest names are apo") as caught:
        model_file("aop")
    assert caught.value.parameters == ("model",)
