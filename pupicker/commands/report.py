"""``pupicker report``: an HTML report of picks that exist already, whoever made them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pupicker.commands.parsing.arguments import (
    add_micrographs,
    add_model,
    add_names,
    add_option,
    add_table,
    reading_of,
)
from pupicker.engine.files.targets import check_output_file
from pupicker.shared import options
from pupicker.shared.option import LONGEST_SHOWN

HELP = "Write an HTML report of picks: scores, picks per micrograph, examples."
EXAMPLE = "pupicker report micrographs/ --picks picks/ --model model.pupicker --output report.html"

PICKING = ("pick", "baseline", "suggest")
"""What picks, as the reports of runs say it."""

_KINDS: dict[str, type | tuple[type, ...]] = {
    "quarantined": list, "command_line": str,
    **dict.fromkeys(("preparation", "borders_px", "masked_pixels", "excluded_share"), dict),
    **dict.fromkeys(("threshold", "min_distance_ang", "box_size_ang"), (int, float))}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_micrographs(parser)
    parser.add_argument("--picks", required=True, type=Path, metavar="FILE",
                        help="picks: a table or a folder of them, in pixels of the micrographs")
    parser.add_argument("--output", required=True, type=Path, metavar="HTML", help="file to write")
    add_model(parser, "model that they were picked with, which shows the micrographs as the network sees them, and what"
              " precision to expect")
    parser.add_argument("--run-report", type=Path, metavar="FILE",
                        help="JSON report of pupicker pick: threshold, how micrographs were prepared, quarantined ones")
    add_table(parser)
    add_option(parser, options.KEEP_BORDERS)
    add_names(parser)
    add_option(parser, options.THREADS)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.files.coordinates import read_coordinates, say_outside
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.models.library import model_file
    from pupicker.engine.models.model_file import load_model
    from pupicker.engine.preparation.recipe import Recipe
    from pupicker.engine.reports.picking import Picking, picking_report
    from pupicker.engine.reports.provenance import Provenance, read_names
    from pupicker.engine.runtime.device import set_threads

    set_threads(args.threads)
    check_output_file(args.output, "--output")
    paths = list_micrographs(args.micrographs)
    table = read_coordinates(args.picks, paths, reading_of(args))
    table = table.on(paths)
    say_outside(args.picks, table, "scale", "swap_xy")
    results = _read_run(args.run_report) if args.run_report else {}
    origin = Provenance(results.get("command_line") or args.command_line, read_names(args.names))
    model = load_model(model_file(args.model)) if args.model else None
    recipe = Recipe.of_model(model, args.pixel_size, args.keep_borders) if model else None
    picking = Picking(paths, table, results, model, recipe)
    picking_report(picking, origin).write(args.output)
    return 0


def _read_run(path: Path) -> dict[str, Any]:
    """The report of a picking."""
    from pupicker.engine.reports.provenance import read_object
    from pupicker.engine.runtime.errors import InputError

    run = read_object(path)
    wrong = [name for name, kind in _KINDS.items() if run.get(name) is not None and not isinstance(run[name], kind)]
    if not wrong and not all(isinstance(entry, dict) and {"micrograph", "reason"} <= entry.keys()
                             for entry in run.get("quarantined") or ()):
        wrong = ["quarantined"]
    if not wrong and run.get("command", PICKING[0]) not in PICKING:
        wrong = ["command"]
    if wrong:
        found = str(run[wrong[0]])[:LONGEST_SHOWN]
        raise InputError(f"{path}: its {wrong[0]} is not that of a picking, {found!r}; give the file that --report of"
                         " pupicker pick wrote", "run_report")
    return run
