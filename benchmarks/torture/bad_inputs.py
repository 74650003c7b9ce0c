"""Kinds of bad input, each a file or an option that cannot be: what is written, and the command that is asked."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.torture.scene import PIXEL_ANG, TRAINING, Scene
from pupicker.engine.files.micrographs import write_mrc

Words = tuple[object, ...]
Kind = Callable[[Scene, Path], Words]


def _pick(scene: Scene, folder: Path, micrograph: Path, *more: object) -> Words:
    return ("pick", micrograph, "--model", scene.model, "--output", folder / "out.tsv", *more)


def _micrograph(content: Callable[[bytes], bytes], name: str = "a.mrc") -> Kind:
    """A picking of a file with this content, made from a good micrograph's."""
    def words(scene: Scene, folder: Path) -> Words:
        (folder / name).write_bytes(content(scene.micrographs[0].read_bytes()))
        return _pick(scene, folder, folder / name)
    return words


def _pixels(make: Callable[[np.ndarray], np.ndarray], pixel_size: float = PIXEL_ANG) -> Kind:
    """A picking of an image."""
    def words(scene: Scene, folder: Path) -> Words:
        noise = np.random.default_rng(0).normal(size=(333, 300)).astype(np.float32)
        write_mrc(folder / "a.mrc", make(noise), pixel_size)
        return _pick(scene, folder, folder / "a.mrc")
    return words


def _header(offset: int, form: str, *values: float) -> Kind:
    """A picking of a micrograph with other numbers at a place of its header."""
    def change(content: bytes) -> bytes:
        raw = struct.pack(f"<{form}", *values)
        return content[:offset] + raw + content[offset + len(raw):]
    return _micrograph(change)


def _table(text: str, name: str = "labels.tsv", *more: object) -> Kind:
    """A training on a table; MIC is a micrograph's name."""
    def words(scene: Scene, folder: Path) -> Words:
        (folder / name).write_text(text.replace("MIC", scene.micrographs[0].name))
        return ("train", *scene.micrographs[:3], "--picks", folder / name, *TRAINING[:2], "--updates", 2, "--output",
                folder / "m.pupicker", "--threads", 1, *more)
    return words


def _model(change: Callable[[bytes], bytes]) -> Kind:
    """A picking with a changed model."""
    def words(scene: Scene, folder: Path) -> Words:
        (folder / "m.pupicker").write_bytes(change(scene.model.read_bytes()))
        return ("pick", scene.micrographs[0], "--model", folder / "m.pupicker", "--output", folder / "out.tsv")
    return words


def _options(*words: object) -> Kind:
    """A training or picking with options that cannot be."""
    def asked(scene: Scene, folder: Path) -> Words:
        if words[0] == "train":
            return scene.train(folder / "m.pupicker", *words[1:])
        return _pick(scene, folder, scene.micrographs[0], *words[1:])
    return asked


HEAD = "micrograph\tx\ty\n"

