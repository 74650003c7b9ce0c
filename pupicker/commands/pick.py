"""``pupicker pick``: micrographs and a model in, scored coordinates out."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pupicker.commands.parsing.arguments import (
    add_device,
    add_exclusion,
    add_html,
    add_micrographs,
    add_options,
    add_results,
    check_output_file,
    finish,
    report_of_failure,
    worded,
)
from pupicker.shared import options
from pupicker.shared.choices import LOWEST_CANDIDATE

if TYPE_CHECKING:
    from pupicker.engine.files.coordinates import CoordinateTable
    from pupicker.engine.picking.picker import MicrographPicker
    from pupicker.engine.runtime.run_report import Report

HELP = "Pick particles with a model."
EXAMPLE = "pupicker pick micrographs/ --model model.pupicker --output picks.star"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_micrographs(parser)
    parser.add_argument("--model", required=True, type=Path, metavar="MODEL", help="model file of pupicker train")
    add_output(parser)
    add_options(parser, options.THRESHOLD, options.MIN_DISTANCE.but(automatic="the model's"), options.SCORE_SD,
                options.KEEP_BORDERS)
    parser.add_argument("--candidates", type=Path, metavar="DIR",
                        help="folder for one table (.tsv) a micrograph that also holds what scores at least"
                        f" {LOWEST_CANDIDATE:g}: to lower the threshold later without picking again")
    add_exclusion(parser, of_model=True)
    add_device(parser)
    add_results(parser)
    add_html(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where picks go."""
    parser.add_argument("--output", required=True, type=Path, metavar="FILE_OR_DIR",
                        help="one table for all (.star, .tsv, .csv), or a folder with one per micrograph")
    parser.add_argument("--format", choices=("star", "tsv", "csv", "box"),
                        help="of the tables in a folder (default: star); a single table has that of its extension")
    add_options(parser, options.PART)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.models.model_file import load_model
    from pupicker.engine.picking.picker import Picker, PickingOptions
    from pupicker.engine.preparation.exclusion import exclusion_for
    from pupicker.engine.runtime.device import resolve_device, set_threads

    device, threads = resolve_device(args.device), set_threads(args.threads)
    paths = list_micrographs(args.micrographs)

    def make(_: Report) -> Picker:
        model = load_model(args.model)
        exclusion = exclusion_for(model.exclusion, args.margin, args.masks, args.exclude_contamination, paths)
        return Picker(model, device, PickingOptions(
            args.threshold, args.min_distance, args.pixel_size, args.keep_borders, args.score_sd, exclusion
        ))

    return pick_all(args, paths, make, threads)


def pick_all(
    args: argparse.Namespace, paths: list[Path], make: Callable[[Report], MicrographPicker], threads: int
) -> int:
    """Pick `paths` with what `make` makes once it is clear that the result can be written; the exit code."""
    import numpy as np

    from pupicker.engine.files.coordinates import CoordinateTable, write_coordinates
    from pupicker.engine.files.coordinates.formats import format_of
    from pupicker.engine.reports.provenance import Provenance, read_names
    from pupicker.engine.runtime.errors import PuPickerError
    from pupicker.engine.runtime.progress import Progress
    from pupicker.engine.runtime.run_report import Report

    targets = _targets(args, paths)
    if args.html:
        check_output_file(args.html, "--html")
    paths, names = _part(args.part, paths), read_names(args.names)
    report, progress = Report(args.command, word=worded), Progress(len(paths), "picking")
    with report_of_failure(report, args, args.output):
        picker = make(report)
    threshold, weaker = picker.threshold, _candidate_tables(args, paths)
    if weaker:
        picker.threshold = min(threshold, LOWEST_CANDIDATE)
    tables: list[CoordinateTable] = []
    counts: dict[str, int] = {}
    with report_of_failure(report, args, args.output), _kept(args.output, [] if targets else tables) as stop:
        for found in picker.pick_files(paths, threads, report, progress):
            name, table = str(found.path), found.table
            box_size = picker.geometry.box_size_px(found.pixel_size_ang)
            if weaker:
                format_of(weaker[name]).write(weaker[name], table, box_size)
                table = table.select(np.asarray(table.score) >= threshold)
            counts[name] = len(table)
            if name in targets:
                # At once, also without picks: an empty table says "done".
                format_of(targets[name]).write(targets[name], table, box_size)
            if not targets or args.html:
                tables.append(table)
            if stop() and len(counts) < len(paths):
                raise PuPickerError(f"stopped after {len(counts)} of {len(paths)} micrographs")
        report.require_some()
    if not targets:
        write_coordinates(args.output, CoordinateTable.concatenate(tables))
    report.results.update(
        {"picks": counts, "threshold": threshold, "min_distance_ang": picker.min_distance_ang,
         "box_size_ang": picker.geometry.box_size_ang, "command_line": args.command_line,
         "preparation": picker.recipe.to_record()}
    )
    if args.html:
        from pupicker.engine.reports.picking import Picking, picking_report  # matplotlib: only where it is needed

        picked, model = CoordinateTable.concatenate(tables), getattr(picker, "model", None)
        picking = Picking(paths, picked, report.to_dict(), model)
        picking_report(picking, Provenance(args.command_line, names)).write(args.html)
    rows = [("micrographs", str(len(counts))), ("picks", str(sum(counts.values()))),
            ("threshold", f"{threshold:.2f}"), ("written to", str(args.output))]
    return finish(report, args, args.output, rows)


