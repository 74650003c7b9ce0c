"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.engine.runtime.errors import PuPickerError, UsageError
from pupicker.shared import options
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    import torch

    from pupicker.engine.files.coordinates import Reading
    from pupicker.engine.runtime.run_report import Report
    from pupicker.shared.option import Option


def refuse_empty(parser: argparse.ArgumentParser) -> None:
    """A path, or a word that is no option, is never empty: that is a variable of the shell that is not set."""
    def filled(text: str) -> str:
        if not text:
            raise argparse.ArgumentTypeError("is empty: give a name (a variable of the shell that is not set?)")
        return text

    parser.register("type", Path, lambda text: Path(filled(text)))
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:  # else all that follows comes by here, also texts that may be empty
        parser.register("type", None, filled)
    for action in below:
        for one in action.choices.values():
            refuse_empty(one)


def add_option(parser: argparse._ActionsContainer, option: Option) -> None:
    """An option as :mod:`pupicker.shared.options` declares it; its old names are taken and not shown.

    The parser notes it among the ``options`` of what it parses: :func:`pupicker.commands.main.main` checks them all.
    """
    settings: dict[str, Any] = {"dest": option.name, "default": option.default}
    no = ""
    if option.kind is bool and option.both_ways:
        settings["action"] = argparse.BooleanOptionalAction
    elif option.kind is bool:
        settings["action"] = "store_false" if option.default else "store_true"
        no = "no-" if option.default else ""
    else:
        settings |= {"type": _reader(option), "choices": option.choices or None, "metavar": option.metavar}
    if option.required:
        settings["required"] = True
    added = parser.add_argument(_flag(no + option.name), **settings)
    added.help = option.description.replace("Å", "A")  # now: the action of both ways would add its default
    for name in option.old_names:
        parser.add_argument(_flag(no + name), help=argparse.SUPPRESS, **{**settings, "default": argparse.SUPPRESS})
    parser.set_defaults(options=(*(parser.get_default("options") or ()), option))


def add_options(parser: argparse._ActionsContainer, *several: Option) -> None:
    """Each of them."""
    for option in several:
        add_option(parser, option)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _reader(option: Option) -> Any:
    """Type of the argument; what is no number is left to the check, which says what is allowed."""
    if option.kind is str:
        return str

    def number_or_text(text: str) -> Any:
        try:
            return int(text) if option.kind is int else float(text)
        except ValueError:
            pass
        try:
            number = float(text)
        except ValueError:
            return text
        return int(number) if number.is_integer() else number

    return number_or_text


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
        help="micrographs (.mrc, .tif, .mrc.gz, .png, .dm4), folders of them, or a STAR or text file that lists them",
    )
    add_option(parser, options.PIXEL_SIZE)


def add_model(parser: argparse.ArgumentParser, help: str, required: bool = False) -> None:
    """``--model``: a file, or the name of a model of the library."""
    parser.add_argument("--model", type=Path, metavar="MODEL", required=required,
                        help=f"{help}: a file, or a name in the library (pupicker models list)")


def add_exclusion(parser: argparse.ArgumentParser, of_model: bool = False) -> None:
    """``--margin``, ``--masks``, ``--exclude-contamination``; their defaults may be what the model's training did."""
    changes: dict[str, Any] = {"default": None, "automatic": "as in training"} if of_model else {}
    add_option(parser, options.MARGIN.but(**changes))
    parser.add_argument("--masks", type=Path, metavar="DIR",
                        help="folder of masks named like the micrographs (NAME or NAME_mask; MRC, TIFF, PNG; any size"
                        " with their proportions): nothing is picked where they are bright, above half of 1 or of"
                        " their largest value, as MicrographCleaner writes them")
    add_option(parser, options.EXCLUDE_CONTAMINATION.but(**changes))


def add_table(parser: argparse.ArgumentParser, scale: bool = True) -> None:
    """How a given table of coordinates is meant; `scale`: whether that is asked too."""
    if scale:
        add_option(parser, options.SCALE.but(
            help="size of the micrographs over that of the images that the table is of: 4 for a table of micrographs"
            " binned by 4"))
    add_options(parser, *(option for option in options.TABLE if option is not options.SCALE))


def reading_of(args: argparse.Namespace) -> Reading:
    """What the options of :func:`add_table` say."""
    from pupicker.engine.files.coordinates import Reading

    return Reading(
        args.name_pattern, args.scale, getattr(args, "averaged", False), args.fractions, args.swap_xy, args.flip_x,
        args.flip_y, args.min_score, args.refined_origins, args.pixel_size,
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``, ``--precision`` and ``--threads``."""
    add_options(parser, options.DEVICE, options.PRECISION, options.THREADS)


def chosen_device(args: argparse.Namespace) -> tuple[torch.device, int]:
    """What :func:`add_device` asked for, which holds from now on: the device and the number of threads."""
    from pupicker.engine.runtime.device import resolve_device, set_precision, set_threads

    set_precision(args.precision)
    return resolve_device(args.device), set_threads(args.threads)


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


def pixel_size_among(names: Sequence[str], *instead: str) -> float:
    """Of the first of the micrographs that tables name that is there; `instead` are options that need none.

    Raises
    ------
    UsageError
        None is there.
    """
    from pupicker.engine.files.micrographs import read_header, resolve_pixel_size
    from pupicker.shared.names import named_as_micrograph

    for path in map(Path, names):
        if named_as_micrograph(path) and path.is_file():
            return resolve_pixel_size(read_header(path), None)
    raise UsageError("the pixel size is not known, because none of the micrographs that the tables name is there: give"
                     f" it{', or a radius in pixels' if instead else ''}", "pixel_size", *instead)


def print_text(text: str, last: bool = False) -> None:
    """To stdout, at once if it is the `last`; an OSError says where it comes from."""
    try:
        sys.stdout.write(text)
        if last:
            sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        raise


def print_json(content: Any) -> None:
    """To stdout."""
    import json

    print_text(json.dumps(content, indent=2) + "\n")


def print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns to stdout, aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        print_text("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


@contextmanager
def report_of_failure(report: Report, args: argparse.Namespace, beside: Path) -> Iterator[None]:
    """Write the report also when the block fails after micrographs were quarantined, e.g. because all were."""
    try:
        yield
    except PuPickerError:
        if report.quarantined:
            with suppress(OSError):  # the first error is the one to tell
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
        number = counted(len(report.quarantined), "micrograph was", "micrographs were")
        sys.stderr.write(f"{number} quarantined, see {target}\n")
    return report.exit_code


def _write_report(report: Report, args: argparse.Namespace, beside: Path) -> Path | None:
    """To ``--report``; without it beside the output, if there is a quarantined micrograph to report."""
    from pupicker.engine.runtime.run_report import report_beside

    target: Path | None = args.report
    if target is None and report.quarantined:
        target = report_beside(beside, getattr(args, "part", None))
    if target is not None:
        report.write(target)
    return target
