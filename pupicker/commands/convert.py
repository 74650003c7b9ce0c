"""``pupicker convert``: coordinate tables from one format to another."""

from __future__ import annotations

import argparse
import sys

from pupicker.commands.parsing.arguments import add_option
from pupicker.shared import options

HELP = "Convert coordinate tables between RELION STAR, tsv/csv and EMAN box, one file or one per micrograph."
EXAMPLE = "pupicker convert picks.star boxes --per-micrograph .box --box-size 180 --scale 4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "input", metavar="IN", help="table (.star .tsv .csv .txt .box), or folder with one per micrograph"
    )
    parser.add_argument(
        "output", metavar="OUT",
        help="table to write, format by its extension; a name without extension is a folder with one per micrograph",
    )
    add_option(parser, options.SCALE)
    parser.add_argument(
        "--averaged", action="store_true",
        help="with --scale: the smaller micrographs are averages of whole pixels, which moves their grid by half a"
        " pixel; without it they were made by Fourier cropping, as pupicker preprocess and nearly all programs do",
    )
    add_option(parser, options.BOX_SIZE_PX.but(help="side of the boxes on the new micrographs; .box needs it"))
    parser.add_argument(
        "--per-micrograph", metavar="SUFFIX",
        help="write a folder with one table per micrograph named MICROGRAPH + SUFFIX, e.g. .box or _autopick.star",
    )
    parser.add_argument(
        "--micrographs", nargs="+", default=[], metavar="MIC",
        help="micrographs (files, folders, STAR file): their paths replace the names in the table, and in a folder "
        "those without particles get an empty table",
    )


def run(args: argparse.Namespace) -> int:
    """Convert and say on stdout what was written."""
    from pupicker.engine.files.coordinates import read_coordinates, write_coordinates
    from pupicker.engine.files.listing import list_micrographs
    from pupicker.engine.runtime.errors import UsageError

    if args.averaged and args.scale == 1.0:
        raise UsageError("--averaged: says what --scale means; give that, or leave it out")
    micrographs = list_micrographs(args.micrographs) if args.micrographs else None
    table = read_coordinates(args.input, micrographs)
    if args.scale != 1.0:
        table = table.scaled(args.scale, args.averaged)
    write_coordinates(args.output, table, micrographs, args.box_size, args.per_micrograph)
    sys.stdout.write(f"{len(table)} particles of {len(table.names())} micrographs: {args.output}\n")
    return 0
