from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from pupicker.core.detection.picking_network import picking_network
from pupicker.core.detection.scoring import score_image
from pupicker.core.networks import NETWORKS
from pupicker.core.networks.cell_head import CellNetwork
from pupicker.core.scores.likelihood import Calibration
from pupicker.engine.models.checkpoint import checkpoint_path, identity_of, load_checkpoint, save_checkpoint
from pupicker.engine.models.model_card import card
from pupicker.engine.models.model_file import SCHEMA_VERSION, Model, load_model, save_model
from pupicker.engine.models.training_record import TrainingRecord
from pupicker.engine.runtime.errors import InputError
from pupicker.tests.engine.blobs import GEOMETRY, MIXTURE


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = NETWORKS["conv31"].from_settings({"width": 4, "dropout": 0.1}).eval()
    return Model(network, "conv31", MIXTURE, GEOMETRY, Calibration(0.7, -2.0, 0.1), 0.03, 1.25,
                 TrainingRecord(others={"note": "Å, µ"}), 4)


@pytest.fixture
def path(model, tmp_path):
    save_model(tmp_path / "m.pupicker", model)
    return tmp_path / "m.pupicker"


def test_other_users_may_read_a_model_as_any_other_file(path, tmp_path):
    (tmp_path / "usual.txt").touch()
    assert path.stat().st_mode == (tmp_path / "usual.txt").stat().st_mode


def assert_refused(path, words=None):
    """Loading fails with one line that names the file."""
    with pytest.raises(InputError, match=words) as caught:
        load_model(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def rewritten(path, change):
    """The same file with another JSON header."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    own = json.loads(header["__metadata__"]["pupicker"])
    own.pop("header_sha256", None)  # else that says it all
    header["__metadata__"]["pupicker"] = change(json.dumps(own))
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    return path


def with_header(path, **fields):
    return rewritten(path, lambda text: json.dumps({**json.loads(text), **fields}))


def test_round_trip(model, path):
    read = load_model(path)
    assert read.header() == model.header()
    assert read.mixture == model.mixture and read.geometry == model.geometry and read.calibration == model.calibration
    assert not read.network.training and read.network.settings == {"width": 4, "dropout": 0.1}
    crops = torch.randn((5, 1, 31, 31), generator=torch.Generator().manual_seed(3))
    assert torch.equal(read.network(crops), model.network(crops))
    assert card(read) == card(model) and card(read)["schema_version"] == 1


def test_the_layer_for_cells_is_kept_beside_the_network(model, tmp_path):
    image = torch.randn((60, 71), generator=torch.Generator().manual_seed(3))
    head = picking_network(model.network, [image], 1, seed=0).head
    save_model(tmp_path / "m.pupicker", replace(model, cell_head=head))
    read = load_model(tmp_path / "m.pupicker")
    assert card(read)["schema_version"] == 2
    expected = score_image(CellNetwork(model.network, head).eval(), image)
    assert torch.equal(score_image(read.picking_network, image), expected)
    with_header(tmp_path / "m.pupicker", schema_version=1)
    assert_refused(tmp_path / "m.pupicker", "format 1 with a layer for cells")
    own, stored = model.network.state_dict(), read.network.state_dict()
    assert own.keys() == stored.keys() and all(torch.equal(own[name], stored[name]) for name in own)


def test_a_bounded_calibration_is_kept_in_a_format_of_its_own(model, tmp_path):
    bounded = replace(model, calibration=replace(model.calibration, bound=6.5))
    save_model(tmp_path / "m.pupicker", bounded)
    read = load_model(tmp_path / "m.pupicker")
    assert read.calibration == bounded.calibration and card(read)["schema_version"] == SCHEMA_VERSION
    with_header(tmp_path / "m.pupicker", schema_version=1)
    assert_refused(tmp_path / "m.pupicker", "format 1 with a bound")


def test_file_is_data_only(path):
    """A safetensors file: 8 bytes of length, JSON, numbers.  No pickle, no archive."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__")
    assert list(metadata) == ["pupicker"] and json.loads(metadata["pupicker"])["schema_version"] == 1
    ends = [entry["data_offsets"][1] for entry in header.values()]
    assert 8 + length + max(ends) == len(content)
    assert set(header) == set(load_file(path))


