"""Model files with tensors that cannot be: refused in one line of ours, whatever is wrong with them."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pupicker.core.detection.picking_network import picking_network
from pupicker.core.networks import NETWORKS
from pupicker.core.scores.likelihood import Calibration
from pupicker.engine.models.model_file import Model, load_model, save_model
from pupicker.engine.models.stored_weights import LARGEST_WEIGHT, with_cell_head
from pupicker.engine.runtime.errors import InputError
from pupicker.tests.engine.blobs import GEOMETRY, MIXTURE

TORCH_SAYS = ("state_dict", "size mismatch", "Missing key", "Traceback", "aten", "expected scalar")

SHAPES = {
    "without its last axis": lambda t: t[..., 0].contiguous() if t.ndim else t.reshape(1),
    "with an axis more": lambda t: t[None], "one longer": lambda t: torch.cat([t, t[:1]]) if t.ndim else t.repeat(2),
    "flat": lambda t: t.reshape(-1) if t.ndim != 1 else t[:, None], "empty": lambda t: t.new_zeros((0,)),
    "one number": lambda t: t.new_zeros(()) if t.ndim else t.new_zeros((1, 1)),
}
DTYPES = {str(dtype).removeprefix("torch."): (lambda t, to=dtype: t.to(to))
          for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.bool)}
NUMBERS = {str(value): (lambda t, to=value: t.index_fill(0, torch.tensor([0]), to) if t.ndim else t.new_tensor(to))
           for value in (float("nan"), float("inf"), -float("inf"), 10 * LARGEST_WEIGHT)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A model with a layer for cells, its header and tensors, and a function that writes others in their place."""
    torch.manual_seed(0)
    network = NETWORKS["conv31"].from_settings({"width": 2}).eval()
    image = torch.randn((60, 71), generator=torch.Generator().manual_seed(3))
    head = picking_network(network, [image], 1, seed=0).head
    path = tmp_path_factory.mktemp("crafted") / "m.pupicker"
    save_model(path, Model(network, "conv31", MIXTURE, GEOMETRY, Calibration(), 0.03, 1.25, cell_head=head))
    with safe_open(str(path), framework="pt") as stored:
        header = json.loads(stored.metadata()["pupicker"])
    del header["weights_sha256"], header["header_sha256"]  # else these say it all

    def write(tensors, fields=header):
        save_file(tensors, str(path), metadata={"pupicker": json.dumps(fields)})
        return path

    return write, header, load_file(path)


def refused(path):
    """The line, which names the file and speaks our words."""
    with pytest.raises(InputError) as caught:
        load_model(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: damaged: ") and "\n" not in line and len(line) < 400, line
    assert not [word for word in TORCH_SAYS if word in line], line
    return line


def test_any_tensor_that_is_another_one_is_damage(written):
    write, _, tensors = written
    load_model(write(tensors))
    tried = 0
    for name, own in tensors.items():
        changes = {**SHAPES, **DTYPES, **(NUMBERS if own.is_floating_point() else {})}
        for change in changes.values():
            changed = change(own)
            if changed.shape == own.shape and changed.dtype == own.dtype and torch.equal(changed, own):
                continue
            assert name in refused(write({**tensors, name: changed}))
            tried += 1
        assert f"{name} is missing" in refused(write({n: t for n, t in tensors.items() if n != name}))
        assert f"{name}.more belongs to no layer" in refused(write({**tensors, f"{name}.more": own.clone()}))
        tried += 2
    assert tried > 280


def test_what_a_layer_must_be_is_said(written):
    write, header, tensors = written
    line = refused(write({**tensors, "cell_head.weight": torch.zeros((4, 8, 1, 1))}))
    assert "(cell_head.weight is 4 x 8 x 1 x 1 of float32, must be 4 x 8 x 3 x 3 of float32)" in line
    without = {name: t for name, t in tensors.items() if not name.startswith("cell_head.")}
    assert "format 2 without a layer for cells" in refused(write(without))
    assert "format 1 with a layer for cells" in refused(write(tensors, {**header, "schema_version": 1}))
    assert "cell_head.bias is missing" in refused(write({**without, "cell_head.weight": tensors["cell_head.weight"]}))
    assert "variance below 0" in refused(write({**tensors, "block0.norm.running_var": -torch.ones(2)}))


def most_memory_kib():
    """The largest resident memory since it was last forgotten; that of torch is in it."""
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])


@pytest.mark.parametrize("width", [3, 500, 10_000, 10**12, 10**40])
def test_a_setting_that_does_not_fit_fills_no_memory(written, width):
    write, header, tensors = written
    settings = {"name": "conv31", "settings": {"width": width}, "package": None}
    path = write(tensors, {**header, "network": settings})
    Path("/proc/self/clear_refs").write_text("5")
    before = most_memory_kib()
    refused(path)
    assert most_memory_kib() - before < 50_000


def test_a_header_without_end_is_no_model(written):
    write, _, tensors = written
    path = write(tensors)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    whole = json.loads(content[8:8 + length])
    for text in ("[" * 100_000, '{"a":' * 100_000, '{"schema_version": ' + "1" * 10_000 + "}"):
        whole["__metadata__"]["pupicker"] = text
        header = json.dumps(whole).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + length:])
        with pytest.raises(InputError, match="not a pupicker model, or damaged") as caught:
            load_model(path)
        assert "\n" not in str(caught.value)


def test_the_tensors_of_a_network_and_of_its_layer_are_told_apart(written):
    _, _, tensors = written
    network = NETWORKS["conv31"].from_settings({"width": 2})
    own, head = with_cell_head(network, tensors)
    assert own.keys() == network.state_dict().keys() and head is not None
    assert torch.equal(head.weight, tensors["cell_head.weight"])
    assert with_cell_head(network, own) == (own, None)
