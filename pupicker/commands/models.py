"""``pupicker models``: the library, in which models are found by name, shown, published and checked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import add_option, add_options, print_json, print_rows
from pupicker.engine.files.targets import check_output_folder
from pupicker.shared import options
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    from pupicker.shared.model_library import Entry

HELP = "Models by name: list, show, publish and check those of the library."
EXAMPLE = """pupicker models publish model.pupicker --name apoferritin --specimen "human apoferritin"
  pupicker models list ferritin --diameter 130
  pupicker pick micrographs/ --model apoferritin --output picks.star"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command, which has commands of its own."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True,
                                    help="what to do; each has a --help of its own")

    def add(name: str, help: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=help, description=help, allow_abbrev=False,
                                  formatter_class=parser.formatter_class)

    listing = add("list", "List the models of the library.")
    listing.add_argument("words", nargs="*", metavar="WORD", help="only those with these words in name or card")
    add_options(listing, options.DIAMETER.but(
        required=False, help="only those of particles of about this longest extent, the most alike first"),
        options.PIXEL_SIZE.but(help="only those that can pick micrographs of this pixel size", automatic="any"))
    show = add("show", "Show the card of a model, and where its file is.")
    show.add_argument("model", metavar="NAME", help="name in the library, or a file")
    _add_publish(add("publish", "Copy a model into the library, with a card."))
    checking = add("check", "Read every model of the library as for picking; the exit code is 1 if one is damaged.")
    checking.add_argument("words", nargs="*", metavar="WORD", help="only those with these words in name or card")
    for one in (listing, show, checking):
        one.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file")
    add_option(parser, options.MODEL_NAME.but(required=True))
    add_options(parser, *(option for option in options.CARD if option is not options.MODEL_NAME))
    parser.add_argument("--folder", type=Path, metavar="DIR",
                        help="folder of the library to publish in (default: that of the user)")
    parser.add_argument("--replace", action="store_true", help="overwrite another model of this name")


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    return int({"list": _list, "show": _show, "publish": _publish, "check": _check}[args.action](args))


def _list(args: argparse.Namespace) -> int:
    from pupicker.shared.model_library import library_entries, library_folders, matching

    folders = library_folders()
    everything = library_entries(folders)
    entries = matching(everything, args.words, args.diameter, args.pixel_size)
    if args.json:
        print_json({"folders": [folder._asdict() for folder in folders],
                    "models": [entry.to_dict() for entry in entries]})
    else:
        _print(entries, len(everything), [folder.path for folder in folders])
    return 0


def _show(args: argparse.Namespace) -> int:
    from pupicker.engine.models.library import model_file
    from pupicker.engine.runtime.errors import InputError
    from pupicker.shared.model_library import read_entry

    try:
        entry = read_entry(str(model_file(args.model)))
    except InputError as error:
        raise InputError(str(error)) from error  # it is no option here
    if entry.problem:
        raise InputError(entry.problem)
    content = entry.to_dict()
    if args.json:
        print_json(content)
    else:
        from pupicker.shared.model_header import CARD_TEXTS

        titles = ["name", "path", *CARD_TEXTS, "digest", *(key for key in entry.facts if key != "kind")]
        print_rows([(title.replace("_", " "), _text(content[title])) for title in titles])
    return 0


def _publish(args: argparse.Namespace) -> int:
    from pupicker.engine.models.library import publish
    from pupicker.shared.model_library import read_entry, user_folder

    if args.folder:
        check_output_folder(args.folder, "--folder")
    folder = args.folder or Path(user_folder())
    card = {name: getattr(args, name) for name in ("specimen", "microscope", "note", "author")}
    target = publish(args.model, args.name, folder, card, args.replace)
    digest = read_entry(str(target)).card["digest"]
    print_rows([("published", str(target)), ("digest", digest)])
    return 0


def _check(args: argparse.Namespace) -> int:
    """Every model is read wholly, with its network."""
    from pupicker.engine.models.model_file import load_model
    from pupicker.engine.runtime.errors import PuPickerError
    from pupicker.shared.choices import EXIT_DONE, EXIT_FAILED
    from pupicker.shared.model_library import library_entries, library_folders, matching

    checked = []
    for entry in matching(library_entries(library_folders()), args.words):
        problem = entry.problem
        try:
            if not problem:
                load_model(entry.path)
        except PuPickerError as error:
            problem = str(error)
        checked.append((entry, problem))
    if args.json:
        print_json({"models": [{**entry.to_dict(), "problem": problem} for entry, problem in checked]})
    else:
        print_rows([(entry.name, entry.owner, problem or "good") for entry, problem in checked])
    return EXIT_FAILED if any(problem for _, problem in checked) else EXIT_DONE


def _print(entries: list[Entry], number: int, folders: list[str]) -> None:
    """A table for people, of `number` models those that were asked for; what cannot be used says why below it."""
    from pupicker.shared.model_header import DIGITS_SHOWN

    titles = ("name", "specimen", "diameter", "pixel size", "precision", "microscope", "date", "digest", "of", "")
    rows = [(entry.name, _text(entry.card.get("specimen")), _length(entry, "diameter_ang", 0),
             _length(entry, "working_pixel_size_ang", 2),
             "-" if entry.average_precision is None else f"{entry.average_precision:.3f}",
             _text(entry.card.get("microscope")), _text(entry.card.get("date")),
             _text(entry.card.get("digest", "")[:DIGITS_SHOWN]), entry.owner, entry.state) for entry in entries]
    none = "no model in"
    if number:
        none = counted(number, "model, but none like this, in", "models, but none like this, in")
    print_rows([titles, *rows] if rows else [(none, ", ".join(folders))])
    print_rows([(entry.problem,) for entry in entries if entry.problem])


def _length(entry: Entry, name: str, digits: int) -> str:
    value = entry.facts.get(name)
    return "-" if value is None else f"{value:.{digits}f} A"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    return str(value) if value not in (None, "") else "-"
