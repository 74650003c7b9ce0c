"""``pupicker combine``: picks of several runs or pickers as one list."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import add_options, pixel_size_among, print_json, print_rows
from pupicker.engine.files.targets import check_output_file, check_output_folder
from pupicker.shared import options
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    from pupicker.engine.evaluation.consensus import Combined
    from pupicker.engine.files.coordinates import CoordinateTable

HELP = "Put the picks of several runs or pickers together: places that at least so many of them have, each once."
EXAMPLE = "pupicker combine picks.star topaz.txt cryolo/ --diameter 180 --pixel-size 1.2 --output consensus.tsv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "tables", nargs="+", metavar="TABLE",
        help="picks of one picker: a table of any format, or a folder of them, in pixels of the same micrographs; each"
        " picker is taken to have looked at all micrographs that a table names",
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE",
        help="table to write, format by its extension: .tsv and .csv have the number of pickers and the probability"
        " too; the score is the log-odds of the combined probability, or the mean rank where no picker has"
        " probabilities; a name without extension is a folder with one STAR file per micrograph",
    )
    add_options(
        parser, options.AT_LEAST, options.DIAMETER.but(required=False), options.DISTANCE,
        options.PIXEL_SIZE.but(automatic="from the header of a micrograph that is named and there"),
        options.BOX_SIZE_PX.but(help="side of the boxes; .box and .cbox need it"),
        options.NAME_PATTERN.but(help=f"{options.NAME_PATTERN.help}; of all tables"))
    parser.add_argument("--json", action="store_true", help="print what was found as JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.evaluation.consensus import combine
    from pupicker.engine.files.coordinates import Reading, format_to_write, read_coordinates, write_coordinates
    from pupicker.engine.runtime.errors import UsageError

    if args.distance is None and args.diameter is None:
        raise UsageError("how close picks of one place are is not known: give the diameter in A, or the distance",
                         "diameter", "distance")
    if len(args.tables) < 2:
        raise UsageError(f"there is only one table, {args.tables[0]}: give those of two or more pickers")
    files = [Path(table).resolve() for table in args.tables]
    twice = next((table for table, file in zip(args.tables, files, strict=True) if files.count(file) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice, and would count as two pickers: give each table once")
    if args.output.suffix and not args.output.is_dir():
        check_output_file(args.output, "--output")
        format_to_write(args.output)
    else:
        check_output_folder(args.output, "--output")
    reading = Reading(name_pattern=args.name_pattern)
    tables = [read_coordinates(path, reading=reading) for path in args.tables]
    found = combine(tables, _distance_px(args, tables), args.at_least)
    write_coordinates(args.output, found.table, box_size_px=args.box_size)
    if args.json:
        print_json(_summary(args, found))
    else:
        _print(args, found)
    return 0


def _distance_px(args: argparse.Namespace, tables: list[CoordinateTable]) -> float:
    from pupicker.core.geometry import match_radius_ang

    names = [name for table in tables for name in table.names()]
    pixel_size = pixel_size_among(names) if args.pixel_size is None else args.pixel_size
    distance_ang = match_radius_ang(args.diameter) if args.distance is None else args.distance
    return float(distance_ang / pixel_size)


def _summary(args: argparse.Namespace, found: Combined) -> dict[str, Any]:
    """What a program wants to know."""
    return {
        "tables": [str(path) for path in args.tables], "picks": [int(row[k]) for k, row in enumerate(found.agreeing)],
        "shared": found.shared.tolist(), "agreeing": found.agreeing.tolist(),
        "places": {str(k): found.places[k] for k in sorted(found.places)},
        "kept": len(found.table), "micrographs": found.micrographs,
    }


def _print(args: argparse.Namespace, found: Combined) -> None:
    """What a person wants to know."""
    print_rows([("picks", "shared with another", "table"), *(
        (str(found.agreeing[k, k]), str(found.shared[k]), str(path)) for k, path in enumerate(args.tables))])
    print_rows([("",) * 2, *((f"places of {number} pickers" if number > 1 else "places of one picker", str(count))
                             for number, count in sorted(found.places.items())),
                ("kept", f"{len(found.table)} on {counted(found.micrographs, 'micrograph')}: {args.output}")])