def test_pickled_model_is_refused_without_unpickling(tmp_path):
    fired = tmp_path / "fired"

    class Bomb:
        def __reduce__(self):
            return (open, (str(fired), "w"))

    torch.save(Bomb(), tmp_path / "m.pupicker")
    assert_refused(tmp_path / "m.pupicker", "not a pupicker model")
    assert not fired.exists()


def test_newer_version_is_refused_with_both_numbers(path):
    with_header(path, schema_version=SCHEMA_VERSION + 1)
    assert_refused(path, f"format {SCHEMA_VERSION + 1}, this version reads up to {SCHEMA_VERSION}; update")


@pytest.mark.parametrize("text", ["[]", "3", "null", '"x"', "{", "", "{}"])
def test_header_of_another_kind(path, text):
    assert_refused(rewritten(path, lambda _: text))


@pytest.mark.parametrize("fields", [
    {"network": {"name": "conv31", "settings": {"depth": 3}}}, {"network": {"name": "conv63", "settings": {}}},
    {"network": {"name": "conv31", "settings": {"width": 5}}}, {"network": "conv31"}, {"geometry": {"diameter": 3}},
    {"views": 3}, {"views": [4]},
    {"calibration": {"a": 1}}, {"normalization": {}}, {"class_prior": "much"}, {"suggested_threshold": None},
])
def test_header_that_does_not_fit(path, fields):
    assert_refused(with_header(path, **fields), "train it again")


def test_what_a_newer_version_writes_beside_is_passed_over(model, path):
    """Where the version of the format says that this program can read it."""
    with_header(path, geometry={**model.geometry.to_dict(), "more_ang": 3.0},
                calibration={**model.calibration.to_dict(), "more": "x"})
    read = load_model(path)
    assert read.geometry == model.geometry and read.calibration == model.calibration


def test_models_from_before_views_have_one(path):
    assert load_model(path).orientations == 4

    def without(text):
        header = json.loads(text)
        del header["views"]
        return json.dumps(header)

    assert load_model(rewritten(path, without)).orientations == 1


@pytest.mark.parametrize(("package", "maker"), [("deepnets 2.1", "deepnets 2.1"),
                                               (None, "another version of pupicker")])
def test_network_that_is_not_installed(path, package, maker):
    with_header(path, network={"name": "resnet99", "settings": {}, "package": package})
    message = assert_refused(path, "no network 'resnet99'")
    assert message.endswith(f"the network of this model is that of {maker}: install it")


def test_header_without_the_package_of_the_network(model, path):
    """As models were written before networks could come from elsewhere."""
    with_header(path, network={"name": "conv31", "settings": {"width": 4, "dropout": 0.1}})
    assert load_model(path).header() == model.header()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("settings", [{"width": 2, "norm": "group"}, {"width": 1, "norm": "none", "dropout": 0.5}])
def test_every_network_is_rebuilt_with_its_settings(tmp_path, model, name, settings):
    network = NETWORKS[name].from_settings(settings).eval()
    save_model(tmp_path / "other.pupicker", replace(model, network=network, network_name=name))
    read = load_model(tmp_path / "other.pupicker")
    assert (read.network_name, read.network.settings) == (name, settings)
    assert card(read)["network_settings"] == settings
    crops = torch.randn((2, 1, network.receptive_field_px, network.receptive_field_px))
    assert torch.equal(read.network(crops), network(crops))


def test_missing_weights(path):
    tensors = load_file(path)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    tensors.pop("head.weight")
    save_file(tensors, str(path), metadata=metadata)
    assert_refused(path, r"head\.weight")


