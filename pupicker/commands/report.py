"""``pupicker report``: an HTML report of picks that exist already, whoever made them."""

from __future__ import annotations

import argparse
from pathlib import Path

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

HELP = "Write an HTML report of picks: scores, picks per micrograph, examples."
EXAMPLE = "pupicker report micrographs/ --picks picks/ --model model.pupicker --output report.html"


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
    from pupicker.engine.reports.provenance import Provenance, read_names, read_object
    from pupicker.engine.runtime.device import set_threads

    set_threads(args.threads)
    check_output_file(args.output, "--output")
    paths = list_micrographs(args.micrographs)
    table = read_coordinates(args.picks, paths, reading_of(args))
    table = table.on(paths)
    say_outside(args.picks, table, "scale", "swap_xy")
    results = read_object(args.run_report) if args.run_report else {}
    origin = Provenance(results.get("command_line") or args.command_line, read_names(args.names))
    model = load_model(model_file(args.model)) if args.model else None
    recipe = Recipe.of_model(model, args.pixel_size, args.keep_borders) if model else None
    picking = Picking(paths, table, results, model, recipe)
    picking_report(picking, origin).write(args.output)
    return 0
