"""``pupicker pick``: micrographs and a model in, scored coordinates out."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pupicker.commands.parsing.arguments import (
    add_device,
    add_exclusion,
    add_html,
    add_micrographs,
    add_model,
    add_options,
    add_results,
    chosen_device,
    finish,
    report_of_failure,
    worded,
)
from pupicker.engine.files.targets import check_output_file, check_output_folder, check_two_folders
from pupicker.shared import options
from pupicker.shared.choices import LOWEST_CANDIDATE
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    from pupicker.engine.files.coordinates import CoordinateTable
    from pupicker.engine.picking.one_table import OneTable
    from pupicker.engine.picking.picker import MicrographPicker, Picked
    from pupicker.engine.picking.tables_in_folder import Share, TablesInFolder
    from pupicker.engine.runtime.run_report import Report

HELP = "Pick particles with a model."
EXAMPLE = "pupicker pick micrographs/ --model model.pupicker --output picks.star"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_micrographs(parser)
    add_model(parser, "model of pupicker train", required=True)
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
                        help="one table for all (.star, .tsv, .csv, .txt of Topaz, .cs of cryoSPARC), or a folder with"
                        " one per micrograph; in a folder the same command goes on where it was killed")
    parser.add_argument("--format", choices=tuple(FORMATS),
                        help="of the tables in a folder (default: star); relion: NAME_autopick.star with the index"
                        " autopick.star that Extract takes; a single table has that of its extension")
    parser.add_argument("--skip-done", action="store_true",
                        help="leave out micrographs that have picks in the output already, from whatever run")
    add_options(parser, options.PART)


FORMATS = {"star": ".star", "tsv": ".tsv", "csv": ".csv", "box": ".box", "txt": ".txt", "cbox": ".cbox", "cs": ".cs",
           "relion": "_autopick.star"}
"""Ends of the names of tables in a folder."""


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.files.micrographs import list_micrographs
    from pupicker.engine.models.library import model_file
    from pupicker.engine.models.model_file import load_model
    from pupicker.engine.picking.picker import Picker, PickingOptions
    from pupicker.engine.preparation.exclusion import exclusion_for

    device, threads = chosen_device(args)
    args.model = model_file(args.model)  # now: which file it is decides what can be gone on with
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
    from pupicker.engine.picking.tables_in_folder import Share
    from pupicker.engine.reports.provenance import Provenance, read_names
    from pupicker.engine.runtime.run_report import Report

    check_format(args)
    if args.html:
        check_output_file(args.html, "--html")
    origin = Provenance(args.command_line, read_names(args.names))
    report = Report(args.command, word=worded)
    share = Share(paths, _writable(args, _part(args.part, paths), report), args.part)
    with report_of_failure(report, args, args.output):
        if not share.paths:
            report.require_some()
        picker = make(report)
    output = _output(args, share)
    with output.writing():
        work = _Work(args, share, picker, report, output)
        with report_of_failure(report, args, args.output):
            work.run(threads)
        work.output.finish([path for path, _ in report.quarantined], args.report is not None)
    report.results.update({"picks": work.counts, **picker.to_record(), "command_line": args.command_line})
    if args.html:
        from pupicker.engine.files.coordinates import CoordinateTable
        from pupicker.engine.reports.picking import Picking, picking_report  # matplotlib: only where it is needed

        picked = CoordinateTable.concatenate(work.tables)
        picking = Picking(share.paths, picked, report.to_dict(), getattr(picker, "model", None))
        picking_report(picking, origin).write(args.html)
    rows = [("micrographs", str(len(work.counts))), ("picks", str(sum(work.counts.values()))),
            ("threshold", f"{picker.threshold:.2f}"), ("written to", str(args.output))]
    return finish(report, args, args.output, rows)


class _Work:
    """Picks what is not picked yet, and keeps it."""

    def __init__(
        self, args: argparse.Namespace, share: Share, picker: MicrographPicker, report: Report,
        output: OneTable | TablesInFolder,
    ) -> None:
        self._args, self._paths, self._picker, self._report, self.output = args, share.paths, picker, report, output
        from pupicker.engine.picking.weaker_picks import WeakerPicks

        self.counts: dict[str, int] = dict(output.done)
        self.tables: list[CoordinateTable] = output.earlier() if args.html else []
        self._pixels = 0
        self._unusual: list[str] = []
        self._weaker = WeakerPicks(getattr(args, "candidates", None), share.given)

    def run(self, threads: int) -> None:
        """Until all are picked, or a signal asks to stop."""
        from pupicker.engine.runtime.interruption import Stopped, stop_on_signals
        from pupicker.engine.runtime.progress import Progress

        todo = [path for path in self._paths if str(path) not in self.counts]
        progress = Progress(len(todo), "picking")
        with self.output.kept(), self._weaker.found(self._picker) as threshold, stop_on_signals() as stop:
            for found in self._picker.pick_files(todo, threads, self._report, progress):
                self._keep(found, threshold)
                if stop() and len(self.counts) < len(self._paths):
                    raise Stopped(f"stopped after {len(self.counts)} of {counted(len(self._paths), 'micrograph')}")
            if not self.counts:
                self._report.require_some()
        self._say_numbers()

    def _keep(self, found: Picked, threshold: float) -> None:
        name, box_size = str(found.path), self._picker.geometry.box_size_px(found.pixel_size_ang)
        found = self._weaker.cut(found, threshold, box_size)
        self.counts[name] = len(found.table)
        self._pixels += found.working_pixels
        if not found.usual:
            self._unusual.append(name)
        self.output.add(found, box_size)
        if self._args.html:
            self.tables.append(found.table)

    def _say_numbers(self) -> None:
        """Whether there are about as many picks as training says."""
        from pupicker.core.regions.regions import mean_disc_area
        from pupicker.engine.picking.plausibility import expected_picks, unusual_micrographs

        model, density = getattr(self._picker, "model", None), None
        if model is not None and self._args.threshold is None:
            density = model.class_prior / mean_disc_area(model.geometry.training_radius_px)
        fresh = {name: count for name, count in self.counts.items() if name not in self.output.done}
        for text in (unusual_micrographs(self._unusual), expected_picks(fresh, density, self._pixels)):
            if text:
                logging.getLogger(__name__).warning("%s", text)


def _part(part: str | None, paths: list[Path]) -> list[Path]:
    """Every N-th of `paths`: neighbours in a list are alike, so that parts take about as long."""
    from pupicker.engine.runtime.errors import UsageError

    if part is None:
        return paths
    index, number = map(int, part.split("/"))
    if index > number:
        raise UsageError(f"the part {part} is none: I must be at most N", "part")
    return paths[index - 1 :: number]


def in_folder(args: argparse.Namespace) -> bool:
    """Whether the output is a folder with one table for each micrograph."""
    return args.output.suffix == "" or args.output.is_dir()


def check_format(args: argparse.Namespace) -> None:
    """Raise at an output that cannot be: an unknown format is an error now, not after an hour of picking."""
    from pupicker.engine.files.coordinates import format_to_write
    from pupicker.engine.runtime.errors import UsageError

    if getattr(args, "candidates", None):
        check_output_folder(args.candidates, "--candidates")
        check_two_folders(args.output, args.candidates)
    if in_folder(args):
        check_output_folder(args.output, "--output")
        return
    format_to_write(args.output)
    check_output_file(args.output, "--output")
    if args.format and FORMATS[args.format] != args.output.suffix.lower():
        raise UsageError(f"--format {args.format}: is for the tables in a folder, --output {args.output} is a single"
                         " one")


def _writable(args: argparse.Namespace, paths: list[Path], report: Report) -> list[Path]:
    """`paths` without those whose names no table can hold, which are quarantined before the work."""
    from pupicker.engine.files.names import name_problem

    ending = FORMATS[args.format or "star"] if in_folder(args) else args.output.suffix.lower()
    suffix = Path("table" + ending).suffix  # of ".tsv" alone it is none
    kept = []
    for path in paths:
        problem = name_problem(str(path), suffix)
        if problem:
            report.quarantine(path, f"{path}: {problem}")
        else:
            kept.append(path)
    return kept


def _output(args: argparse.Namespace, share: Share) -> OneTable | TablesInFolder:
    """The table, or the tables, that picks go to."""
    from pupicker.engine.picking.one_table import OneTable
    from pupicker.engine.picking.tables_in_folder import TablesInFolder
    from pupicker.engine.runtime.errors import UsageError

    output: Path = args.output
    if in_folder(args):
        identity = _identity(args, share.given)
        return TablesInFolder(output, FORMATS[args.format or "star"], share, identity, args.skip_done)
    kind = output.suffix.lower()
    if kind in (".box", ".cbox") and len(share.paths) > 1:
        raise UsageError(f"--output {output}: a {kind} file holds one micrograph, {len(share.paths)} were given; give a"
                         f" folder and --format {kind[1:]}")
    own = set(share.paths)
    return OneTable(output, share.paths, args.skip_done, [path for path in share.given if path not in own])


def _identity(args: argparse.Namespace, given: Iterable[Path]) -> str:
    """Of what decides which picks come out: another model, mask or option, and a folder is begun anew."""
    from pupicker.shared.digests import digest_of, file_state
    from pupicker.shared.names import masks_by_key, micrograph_key

    free = {"micrographs", "report", "json", "html", "names", "threads", "device", "command_line", "run", "options",
            "skip_done", "part"}
    chosen = {name: str(value) for name, value in vars(args).items() if name not in free}
    files = [getattr(args, name, None) for name in ("model", "template")]
    masks = masks_by_key(args.masks) if args.masks else {}
    states = {key: file_state(masks[key]) for key in map(micrograph_key, given) if key in masks}
    return digest_of(chosen, [file_state(str(file)) for file in files if file is not None], states)
