"""One model across pixel sizes: trained at 7.08 A, it picks a micrograph at 7.08 A and the same one at 1.77 A.

    python -m benchmarks.pixel_sizes DATA MODEL... [--threads 2]

MODEL: models of `calibration --models FOLDER`, bgal_100_*.  Picks are taken at the model's own threshold; recall and
precision are compared.  The full-size micrograph is an 8-bit file with another zero level.  Results:
results/pixel_sizes.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common.real_sets import SETS, pupicker
from benchmarks.common.runs import hardware, pupicker_code
from pupicker.shared.atomic import write_text

FULL_SIZE = ("mrc_full_int8", "truth/particles_full_1.77A.txt", 1.77, 54.0)


def compare(data: Path, model: Path, work: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Recall and precision of one model at both pixel sizes."""
    chosen = SETS["bgal"]
    folder, truth, pixel_size, radius = FULL_SIZE
    full = next((data / chosen.folder / folder).glob("*.mrc"))
    small = data / chosen.folder / chosen.micrographs / full.name
    out: dict[str, Any] = {"model": model.name, "micrograph": full.stem}
    for title, file, size, known, reach in (
        ("7.08 A", small, chosen.pixel_size_ang, chosen.truth, chosen.match_radius_px),
        ("1.77 A", full, pixel_size, truth, radius),
    ):
        picks = work / f"pixel_size_{size}.tsv"
        _, seconds = pupicker("pick", file, "--model", model, "--output", picks, "--pixel-size", size,
                              "--threads", args.threads)
        result, _ = pupicker("evaluate", "--picks", picks, "--truth", data / chosen.folder / known, "--radius", reach,
                             "--micrographs", file.stem, "--json")
        score = json.loads(result)
        out[title] = {"recall": score["recall"], "precision": score["precision"], "picks": score["picks"],
                      "picking_wall_s": seconds["wall_s"]}
    out["recall_difference"] = round(out["1.77 A"]["recall"] - out["7.08 A"]["recall"], 4)
    return out


def main() -> None:
    """Compare every model and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "pixel_sizes.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [compare(args.data, model, Path(folder), args) for model in args.models]
    for row in rows:
        print(json.dumps(row))
    names = [m.name for m in args.models]
    write_text(args.output, json.dumps({
        "command": " ".join(["python -m benchmarks.pixel_sizes DATA", *names]),
        "machine": hardware(args.threads), "versions": {"pupicker": pupicker_code()}, "runs": rows,
    }, indent=1) + "\n")


if __name__ == "__main__":
    main()
