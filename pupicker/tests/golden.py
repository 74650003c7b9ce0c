"""Numbers that the method gives on tiny data: what tells whether ``METHOD_VERSION`` has to be raised.

    python -m pupicker.tests.golden      writes them anew, which it refuses while they differ under one version

Everything goes through the command line, so that code can be moved and renamed freely.  Micrographs are drawn here
and not by :mod:`pupicker.simulation`, which is no part of the method.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import torch

from pupicker import METHOD_VERSION
from pupicker.commands.main import main
from pupicker.core.networks import DEFAULT_NETWORK

FILE = Path(__file__).with_name("golden.json")
TOLERANCE = 2e-3
"""Relative.  Processors add in another order, and a training and the fit of its layer for cells amplify that: between
instruction sets from SSE4.1 to AVX-512 of one processor the numbers differ by 9e-5 at most, on a processor of another
maker with AVX2 the threshold of the training with an autoencoder by 1.3e-3, the others by less than 3e-4."""

PIXEL_SIZE_ANG, DIAMETER_ANG = 6.0, 160.0
WIDTH, HEIGHT, PARTICLES, MICROGRAPHS = 301, 267, 10, 4
LABELLED = 3
MATCH_PX = 1e-3
COMMON = ("--threads", 1, "--precision", "float32")
OBJECTIVES = ("ge-binomial", "ge-kl", "nnpu", "pn")


def draw(folder: Path) -> tuple[Path, Path]:
    """Micrographs of dark discs in noise and the table of the particles of those labelled."""
    generator = np.random.default_rng(11)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    radius_px = DIAMETER_ANG / PIXEL_SIZE_ANG / 2
    cells = [(x, y) for x in range(30, WIDTH - 30, 48) for y in range(30, HEIGHT - 30, 48)]
    micrographs, labels = folder / "micrographs", ["micrograph\tx\ty"]
    micrographs.mkdir()
    for number in range(MICROGRAPHS):
        image = generator.normal(100, 10, (HEIGHT, WIDTH)) + 0.05 * columns
        for cell in generator.permutation(len(cells))[:PARTICLES]:
            x, y = (int(c + generator.integers(-8, 9)) for c in cells[cell])
            image -= 14 * np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / radius_px**2) ** 2)
            if number < LABELLED:
                labels.append(f"mic{number}\t{x}\t{y}")
        with mrcfile.new(micrographs / f"mic{number}.mrc") as mrc:
            mrc.set_data(image.astype(np.float32))
            mrc.voxel_size = PIXEL_SIZE_ANG
    table = folder / "labels.tsv"
    table.write_text("\n".join(labels) + "\n")
    return micrographs, table


def _run(*arguments: object) -> None:
    code = main([str(argument) for argument in arguments])
    if code:
        raise RuntimeError(f"pupicker {arguments[0]} ended with {code}")


def _picks(table: Path) -> list[list[float]]:
    """Micrograph's number, x, y, score of each pick."""
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    column = {name: place for place, name in enumerate(lines[0])}
    return [[float(Path(line[0]).stem[3:]), *(float(line[column[name]]) for name in ("x", "y", "score"))]
            for line in lines[1:]]


def measure() -> dict[str, Any]:
    """Picks of the stored weights; losses, calibration and picks of short trainings; one loss curve an objective."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        micrographs, labels = draw(folder)
        _run("baseline", "general", micrographs, "--diameter", DIAMETER_ANG, "--output", folder / "general.tsv",
             "--threshold=-8", *COMMON)
        results: dict[str, Any] = {"general": {"picks": _picks(folder / "general.tsv")}}
        for training, options in _trainings():
            model, report = folder / f"{training}.pupicker", folder / f"{training}.json"
            _run("train", micrographs, "--picks", labels, "--diameter", DIAMETER_ANG, "--output", model, "--report",
                 report, "--batch-size", 64, "--seed", 5, *COMMON, *options)
            info = json.loads(report.read_text())
            results[training] = {
                "losses": [epoch["loss"] for epoch in info["curve"]], "threshold": info["suggested_threshold"],
            }
            if training == "training":
                _run("pick", micrographs, "--model", model, "--output", folder / "picks.tsv", *COMMON)
                results[training] |= {
                    "picks": _picks(folder / "picks.tsv"), "class_prior": info["class_prior"],
                    "validation": info["validation"]["average_precision"],
                }
        return results


def _trainings() -> Iterator[tuple[str, tuple[object, ...]]]:
    yield "training", ("--network", DEFAULT_NETWORK, "--updates", 6)
    short = ("--network", "conv31", "--width", 8, "--start", "random", "--updates", 8, "--learning-rate", 0.003,
             "--validation-fraction", 0, "--class-prior", 0.05)
    for objective in OBJECTIVES:
        yield objective, (*short, "--objective", objective)
    yield "autoencoder", (*short, "--autoencoder", 0.001)
    yield "ring negatives", (*short, "--ring-negatives")


def differences(now: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """One line for everything in which two measurements differ by more than rounding."""
    found = []
    for name in sorted(now.keys() | stored.keys()):
        for key in sorted(now.get(name, {}).keys() | stored.get(name, {}).keys()):
            new, old = now.get(name, {}).get(key), stored.get(name, {}).get(key)
            if not (_same_picks(new, old) if key == "picks" else _close(new, old)):
                found.append(f"{name} {key}: {new} instead of {old}")
    return found


def _close(new: Any, old: Any) -> bool:
    if new is None or old is None or np.shape(new) != np.shape(old):
        return new is old
    return bool(np.allclose(new, old, rtol=TOLERANCE, atol=1e-6))


def _same_picks(new: list[list[float]] | None, old: list[list[float]] | None) -> bool:
    """The same places with the same scores, in any order of nearly equal ones."""
    if new is None or old is None or len(new) != len(old):
        return False
    a, b = (np.array(sorted(picks)) for picks in (new, old))
    return bool(np.abs(a[:, :3] - b[:, :3]).max() < MATCH_PX
                and np.abs(a[:, 3] - b[:, 3]).max() < TOLERANCE * max(1.0, float(np.ptp(b[:, 3]))))


def stored() -> dict[str, Any]:
    """The numbers of the file, and the version of the method that gave them."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def write() -> int:
    """Write the file, unless numbers changed under the version that it has."""
    now = measure()
    if FILE.is_file() and stored()["method_version"] == METHOD_VERSION:
        changed = differences(now, stored()["numbers"])
        if changed:
            sys.stderr.write("\n".join([*changed, "the method changed: raise METHOD_VERSION first"]) + "\n")
            return 1
    FILE.write_text(json.dumps({"method_version": METHOD_VERSION, "numbers": now}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(write())
