"""Headers that cannot be, and weights that are not those that were written: one line, never a pick."""

from __future__ import annotations

import copy
import json
import struct

import pytest
from safetensors.torch import load_file, save_file

from pupicker.engine.models.header_schema import check_header, is_schema_number, known_details
from pupicker.engine.models.model_card import card
from pupicker.engine.models.model_file import load_model, save_model
from pupicker.engine.runtime.errors import InputError

WRONG: tuple[object, ...] = (None, "x", -1, 0, 1e300, float("nan"), [], {}, True, [1, "a"], {"a": []})


@pytest.fixture
def stored(model_path, tmp_path):
    """A model's file, its header, and a function that writes it with another one."""
    path = tmp_path / "m.pupicker"
    save_model(path, load_model(model_path))
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(json.loads(content[8:8 + length])["__metadata__"]["pupicker"])
    tensors = load_file(path)

    def write(changed, weights=tensors):
        save_file(weights, str(path), metadata={"pupicker": json.dumps(changed)})

    return path, header, write


def places(value, place=()):
    """Every key of the header, also the inner ones."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*place, key)
        yield from places(inner, (*place, key))


@pytest.mark.slow
def test_any_value_anywhere_is_read_or_refused_in_one_line(stored):
    path, header, write = stored
    check_header(header)
    refused = tried = 0
    for place in list(places(header)):
        for wrong in WRONG:
            changed = copy.deepcopy(header)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = wrong
            write(changed)
            tried += 1
            try:
                json.dumps(card(load_model(path)))
            except InputError as error:
                refused += 1
                assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert tried > 300 and refused > 150


@pytest.mark.parametrize("number", [0, -3, True, "1", None, 1.0])
def test_numbers_of_formats_that_are_none(stored, number):
    path, header, write = stored
    write({**header, "schema_version": number})
    with pytest.raises(InputError, match="damaged: there is no model format"):
        load_model(path)
    assert is_schema_number(1, 1) and not is_schema_number(2, 1)


def test_a_flipped_bit_and_weights_that_are_no_numbers_are_damage(stored):
    path, header, write = stored
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    with pytest.raises(InputError, match="damaged: its weights are not those that were written"):
        load_model(path)
    write({**header, "suggested_threshold": header["suggested_threshold"] + 0.5})
    with pytest.raises(InputError, match="damaged: its header is not the one that was written"):
        load_model(path)
    path.write_bytes(whole)
    weights = load_file(path)
    weights["head.weight"].view(-1)[0] = float("nan")
    write({name: value for name, value in header.items() if not name.endswith("_sha256")}, weights)
    with pytest.raises(InputError, match=r"damaged: its weights head\.weight are not all finite"):
        load_model(path)


def test_details_of_another_type_are_left_out():
    assert known_details({"labels": "many", "seed": 3, "curve": [1], "newer": {"a": 1}, "objective": 5}) == {
        "seed": 3, "newer": {"a": 1}}
