"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.engine.runtime.errors import InputError, PuPickerError, UsageError

if TYPE_CHECKING:
    from pupicker.core.geometry import Geometry, Overrides
    from pupicker.engine.runtime.run_report import Report
    from pupicker.shared.options import Option


def add_option(parser: argparse._ActionsContainer, option: Option) -> None:
    """An option as :mod:`pupicker.shared.options` declares it; its old names are taken and not shown."""
    shown = option.help + (f", in {option.unit}" if option.unit else "")
    shown += f" (default: {option.automatic})" if option.automatic else ""
    settings: dict[str, Any] = {"dest": option.name, "default": option.default}
    if option.kind is bool:
        settings["action"] = "store_false" if option.default else "store_true"
    else:
        settings |= {"type": _reader(option), "choices": option.choices or None, "metavar": option.metavar}
    if option.required:
        settings["required"] = True
    no = "no-" if option.kind is bool and option.default else ""
    parser.add_argument(_flag(no + option.name), help=shown.replace("Å", "A"), **settings)
    for name in option.old_names:
        parser.add_argument(_flag(no + name), help=argparse.SUPPRESS, **{**settings, "default": argparse.SUPPRESS})


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _reader(option: Option) -> Any:
    """Type of the argument; what may be a word is read as it is where it is no number, and checked later."""
    if not option.words:
        return option.kind

    def number_or_word(text: str) -> Any:
        try:
            return option.kind(text)
        except ValueError:
            return text

    return number_or_word


def worded(error: PuPickerError) -> str:
    """The message with the options that are meant."""
    return named(str(error), error.parameters)


def named(text: str, parameters: Sequence[str]) -> str:
    """`text` with the options of `parameters`, where it does not name them itself."""
    options = [f"--{name.replace('_', '-')}" for name in parameters]
    unnamed = [option for option in options if option not in text]
    return f"{text} ({', '.join(unnamed)})" if unnamed else text


def add_micrographs(parser: argparse.ArgumentParser) -> None:
    """``MIC...`` and ``--pixel-size``."""
    parser.add_argument(
        "micrographs", nargs="+", metavar="MIC",
        help="micrographs (.mrc, .tif), folders of them, or a STAR file that lists them",
    )
    parser.add_argument(
        "--pixel-size", type=float, metavar="A", help="of the micrographs, in A (default: from their headers)"
    )


def add_borders(parser: argparse.ArgumentParser) -> None:
    """``--keep-borders``."""
    parser.add_argument("--keep-borders", action="store_true",
                        help="use bands at the edges too that hold no image (blank, or a repeated row)")


def add_exclusion(parser: argparse.ArgumentParser, contamination: bool | None) -> None:
    """``--margin``, ``--masks``, ``--exclude-contamination``; its default, None: what the model's training did."""
    of_model = "as in training"
    parser.add_argument("--margin", type=float, metavar="A",
                        help="pick nothing closer to the edges of the image than this, in A (default:"
                        f" {of_model if contamination is None else 0})")
    parser.add_argument("--masks", type=Path, metavar="DIR",
                        help="folder of masks named like the micrographs (NAME or NAME_mask; MRC, TIFF, PNG; any size"
                        " with their proportions): nothing is picked where they are bright, above half of 1 or of"
                        " their largest value, as MicrographCleaner writes them")
    parser.add_argument("--exclude-contamination", action=argparse.BooleanOptionalAction, default=contamination,
                        help="pick nothing on what is far darker than particles: gold, ice crystals, dense carbon"
                        f" (default: {of_model if contamination is None else 'yes'})")


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device`` and ``--threads``."""
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="where to compute")
    add_threads(parser)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """``--threads``."""
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads, 0 = all cores")


def add_results(parser: argparse.ArgumentParser) -> None:
    """``--report`` and ``--json``."""
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write what was done and what was quarantined as JSON"
        " (default: beside the output, if micrographs were quarantined)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of a table")


def add_html(parser: argparse.ArgumentParser) -> None:
    """``--html`` and ``--names``."""
    parser.add_argument("--html", type=Path, metavar="FILE",
                        help="also write a report with figures and examples, one file that any browser shows")
    add_names(parser)


def add_names(parser: argparse.ArgumentParser) -> None:
    """``--names``."""
    parser.add_argument("--names", type=Path, metavar="FILE",
                        help="names of micrographs to show in the HTML report, where they are other than those of the"
                        ' files: JSON {"file name without extension": "name"}')


def first_geometry(
    paths: Sequence[Path], pixel_size_ang: float | None, diameter_ang: float, particle_px: float,
    overrides: Overrides | None = None, report: Report | None = None,
) -> tuple[Geometry, float]:
    """As :func:`pupicker.engine.preparation.task_geometry.first_geometry`, which is not imported to parse words."""
    from pupicker.engine.preparation import task_geometry

    return task_geometry.first_geometry(paths, pixel_size_ang, diameter_ang, particle_px, overrides, report)


def print_json(content: Any) -> None:
    """To stdout."""
    import json

    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns to stdout, aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


def check_output_file(path: Path, option: str = "--output") -> None:
    """Find out before the work, not after it, that its result cannot be written; missing folders are made."""
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder; give the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{option} {path}: no permission to write in this folder; choose another one")


@contextmanager
def report_of_failure(report: Report, args: argparse.Namespace, beside: Path) -> Iterator[None]:
    """Write the report also when the block fails after micrographs were quarantined, e.g. because all were."""
    try:
        yield
    except PuPickerError:
        if report.quarantined:
            _write_report(report, args, beside)
        raise


def finish(report: Report, args: argparse.Namespace, beside: Path, rows: Sequence[tuple[str, ...]]) -> int:
    """Write the report where it is wanted or needed, print the results, return the exit code."""
    target = _write_report(report, args, beside)
    if args.json:
        print_json(report.to_dict())
    else:
        print_rows(rows)
    if report.quarantined:
        sys.stderr.write(f"{len(report.quarantined)} micrographs were quarantined, see {target}\n")
    return report.exit_code


def _write_report(report: Report, args: argparse.Namespace, beside: Path) -> Path | None:
    """To ``--report``; without it beside the output, if there is a quarantined micrograph to report."""
    target: Path | None = args.report
    if target is None and report.quarantined:
        target = beside / "report.json" if beside.is_dir() else beside.with_name(beside.name + ".report.json")
    if target is not None:
        report.write(target)
    return target
