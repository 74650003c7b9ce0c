"""Recipes of the paper's Table 1, and its data sets as benchmark sets from a folder that was downloaded from EMPIAR.

    python -m benchmarks.paper.presets t20s DOWNLOAD OUTPUT

writes OUTPUT/truth.tsv and OUTPUT/splits.csv and says what was found.  A layout (presets.json) names where the
micrographs and the table of particles lie, how names in the table are changed to be those of the micrographs, and by
how much the positions are scaled.  Nothing is guessed: a table that names no micrograph is an error that shows both.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.datasets import BenchmarkSet
from pupicker import CoordinateTable, read_coordinates
from pupicker.shared.names import micrograph_key

FILE = Path(__file__).with_name("presets.json")
SPLIT_SEED = 0


def presets() -> dict[str, dict[str, Any]]:
    """Name -> recipe."""
    out: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["presets"]
    return out


def load_download(name: str, folder: Path, output: Path) -> BenchmarkSet:
    """Data set of a preset from its download: truth written to `output`, micrographs split as in the paper.

    The paper does not say which micrographs were in which part: they are drawn, in the paper's proportion, with a fixed
    seed, from those that have particles.

    Raises
    ------
    SystemExit
        Files of the layout are missing, or the names in the table fit no micrograph.
    """
    recipe = presets()[name]
    layout = recipe["layout"]
    paths = sorted({path for pattern in layout["micrographs"] for path in folder.glob(pattern)})
    tables = sorted(folder.glob(layout["coordinates"]))
    for found, wanted in ((paths, ", ".join(layout["micrographs"])), (tables, layout["coordinates"])):
        if not found:
            raise SystemExit(f"{folder}: no {wanted}; if the deposition is laid out otherwise, change {FILE.name}")
    truth = _read(tables, layout)
    known = {micrograph_key(path): path for path in paths}
    named = np.array([re.sub(layout["rename"][0], layout["rename"][1], micrograph_key(m)) for m in truth.micrograph])
    keep = np.isin(named, list(known))
    if not keep.any():
        raise SystemExit(f"{tables[0].name} names {named[0]!r}, the micrographs are named as {paths[0].name!r}; set"
                         f" 'rename' of {name} in {FILE.name}")
    _write_truth(output / "truth.tsv", named[keep], truth.x[keep] * layout["coordinate_scale"],
                 truth.y[keep] * layout["coordinate_scale"])
    used = [known[key] for key in sorted(set(named[keep]))]
    training, test = _split(used, recipe)
    _write_split(output / "splits.csv", recipe["accession"], training, test)
    return BenchmarkSet(name, f"{recipe['protein']} ({recipe['accession']})", training, test, output / "truth.tsv",
                        output / "labels", recipe["pixel_size_ang"], recipe["diameter_ang"],
                        0.5 * recipe["diameter_ang"] / recipe["pixel_size_ang"])


def _read(tables: list[Path], layout: dict[str, Any]) -> CoordinateTable:
    """All tables; the layout's format counts, not the extension."""
    with tempfile.TemporaryDirectory() as name:
        parts = []
        for number, table in enumerate(tables):
            copy = Path(name) / str(number) / f"{table.stem}.{layout['format']}"
            copy.parent.mkdir()
            shutil.copy(table, copy)
            parts.append(read_coordinates(copy))
    return CoordinateTable.concatenate(parts)


def _split(paths: list[Path], recipe: dict[str, Any]) -> tuple[list[Path], list[Path]]:
    """Training and test micrographs in the paper's proportion, at least one each."""
    share = recipe["test"]["micrographs"] / (recipe["test"]["micrographs"] + recipe["training"]["micrographs"])
    count = max(1, round(share * len(paths)))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(paths))
    return [paths[i] for i in sorted(order[count:])], [paths[i] for i in sorted(order[:count])]


def _write_truth(path: Path, names: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{m}\t{a:.2f}\t{b:.2f}\n" for m, a, b in zip(names, x, y, strict=True))
    path.write_text("micrograph\tx\ty\n" + rows)


def _write_split(path: Path, accession: str, training: list[Path], test: list[Path]) -> None:
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("data_set", "micrograph", "role"))
        for role, paths in (("train", training), ("test", test)):
            writer.writerows((accession, path.stem, role) for path in paths)


def main() -> None:
    """Prepare one data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=list(presets()))
    parser.add_argument("download", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    chosen = load_download(args.preset, args.download, args.output)
    recipe = presets()[args.preset]
    for role, paths in (("training", chosen.training), ("test", chosen.test)):
        stated = recipe[role]
        print(f"{role}: {len(paths)} micrographs, {chosen.particles(paths)} particles; the paper has"
              f" {stated['micrographs']} and {stated['particles']}")


if __name__ == "__main__":
    main()
