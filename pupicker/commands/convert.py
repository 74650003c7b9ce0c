"""``pupicker convert``: coordinate tables from one format to another."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from pupicker.commands.parsing.arguments import add_option, add_table, print_text, reading_of
from pupicker.engine.files.targets import check_output_file, check_output_folder
from pupicker.shared import options
from pupicker.shared.plurals import counted

HELP = "Convert coordinate tables: RELION, cryoSPARC, crYOLO, EMAN, Topaz, Xmipp, Scipion, tsv/csv."
EXAMPLE = ("pupicker convert picks.star boxes --per-micrograph .box --box-size 180 --scale 4\n"
           "  pupicker convert picks.star AutoPick/job009 --per-micrograph _autopick.star")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "input", metavar="IN", help="table of any format (told from its content), folder with one per micrograph,"
        " job of RELION, output of crYOLO"
    )
    parser.add_argument(
        "output", metavar="OUT",
        help="table to write, format by its extension: .star, .tsv, .csv, .txt (Topaz), .box (whole pixels), .cbox"
        " (crYOLO), .cs (cryoSPARC; needs --micrographs); a name without extension is a folder with one per micrograph",
    )
    add_option(parser, options.SCALE)
    parser.add_argument(
        "--averaged", action="store_true",
        help="with --scale: the smaller micrographs are averages of whole pixels, which moves their grid by half a"
        " pixel; without it they were made by Fourier cropping, as pupicker preprocess and nearly all programs do",
    )
    add_table(parser, scale=False)
    add_option(parser, options.PIXEL_SIZE.but(
        help="of the new micrographs; only the origins of a refinement need it",
        automatic="from the table or their headers"))
    add_option(parser, options.BOX_SIZE_PX.but(help="side of the boxes on the new micrographs; .box and .cbox need it"))
    parser.add_argument(
        "--per-micrograph", metavar="SUFFIX",
        help="write a folder with one table per micrograph named MICROGRAPH + SUFFIX, e.g. .box or _autopick.star; with"
        " _autopick.star or _manualpick.star also the index autopick.star or manualpick.star, which Extract of RELION 4"
        " and 5 takes (give OUT as it is called from the folder of the project)",
    )
    parser.add_argument(
        "--micrographs", nargs="+", default=[], metavar="MIC",
        help="micrographs (files, folders, STAR file): their paths replace the names in the table, rows of others are"
        " left out, and in a folder those without particles get an empty table",
    )


def run(args: argparse.Namespace) -> int:
    """Convert and say on stdout what was written."""
    from pupicker.engine.files.coordinates import (
        INDEXED,
        format_to_write,
        read_coordinates,
        say_outside,
        write_coordinates,
        write_folder_index,
    )
    from pupicker.engine.files.listing import list_micrographs
    from pupicker.engine.runtime.errors import UsageError

    if args.averaged and args.scale == 1.0:
        raise UsageError("--averaged: says what --scale means; give that, or leave it out")
    if os.sep in (args.per_micrograph or ""):
        raise UsageError(f"--per-micrograph {args.per_micrograph}: is the end of the names of files; give no folder in"
                         " it")
    output = Path(args.output)
    if args.per_micrograph is None and output.suffix and not output.is_dir():
        check_output_file(output, "OUT")
        format_to_write(output)
    else:
        check_output_folder(output, "OUT")
    micrographs = list_micrographs(args.micrographs) if args.micrographs else None
    table = read_coordinates(args.input, micrographs, reading_of(args))
    if micrographs is not None:
        table = table.on(micrographs)
        say_outside(args.input, table, "scale", "swap_xy")
    if output.is_dir():
        _check_kept(Path(args.input), output, args.per_micrograph or ".star", [*table.names(), *(micrographs or ())])
    if not len(table):
        logging.getLogger(__name__).warning("%s: no particles are in it, or none are left: what is written is empty",
                                            args.input)
    write_coordinates(output, table, micrographs, args.box_size, args.per_micrograph)
    print_text(f"{counted(len(table), 'particle')} of {counted(len(table.names()), 'micrograph')}: {args.output}\n")
    if args.per_micrograph in INDEXED:
        names = [*table.names(), *(str(path) for path in micrographs or () if not len(table.of(str(path))))]
        index = write_folder_index(output, names, args.per_micrograph)
        print_text(f"index for RELION: {index}\n")
    return 0


def _check_kept(given: Path, folder: Path, ending: str, micrographs: Iterable[str | Path]) -> None:
    """The table that was read is none of those to write, beside which others may stand that would be emptied."""
    from pupicker.engine.files.targets import is_same
    from pupicker.engine.runtime.errors import UsageError
    from pupicker.shared.names import micrograph_key

    if is_same(given.parent, folder) and given.name in {f"{micrograph_key(name)}{ending}" for name in micrographs}:
        raise UsageError(f"OUT {folder}: holds {given.name}, which is read and would be written over; give another"
                         " folder")
