"""Torture, and write what came out."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from benchmarks.torture import files, kills, sameness
from benchmarks.torture.scene import made
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import write_json

LONG = {"kills": 400, "mutations": 40_000, "sameness": 40}
SHORT = {"kills": 16, "mutations": 800, "sameness": 1}


def report(told: dict[str, Any]) -> str:
    """Counts and the table of bad inputs, in Markdown."""
    ended, read, same = told["kills"], told["files"], told["sameness"]
    counts = ", ".join(f"{name} {number}" for name, number in ended["counts"].items())
    lines = [
        f"Seed {told['seed']}, {told['minutes']:.0f} minutes.", "",
        "| what | how much | wrong |", "|---|---|---|",
        "| kills: the same command then gives the same result, and nothing is left |"
        f" {ended['rounds']} jobs ({counts}) | {len(ended['wrong'])} |",
        f"| kinds of bad input: one line, an exit code, nothing half-written | {len(read['kinds'])} | "
        f"{len(read['wrong'])} (with the next row) |",
        f"| mutated files: read, or refused in one line | {read['mutated']} ({read['read']} read,"
        f" {read['refused']} refused) | |",
        f"| the same picks: threads, order, batch, part, tile, format, process | {same['comparisons']} comparisons of"
        f" {same['picks']} picks | {len(same['wrong'])} |", "",
        *[f"- {line}" for part in (ended, read, same) for line in part["wrong"]], "",
        "| bad input | exit code | what is said |", "|---|---|---|",
        *[f"| {row['kind']} | {row['exit_code']} | {_cell(row['says'])} |" for row in read["kinds"]],
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.split(": error: ", 1)[-1].replace("|", "\\|")


def main() -> int:
    """Do everything; 1 if something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="some minutes in place of hours")
    parser.add_argument("--seed", type=int, default=0)
    for name in LONG:
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"default {LONG[name]}; short: {SHORT[name]}")
    parser.add_argument("--output", type=Path, default=RESULTS / "torture.json")
    args = parser.parse_args()
    wanted = {name: number if getattr(args, name) is None else getattr(args, name)
              for name, number in (SHORT if args.short else LONG).items()}
    torch.set_num_threads(1)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        scene = made(Path(folder))
        told: dict[str, Any] = {"seed": args.seed, "kills": kills.torture(scene, wanted["kills"], args.seed)}
        print(f"kills: {told['kills']}", flush=True)
        told["sameness"] = sameness.torture(scene, wanted["sameness"], args.seed)
        print(f"sameness: {told['sameness']}", flush=True)
        told["files"] = files.torture(scene, wanted["mutations"], args.seed)
    told |= {"minutes": round((time.monotonic() - begin) / 60, 1), "machine": hardware(),
             "versions": {"pupicker": pupicker_code()}}
    write_json(args.output, told)
    write_text(args.output.with_suffix(".md"), report(told))
    wrong = [line for part in ("kills", "sameness", "files") for line in told[part]["wrong"]]
    print("\n".join([*wrong, f"{len(wrong)} went wrong: {args.output.with_suffix('.md')}"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
