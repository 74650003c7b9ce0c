"""``pupicker label``: a window in which particles are clicked, with suggestions that learn from the clicks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import add_device, add_micrographs, add_model, add_option, print_rows
from pupicker.commands.parsing.targets import check_output_folder
from pupicker.shared import options
from pupicker.shared.plurals import counted
from pupicker.shared.worker import Worker

if TYPE_CHECKING:
    from pupicker.window.label_record import LabelRecord

HELP = "Label particles in a window: click, look at suggestions, let them learn."
EXAMPLE = "pupicker label micrographs/ --diameter 180 --output labels/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_micrographs(parser)
    parser.add_argument("--output", type=Path, default=Path("labels"), metavar="FOLDER",
                        help="labels.tsv and negatives.tsv for pupicker train, the last model; what is there already is"
                        " gone on with")
    add_option(parser, options.DIAMETER.but(
        required=False, help="longest extent of the particle; the wheel changes it",
        automatic="150, that of the model, or as it was"))
    add_model(parser, "model of the first suggestions, instead of the general one, and to go on learning from")
    parser.add_argument("--picks", type=Path, metavar="FILE", help="labels or picks to begin with, any table")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.files.listing import list_micrographs
    from pupicker.engine.files.micrographs import open_micrograph, read_image
    from pupicker.engine.files.names import distinct_stems
    from pupicker.engine.runtime.errors import PuPickerError, UsageError
    from pupicker.window.micrograph_image import MicrographError
    from pupicker.window.suggester import LabelMicrograph, Suggester

    check_output_folder(args.output)
    paths = list_micrographs(args.micrographs)
    pixel_size = args.pixel_size
    if pixel_size is None:
        with open_micrograph(paths[0]) as opened:
            pixel_size = opened.header.pixel_size_ang
    if not pixel_size:
        raise UsageError(f"{paths[0]}: says no pixel size; give it", "pixel_size")
    keys = distinct_stems(map(str, paths))
    entries = [LabelMicrograph(keys[str(path)], path.name, str(path), pixel_size) for path in paths]
    first = _first_model(args)
    root = _root()  # now: without a window nothing is written
    record = _record(args, first.get("diameter_ang"), {str(path): keys[str(path)] for path in paths})

    def read(one: LabelMicrograph) -> Any:
        try:
            return read_image(one.path).pixels
        except PuPickerError as error:
            raise MicrographError(str(error)) from error

    from pupicker.window.label_window import LabelWindow  # needs tkinter, of which that has told

    args.output.mkdir(parents=True, exist_ok=True)
    with (args.output / "serve.log").open("w", encoding="utf-8") as log, \
            Worker(_serve(args), log=log) as worker:
        LabelWindow(root, entries, record, read, Suggester(worker, record, entries, str(args.output), first))
        root.mainloop()
    return _written(args.output, record)


def _root() -> Any:
    """The window of Tk; raises PuPickerError where there can be none."""
    from pupicker.engine.runtime.errors import PuPickerError

    try:
        import tkinter
    except ImportError as error:
        raise PuPickerError(f"this Python has no windows ({error}): install the system's package python3-tk") from error
    try:
        return tkinter.Tk()
    except tkinter.TclError as error:
        raise PuPickerError(f"a window cannot be opened ({error}); call it on a machine with a screen") from error


def _serve(args: argparse.Namespace) -> list[str]:
    return [sys.executable, "-m", "pupicker", "serve", "--device", args.device, "--threads", str(args.threads)]


def _first_model(args: argparse.Namespace) -> dict[str, Any]:
    """Card of the model that was given; empty if none was."""
    from pupicker.engine.models.library import model_file
    from pupicker.engine.models.model_card import card
    from pupicker.engine.models.model_file import load_model

    if args.model is None:
        return {}
    path = model_file(args.model)
    return {**card(load_model(path)), "path": str(path)}


def _record(args: argparse.Namespace, diameter_ang: float | None, keys: dict[str, str]) -> LabelRecord:
    """Labels of an earlier start; else those that were given; else none; at first with the diameter of the model."""
    from pupicker.engine.files.coordinates import read_coordinates
    from pupicker.engine.runtime.errors import InputError
    from pupicker.window.label_record import LabelRecord, LabelRecordError

    try:
        record = LabelRecord(str(args.output / "labels.json"))
    except LabelRecordError as error:
        raise InputError(str(error), "output") from error
    if args.picks and not record.number():
        table = read_coordinates(args.picks, [Path(path) for path in keys])
        for path, key in keys.items():
            own = table.of(path)
            record.add(key, list(zip(own.x.tolist(), own.y.tolist(), strict=True)))
    diameter_ang = args.diameter or (None if record.diameterAng else diameter_ang)
    if diameter_ang:
        record.setDiameter(diameter_ang)
    return record


def _written(folder: Path, record: LabelRecord) -> int:
    """The tables, and what to do next."""
    from pupicker.window.label_record import NOT_PARTICLES

    labels, negatives = folder / "labels.tsv", folder / "negatives.tsv"
    record.writeTable(str(labels))
    rows = [("labels", f"{record.number()} on {counted(len(record.labelled()), 'micrograph')}, in {labels}")]
    if record.number(NOT_PARTICLES):
        record.writeTable(str(negatives), NOT_PARTICLES)
        rows.append(("negatives", f"{record.number(NOT_PARTICLES)}, in {negatives}"))
    if record.number():
        rows.append(("next", f"pupicker train MIC... --picks {labels} --diameter {record.diameterAng:g}"
                     + (f" --negatives {negatives}" if record.number(NOT_PARTICLES) else "")
                     + " --output model.pupicker"))
    print_rows(rows)
    return 0
