"""``pupicker label``: a window in which particles are clicked, with suggestions that learn from the clicks."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import (
    add_device,
    add_micrographs,
    add_model,
    add_option,
    print_rows,
    print_text,
)
from pupicker.engine.files.targets import check_output_file, check_output_folder
from pupicker.shared import options
from pupicker.shared.plurals import counted
from pupicker.shared.worker import Worker

if TYPE_CHECKING:
    from pupicker.window.label_record import LabelRecord
    from pupicker.window.suggester import LabelMicrograph

MODEL = "model.pupicker"  # in the folder, trained to the end
LABELS = "labels.json"  # in the folder: what was clicked
TABLES = ("labels.tsv", "negatives.tsv")  # in the folder: what a training reads
MICROGRAPHS = "micrographs.json"  # in the folder: the file of each key of the labels
BY_SIGNAL = 128  # and its number: exit code of what a signal ended
SAME_PIXEL_SIZE = 0.01  # share by which headers of one data set may differ: one size is told to the training

HELP = "Label particles in a window: click, look at suggestions, let them learn; Done trains a model."
EXAMPLE = "pupicker label micrographs/ --diameter 180 --output labels/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_micrographs(parser)
    parser.add_argument("--output", type=Path, default=Path("labels"), metavar="FOLDER",
                        help="labels.tsv and negatives.tsv for pupicker train; model.pupicker, which Done trains to the"
                        " end on all labels, a minute or two, as pupicker train does (closing the window does not, nor"
                        " Done with --model: the last model of the window stays); what is there already is gone on"
                        " with")
    add_option(parser, options.DIAMETER.but(
        required=False, help="longest extent of the particle; the wheel changes it",
        automatic="150, that of the model, or as it was"))
    add_model(parser, "model of the first suggestions, instead of the general one, and to go on learning from")
    parser.add_argument("--picks", type=Path, metavar="FILE", help="labels or picks to begin with, any table")
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.files.listing import list_micrographs
    from pupicker.engine.files.names import distinct_stems
    from pupicker.engine.runtime.sole_writer import sole_writer
    from pupicker.window.suggester import LabelMicrograph, Suggester

    check_output_folder(args.output, "--output")
    check_output_file(args.output / MODEL, "--output")
    paths = list_micrographs(args.micrographs)
    pixel_size = args.pixel_size or _pixel_size_ang(paths)
    keys = distinct_stems(map(str, paths))
    first = _first_model(args)
    root = _root()  # now: without a window nothing is written

    from pupicker.window.label_window import LabelWindow  # needs tkinter, of which that has told
    from pupicker.window.micrograph_list import shortNames

    entries = [LabelMicrograph(keys[str(path)], name, str(path), pixel_size)
               for path, name in zip(paths, shortNames([str(path) for path in paths]), strict=True)]
    # Of two windows the one would write over the labels of the other.
    with sole_writer(args.output / LABELS, beside=[args.output / name for name in TABLES]):
        record = _record(args, first.get("diameter_ang"), {str(path): keys[str(path)] for path in paths})
        _note_micrographs(args.output, record, keys)
        with (args.output / "serve.log").open("w", encoding="utf-8") as log, \
                Worker(_serve(args), log=log) as worker:
            window = LabelWindow(root, entries, record, partial(_pixels, args.pixel_size is not None),
                                 Suggester(worker, record, entries, str(args.output), first))
            root.mainloop()
        _write_tables(args.output, record, entries)
    if window.finished and args.model is None:
        return _train(args, record, entries)
    _say_next(args.output, record)
    return 0


def _pixel_size_ang(paths: Sequence[Path]) -> float:
    """Of the first micrograph that can be read; what is wrong with the first one is told where none can."""
    from pupicker.engine.files.micrographs import read_header, resolve_pixel_size
    from pupicker.engine.runtime.errors import InputError

    first: InputError | None = None
    for path in paths:
        try:
            return resolve_pixel_size(read_header(path), None)
        except InputError as error:
            first = first or error
    raise first or InputError("no micrographs")


def _pixels(is_told: bool, one: LabelMicrograph) -> Any:
    """The image; one with pixels of another size is not for this window, unless the size `is_told` by the user.

    Raises
    ------
    MicrographError
        It cannot be read, or is none; the message is one line.
    """
    from pupicker.engine.files.micrographs import open_micrograph
    from pupicker.engine.runtime.errors import PuPickerError
    from pupicker.window.micrograph_image import MicrographError

    try:
        with open_micrograph(one.path) as file:
            own_ang = file.header.pixel_size_ang
            if own_ang and not is_told and abs(own_ang / one.pixelSizeAng - 1) > SAME_PIXEL_SIZE:
                raise MicrographError(f"{one.path}: has pixels of {own_ang:g} A, the first micrograph of"
                                      f" {one.pixelSizeAng:g} A; label it in another folder")
            return file.read_image().pixels
    except PuPickerError as error:
        raise MicrographError(str(error)) from error


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
    return [sys.executable, "-m", "pupicker", "serve", "--device", args.device, "--precision", args.precision,
            "--threads", str(args.threads)]


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
    from pupicker.engine.files.coordinates import read_coordinates, say_outside
    from pupicker.engine.runtime.errors import InputError
    from pupicker.window.label_record import LabelRecord, LabelRecordError

    try:
        record = LabelRecord(str(args.output / LABELS))
    except LabelRecordError as error:
        raise InputError(str(error), "output") from error
    _take_over(args.output, record, keys)
    if args.picks and record.number():
        logging.getLogger(__name__).warning(
            "%s: not read: %s has %s of an earlier start, which are gone on with; another folder begins anew",
            args.picks, args.output, counted(record.number(), "label"), extra={"parameters": ("picks", "output")})
    elif args.picks:
        table = read_coordinates(args.picks, [Path(path) for path in keys])
        say_outside(args.picks, table.on(keys))
        for path, key in keys.items():
            own = table.of(path)
            record.add(key, list(zip(own.x.tolist(), own.y.tolist(), strict=True)))
    diameter_ang = args.diameter or (None if record.diameterAng else diameter_ang)
    if diameter_ang:
        record.setDiameter(diameter_ang)
    return record


def _take_over(folder: Path, record: LabelRecord, keys: dict[str, str]) -> None:
    """Let labels of before stay with their files, whose keys depend on the other files that are given.

    Raises
    ------
    InputError
        Other files have the names of those that have labels.
    """
    from pupicker.engine.runtime.errors import InputError
    from pupicker.shared.json_files import read_json

    before = read_json(folder / MICROGRAPHS)
    now = {os.path.abspath(path): key for path, key in keys.items()}
    files = {key: path for path, key in now.items()}
    renamed = {key: now[path] for key, path in before.items() if path in now}
    for key in record.micrographs():
        file, other = before.get(key, ""), files.get(key, "")
        if key not in renamed and file and other and os.path.exists(file):
            raise InputError(f"{folder}: has labels of {file}, which are not for {other}; give another folder",
                             "output")
    record.rename(renamed)


def _note_micrographs(folder: Path, record: LabelRecord, keys: dict[str, str]) -> None:
    """Write which file each key means, also of labels on files that are not given now."""
    from pupicker.shared.json_files import read_json, write_json

    if record.micrographs():
        record.save()  # with the keys of now
    labelled = {key: path for key, path in read_json(folder / MICROGRAPHS).items() if key in record.micrographs()}
    write_json(folder / MICROGRAPHS, {**labelled, **{key: os.path.abspath(path) for path, key in keys.items()}})


def _write_tables(folder: Path, record: LabelRecord, entries: Sequence[LabelMicrograph]) -> None:
    """Labels, and places that are no particles, as ``pupicker train`` takes them.

    A micrograph whose key is not its own name shares that with another one, and is written as its path.
    """
    from pupicker.shared.names import micrograph_key
    from pupicker.window.label_record import NOT_PARTICLES

    labels, negatives = (folder / name for name in TABLES)
    names = {one.key: one.path for one in entries if one.key != micrograph_key(one.path)}
    record.writeTable(str(labels), names=names)
    rows = [("labels", f"{record.number()} on {counted(len(record.labelled()), 'micrograph')}, in {labels}")]
    negatives.unlink(missing_ok=True)  # of before: there may be none any more
    if record.number(NOT_PARTICLES):
        record.writeTable(str(negatives), NOT_PARTICLES, names)
        rows.append(("negatives", f"{record.number(NOT_PARTICLES)}, in {negatives}"))
    print_rows(rows)


def _training(folder: Path, record: LabelRecord, micrographs: Sequence[str]) -> list[str]:
    """The command that trains on the labels."""
    labels, negatives = (folder / name for name in TABLES)
    return ["train", *micrographs, "--picks", str(labels), "--diameter", f"{record.diameterAng:g}",
            *(["--negatives", str(negatives)] if negatives.exists() else []), "--output", str(folder / MODEL)]


def _say_next(folder: Path, record: LabelRecord) -> None:
    """What to do with the labels."""
    if record.number():
        print_rows([("next", "pupicker " + shlex.join(_training(folder, record, ["MIC..."])))])


def _train(args: argparse.Namespace, record: LabelRecord, entries: Sequence[LabelMicrograph]) -> int:
    """Train to the end, as *Done* asks for, in a process of its own; its exit code."""
    from pupicker.shared.digests import file_digest
    from pupicker.window.label_record import NOT_PARTICLES
    from pupicker.window.suggester import FEWEST_LABELS, takeWholeTraining, wantsWholeTraining

    model, digest = args.output / MODEL, file_digest(record.path)
    if record.number() < FEWEST_LABELS:
        print_rows([("model", f"none: it takes {FEWEST_LABELS} labels")])
        _say_next(args.output, record)
        return 0
    if wantsWholeTraining(record, str(args.output)) or not model.exists():
        used = {*record.labelled(), *record.labelled(NOT_PARTICLES)}
        words = _training(args.output, record, [one.path for one in entries if one.key in used])
        print_text(f"training on all labels, to the end: {model}\n", last=True)
        done = subprocess.run([sys.executable, "-m", "pupicker", *words, "--pixel-size", repr(entries[0].pixelSizeAng),
                               "--device", args.device, "--precision", args.precision, "--threads", str(args.threads)],
                              check=False)
        if done.returncode:
            print_rows([("model", "none: the training failed; the labels are kept")])
            _say_next(args.output, record)
            return done.returncode if done.returncode > 0 else BY_SIGNAL - done.returncode
        takeWholeTraining(record, str(args.output), str(model), digest)
    print_rows([("model", str(model)), ("next", f"pupicker pick MIC... --model {model} --output picks.star")])
    return 0