@settings(max_examples=30)
@given(data=st.data())
def test_truncated_file(tmp_path_factory, data):
    torch.manual_seed(0)
    network = NETWORKS["conv31"].from_settings({"width": 2}).eval()
    whole = tmp_path_factory.mktemp("model") / "m.pupicker"
    save_model(whole, Model(network, "conv31", MIXTURE, GEOMETRY, Calibration(), 0.03, 1.0))
    content = whole.read_bytes()
    whole.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert_refused(whole)


def test_other_files(tmp_path):
    for name, content, said in (
        ("text", b"hello world " * 30, "not a pupicker model: it is text; give the file that a training wrote"),
        ("empty", b"", ": it is an empty file"), ("a.mrc", b"", ": it is a micrograph"), ("b.dm4", b"x", "micrograph"),
        ("noise", bytes(range(256)) * 20, "not a pupicker model, or damaged"),
        ("empty.pupicker", b"", "not a pupicker model, or damaged"), ("mrc", b"\0" * 208 + b"MAP \0", "an MRC image"),
        ("picks", b"micrograph\tx\ty\na\t1\t2\n", ": it is a table of coordinates"),
    ):
        (tmp_path / name).write_bytes(content)
        assert_refused(tmp_path / name, said)
    save_file({"a": torch.ones(3)}, str(tmp_path / "other.safetensors"))
    assert_refused(tmp_path / "other.safetensors", "but not a pupicker model")
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert_refused(tmp_path / "a.npy")
    assert_refused(tmp_path, "no such model file")
    assert_refused(tmp_path / "none", "no such model file")


def test_failed_save_keeps_the_old_model(model, path):
    before = path.read_bytes()
    broken = replace(model, record=TrainingRecord(others={"not": {"json"}}))
    with pytest.raises(TypeError):
        save_model(path, broken)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


# ---- checkpoints, which are kept in the same way


def test_checkpoint_round_trip(tmp_path):
    target = checkpoint_path(tmp_path / "m.pupicker")
    assert target == tmp_path / "m.pupicker.checkpoint"
    save_checkpoint(target, {"a": torch.arange(3)}, {"stage": "refit", "identity": "x"})
    tensors, progress = load_checkpoint(target, "x")
    assert torch.equal(tensors["a"], torch.arange(3)) and progress == {"stage": "refit", "identity": "x"}
    with pytest.raises(InputError, match="other data or options"):
        load_checkpoint(target, "y")


def test_checkpoint_that_is_none(path, tmp_path):
    (tmp_path / "text").write_text("hello" * 50)
    for wrong in (path, tmp_path / "text", tmp_path / "none"):
        with pytest.raises(InputError, match="train anew") as caught:
            load_checkpoint(wrong, "x")
        assert str(wrong) in str(caught.value) and "\n" not in str(caught.value)


def test_identity_depends_on_data_and_every_option():
    identities = {
        identity_of(digest, lengths, fraction)
        for digest in ("a", "b") for lengths in (GEOMETRY, replace(GEOMETRY, training_radius_px=2.0))
        for fraction in (0.25, 0.5)
    }
    assert len(identities) == 8
    assert identity_of("a", GEOMETRY) == identity_of("a", replace(GEOMETRY))


def test_a_checkpoint_with_a_flipped_bit_is_damaged(tmp_path):
    target = checkpoint_path(tmp_path / "m.pupicker")
    save_checkpoint(target, {"a": torch.ones(300)}, {"stage": "refit", "identity": "x"})
    whole = target.read_bytes()
    for place in (len(whole) - 700, whole.index(b"refit")):
        target.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        with pytest.raises(InputError, match="damaged") as caught:
            load_checkpoint(target, "x")
        assert str(target) in str(caught.value)
    save_file({"a": torch.ones(3)}, str(target), metadata={"pupicker_checkpoint": json.dumps({"identity": "x"})})
    assert load_checkpoint(target, "x")[1] == {"identity": "x"}  # of a version that knew no sum
