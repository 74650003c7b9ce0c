"""The same picks whatever the number of threads, the order, the batch, the part, the tile and whoever is asked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.torture.scene import Scene
from pupicker.core.detection.scoring import score_image
from pupicker.engine.files.coordinates import CoordinateTable, read_coordinates
from pupicker.engine.models.model_file import load_model

TOLERANCE = 2e-3
"""Pixels, and units of the score: other tiles and threads add in another order."""


def same(one: CoordinateTable, other: CoordinateTable) -> bool:
    """Whether the picks are the same, in any order of micrographs and whatever their folders."""
    rows = [sorted((Path(name).name, round(float(x) / TOLERANCE / 5), round(float(y) / TOLERANCE / 5))
                   for name, x, y in zip(table.micrograph, table.x, table.y, strict=True)) for table in (one, other)]
    if len(rows[0]) != len(rows[1]):
        return False
    return all(a[0] == b[0] and abs(a[1] - b[1]) <= 1 and abs(a[2] - b[2]) <= 1 for a, b in zip(*rows, strict=True))


def torture(scene: Scene, rounds: int, seed: int) -> dict[str, Any]:
    """Pick in several ways, all drawn anew each round; which differ."""
    draw, wrong, tried = random.Random(seed), [], 0
    for turn in range(rounds):
        ways = _ways(scene, draw, scene.folder / "same" / str(turn))
        reference = ways.pop("all at once, one thread")()
        for name, way in ways.items():
            tried += 1
            if not same(reference, way()):
                wrong.append(f"round {turn}: {name}")
        tried += 1
        wrong += _tiles(scene, draw, turn)
    return {"comparisons": tried, "picks": len(reference), "wrong": wrong}


def _ways(scene: Scene, draw: random.Random, folder: Path) -> dict[str, Callable[[], CoordinateTable]]:
    paths, threshold = scene.micrographs, draw.choice([-2.0, 0.0, 1.0])
    more = ("--threshold", threshold)

    def picked(name: str, files: list[Path], *options: object) -> CoordinateTable:
        output = folder / name
        scene.must("pick", *files, "--model", scene.model, "--output", output, *more, *options)
        return read_coordinates(output)

    def one_by_one() -> CoordinateTable:
        return CoordinateTable.concatenate([picked(f"one{i}.tsv", [path], "--threads", 1)
                                            for i, path in enumerate(paths)])

    def in_parts() -> CoordinateTable:
        number = draw.randint(2, 5)
        return CoordinateTable.concatenate([picked(f"p{part}.tsv", paths, "--part", f"{part}/{number}")
                                            for part in range(1, number + 1)])

    def by_a_process_that_stays() -> CoordinateTable:
        requests = folder / "requests"
        requests.write_text(json.dumps({"id": 1, "do": "pick", "micrographs": list(map(str, paths)), "format": "tsv",
                                        "output": str(folder / "served"), "threshold": threshold}) + "\n")
        scene.must("serve", "--model", scene.model, "--threads", 1, stdin=requests)
        return read_coordinates(folder / "served")

    shuffled = draw.sample(paths, len(paths))
    return {
        "all at once, one thread": lambda: picked("ref.tsv", paths, "--threads", 1),
        "two threads": lambda: picked("two.tsv", paths, "--threads", 2),
        "four threads": lambda: picked("four.tsv", paths, "--threads", 4),
        "another order": lambda: picked("order.tsv", shuffled, "--threads", 2), "one by one": one_by_one,
        "in parts": in_parts, "a folder of tables": lambda: picked("tables", paths, "--format", "tsv"),
        "STAR": lambda: picked("picks.star", paths), "a process that stays": by_a_process_that_stays,
    }


def _tiles(scene: Scene, draw: random.Random, turn: int) -> list[str]:
    """Scores of an image in tiles of any size, with the layer for cells and without."""
    model = load_model(scene.model)
    image = torch.randn((draw.randint(40, 300), draw.randint(40, 300)),
                        generator=torch.Generator().manual_seed(draw.randrange(10**6)))
    wrong = []
    for network in {model.network, model.picking_network}:
        tile = draw.choice([8, 16, 40, 64, 128])
        whole, parts = score_image(network, image, 2, 4096), score_image(network, image, 2, tile)
        if not torch.allclose(whole, parts, atol=1e-4, rtol=1e-4):
            wrong.append(f"round {turn}: tiles of {tile} px of an image of {tuple(image.shape)}")
    return wrong