KINDS: dict[str, Kind] = {
    "micrograph: empty": _micrograph(lambda c: b""),
    "micrograph: header only": _micrograph(lambda c: c[:1024]),
    "micrograph: half of it": _micrograph(lambda c: c[: len(c) // 2]),
    "micrograph: text": _micrograph(lambda c: b"this is no image\n" * 200),
    "micrograph: a TIFF called MRC": _micrograph(lambda c: b"II*\0" + b"\xff" * 2000),
    "micrograph: random bytes": _micrograph(lambda c: np.random.default_rng(1).bytes(5000)),
    "micrograph: broken TIFF": _micrograph(lambda c: b"II*\0" + b"\xff" * 2000, "a.tif"),
    "micrograph: broken PNG": _micrograph(lambda c: b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "a.png"),
    "micrograph: broken gzip": _micrograph(lambda c: gzip.compress(c)[:5000], "a.mrc.gz"),
    "micrograph: gzip of text": _micrograph(lambda c: gzip.compress(b"text"), "a.mrc.gz"),
    "micrograph: negative sizes": _header(0, "3i", -300, -333, 1),
    "micrograph: enormous sizes": _header(0, "3i", 2**31 - 1, 2**31 - 1, 1),
    "micrograph: no rows": _header(0, "3i", 300, 0, 1),
    "micrograph: a stack": _header(0, "3i", 300, 111, 3),
    "micrograph: complex numbers": _header(12, "i", 4),
    "micrograph: unknown mode": _header(12, "i", 77),
    "micrograph: pixel size of NaN": _header(40, "3f", *[float("nan")] * 3),
    "micrograph: pixel size of 0": _header(40, "3f", 0, 0, 0),
    "micrograph: pixels of 1 mm": _header(40, "3f", 3e9, 3e9, 1),
    "micrograph: pixels of 1e-6 Å": _header(40, "3f", 3e-4, 3e-4, 1),
    "micrograph: constant": _pixels(np.ones_like),
    "micrograph: all NaN": _pixels(lambda n: np.full_like(n, np.nan)),
    "micrograph: all infinite": _pixels(lambda n: np.full_like(n, np.inf)),
    "micrograph: two values": _pixels(lambda n: (n > 5).astype(np.float32)),
    "micrograph: 4×4 pixels": _pixels(lambda n: n[:4, :4]),
    "micrograph: one row": _pixels(lambda n: n[:1]),
    "micrograph: much too coarse": _pixels(lambda n: n, 60.0),
    "micrograph: not there": lambda scene, folder: _pick(scene, folder, folder / "none.mrc"),
    "micrograph: a folder": lambda scene, folder: _pick(scene, folder, folder),
    "labels: empty file": _table(""),
    "labels: titles only": _table(HEAD),
    "labels: no titles": _table("MIC\t10\t20\nMIC\tx\ty\n"),
    "labels: text for numbers": _table(HEAD + "MIC\tten\ttwenty\n"),
    "labels: NaN": _table(HEAD + "MIC\tnan\t20\n"),
    "labels: infinite": _table(HEAD + "MIC\tinf\t20\n"),
    "labels: 1e300": _table(HEAD + "MIC\t1e300\t20\n"),
    "labels: all outside": _table(HEAD + "MIC\t5000\t5000\n" * 3),
    "labels: fractions": _table(HEAD + "".join(f"MIC\t0.{i}\t0.{9 - i}\n" for i in range(1, 9))),
    "labels: of other micrographs": _table(HEAD + "other_1\t10\t20\n"),
    "labels: too few columns": _table(HEAD + "MIC\t10\n"),
    "labels: STAR without coordinates": _table("data_\n\nloop_\n_rlnMicrographName #1\nMIC\n", "labels.star"),
    "labels: STAR cut in a row": _table("data_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
                                        "_rlnCoordinateY #3\nMIC 10\n", "labels.star"),
    "labels: broken JSON": _table('{"boxes": [[1, 2', "labels.json"),
    "labels: no .cs": _table("text", "labels.cs"),
    "labels: box of text": _table("a b c d\n", f"mic_0001{'.box'}"),
    "labels: unknown format": _table("1 2", "labels.xyz"),
    "model: empty": _model(lambda c: b""),
    "model: half of it": _model(lambda c: c[: len(c) // 2]),
    "model: a bit flipped": _model(lambda c: c[:-50] + bytes([c[-50] ^ 4]) + c[-49:]),
    "model: text": _model(lambda c: b"text" * 100),
    "model: of a newer version": _model(lambda c: re.sub(rb'(schema_version\\": )\d', rb"\g<1>9", c)),
    "model: a pickle": _model(lambda c: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins."),
    "option: threshold of NaN": _options("pick", "--threshold", "nan"),
    "option: minimum distance below 0": _options("pick", "--min-distance", -3),
    "option: no such device": _options("pick", "--device", "cuda:77"),
    "option: no such network": _options("train", "--network", "conv9000"),
    "option: batch of 1": _options("train", "--batch-size", 1),
    "option: learning rate of 1e30": _options("train", "--learning-rate", 1e30),
    "option: width of 10^9": _options("train", "--width", 10**9),
    "option: diameter of 10 m": _options("train", "--diameter", 1e11),
    "option: start from a table": lambda scene, folder: scene.train(folder / "m.pupicker", "--start", scene.labels),
    "option: output is a folder": lambda scene, folder: scene.train(folder),
    "option: output into nothing": lambda scene, folder: scene.train(Path("/proc/none/m.pupicker")),
}