@contextmanager
def _kept(output: Path, tables: list[CoordinateTable]) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether to stop; if the block fails, `tables` so far go beside `output`."""
    from pupicker.engine.files.coordinates import CoordinateTable, write_coordinates
    from pupicker.engine.runtime.interruption import stop_on_signals

    unfinished = output.with_name(f"{output.stem}.unfinished{output.suffix}")
    try:
        with stop_on_signals() as stop:
            yield stop
    except BaseException:
        if tables:
            write_coordinates(unfinished, CoordinateTable.concatenate(tables))
            logging.getLogger(__name__).info("the picks of %d micrographs are in %s", len(tables), unfinished)
        raise
    unfinished.unlink(missing_ok=True)


def _candidate_tables(args: argparse.Namespace, paths: list[Path]) -> dict[str, Path]:
    """The table of each micrograph that holds the weaker picks too; none if they are not asked for."""
    from pupicker.engine.files.names import distinct_stems

    folder = getattr(args, "candidates", None)
    if folder is None:
        return {}
    return {name: folder / f"{stem}.tsv" for name, stem in distinct_stems(map(str, paths)).items()}


def _part(part: str | None, paths: list[Path]) -> list[Path]:
    """Every N-th of `paths`: neighbours in a list are alike, so that parts take about as long."""
    from pupicker.engine.runtime.errors import UsageError

    if part is None:
        return paths
    index, number = map(int, part.split("/"))
    if index > number:
        raise UsageError(f"the part {part} is none: I must be at most N", "part")
    return paths[index - 1 :: number]


def _targets(args: argparse.Namespace, paths: list[Path]) -> dict[str, Path]:
    """The table of each micrograph; none if one table is for all."""
    from pupicker.engine.files.coordinates.formats import format_of
    from pupicker.engine.files.names import distinct_stems
    from pupicker.engine.runtime.errors import UsageError

    output: Path = args.output
    if output.suffix == "" or output.is_dir():
        suffix = args.format or "star"
        return {name: output / f"{stem}.{suffix}" for name, stem in distinct_stems(map(str, paths)).items()}
    format_of(output)  # an unknown one is an error now, not after an hour of picking
    check_output_file(output)
    if args.format and f".{args.format}" != output.suffix.lower():
        raise UsageError(f"--format {args.format}: is for the tables in a folder, --output {output} is a single one")
    if output.suffix.lower() != ".box":
        return {}
    if len(paths) > 1:
        raise UsageError(
            f"--output {output}: a .box file holds one micrograph, {len(paths)} were given; give a folder and"
            " --format box"
        )
    return {str(paths[0]): output}
