"""``pupicker preprocess``: downsample and normalise micrographs together."""

from __future__ import annotations

import argparse
from pathlib import Path

from pupicker.commands.parsing.arguments import (
    add_micrographs,
    add_option,
    add_results,
    finish,
    report_of_failure,
    worded,
)
from pupicker.engine.files.targets import check_output_folder
from pupicker.shared import options

HELP = "Downsample micrographs and normalise them together."
EXAMPLE = "pupicker preprocess micrographs/ --diameter 180 --output preprocessed/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_micrographs(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="DIR",
                        help="folder for the new micrographs (.mrc)")
    size = parser.add_mutually_exclusive_group(required=True)
    add_option(size, options.TARGET_PIXEL_SIZE)
    add_option(size, options.DIAMETER.but(
        required=False, help="longest extent of the particle, from which the pixel size follows"))
    add_option(parser, options.THREADS)
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.preparation.preprocessing import preprocess_files
    from pupicker.engine.preparation.recipe import Recipe
    from pupicker.engine.runtime.device import set_threads
    from pupicker.engine.runtime.run_report import Report

    check_output_folder(args.output, "--output")
    threads = set_threads(args.threads)
    paths = list_micrographs(args.micrographs)
    target = args.target_pixel_size or args.diameter / NETWORKS[DEFAULT_NETWORK].particle_px()
    recipe = Recipe(target, args.pixel_size, keep_borders=True, coarser="refuse" if args.diameter is None else "keep")
    report = Report("preprocess", word=worded)
    with report_of_failure(report, args, args.output):
        written = preprocess_files(paths, args.output, recipe, threads, report)
        report.require_some()
    sizes = sorted({round(size, 4) for _, size in written.values()})
    report.results.update({
        "pixel_size_ang": written[next(iter(written))][1],
        "outputs": {str(path): {"file": str(file), "pixel_size_ang": size} for path, (file, size) in written.items()},
    })
    rows = [("micrographs", str(len(written))), ("pixel size", " ".join(f"{s:g}" for s in sizes) + " A"),
            ("normalisation", report.results["normalization"]["form"]), ("written to", str(args.output))]
    return finish(report, args, args.output, rows)
