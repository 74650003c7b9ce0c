"""A micrograph is opened once, whatever is asked of it; stacks are read with the same checks."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import os
import re
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from pupicker.engine.files import mrc
from pupicker.engine.files.micrographs import open_micrograph, write_mrc
from pupicker.engine.files.mrc import read_stack
from pupicker.engine.preparation.working_micrograph import resample
from pupicker.engine.runtime.errors import InputError

PIXELS = np.random.default_rng(0).normal(100, 10, (120, 90)).astype(np.float32)
_opened: list[str] | None = None


def _hear(event: str, arguments: tuple) -> None:
    if _opened is not None and event == "open":
        _opened.append(str(arguments[0]))


sys.addaudithook(_hear)  # it cannot be taken back, so it listens only within a test


@pytest.fixture
def opened():
    global _opened
    _opened = []
    yield _opened
    _opened = None


def written(folder: Path, kind: str) -> Path:
    path = folder / f"a.{kind.split('-')[0]}"
    if kind == "mrc":
        write_mrc(path, PIXELS, 6.0)
    elif kind == "mrc-extended":
        write_mrc(path, PIXELS, 6.0)
        with mrcfile.open(path, mode="r+") as file:
            file.set_extended_header(np.arange(8, dtype=np.uint8).view("V8"))
        path.write_bytes(path.read_bytes() + b"trailing")
    else:
        compression = "zlib" if kind.endswith("packed") else None
        tifffile.imwrite(path, PIXELS, compression=compression, resolution=(1e8 / 6, 1e8 / 6), resolutionunit=3)
    return path


@pytest.mark.parametrize("kind", ["mrc", "mrc-extended", "tif", "tif-packed"])
def test_opened_once_and_the_digest_is_that_of_the_file(tmp_path, opened, kind):
    path = written(tmp_path, kind)
    opened.clear()
    plain = resample(path, None, 12.0)
    assert opened.count(str(path)) == 1 and plain.digest is None
    opened.clear()
    micrograph = resample(path, None, 12.0, digest=True)
    assert opened.count(str(path)) == 1
    assert micrograph.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert micrograph.pixel_size_ang == pytest.approx(6.0, rel=2e-3)  # a fraction in TIFF
    with open_micrograph(path) as file:
        np.testing.assert_array_equal(file.read_pixels(), PIXELS)


def test_the_header_is_parsed_once(tmp_path, monkeypatch):
    path, calls = written(tmp_path, "mrc"), []
    interpret = mrc._find_layout
    monkeypatch.setattr(mrc, "_find_layout", lambda *a: calls.append(1) or interpret(*a))
    resample(path, None, 12.0, digest=True)
    assert calls == [1]


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float16", "float32"])
@pytest.mark.parametrize("shape", [(1, 6, 5), (4, 6, 5)])
def test_stacks_are_read_as_mrcfile_reads_them(tmp_path, dtype, shape):
    path = tmp_path / "a.mrcs"
    values = (np.arange(np.prod(shape)).reshape(shape) % 90).astype(dtype)
    with mrcfile.new(path) as file:
        file.set_data(values)
        file.voxel_size = (1.3, 1.3, 2.1)
    stack = read_stack(path)
    with mrcfile.open(path) as file:
        np.testing.assert_array_equal(stack.images.reshape(file.data.shape), file.data)
        assert stack.pixel_size_ang == tuple(float(file.voxel_size[axis]) for axis in "xyz")
    assert stack.axes == (1, 2, 3) and stack.images.dtype.name == dtype


@pytest.mark.parametrize(("change", "words"), [
    (lambda content: content[:-1], "truncated: 5 x 6 x 4 float32 pixels need 480 bytes, found 479"),
    (lambda content: b"not an image at all " * 200, "not an MRC file"),
    (lambda content: content[:500], "500 bytes are less than its header"),
])
def test_a_stack_whose_header_does_not_fit_is_refused(tmp_path, change, words):
    path = tmp_path / "a.mrcs"
    with mrcfile.new(path) as file:
        file.set_data(np.ones((4, 6, 5), dtype=np.float32))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=words) as caught:
        read_stack(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_compressed_stack_is_unpacked_and_a_damaged_one_refused(tmp_path, pack):
    plain, packed = tmp_path / "a.map", tmp_path / "a.map.packed"
    values = np.arange(120, dtype=np.float32).reshape(4, 6, 5)
    with mrcfile.new(plain) as file:
        file.set_data(values)
    content = pack(plain.read_bytes())
    packed.write_bytes(content)
    np.testing.assert_array_equal(read_stack(packed).images, values)
    packed.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=re.escape(str(packed))):
        read_stack(packed)


def test_a_folder_is_no_stack(tmp_path):
    with pytest.raises(InputError, match=os.strerror(21)):
        read_stack(tmp_path)
