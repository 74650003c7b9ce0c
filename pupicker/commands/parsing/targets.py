"""What a command writes can be written, is nothing that it reads, and replaces files of its own kind only.

All of it is found out before the work, and nothing is made for it: a run that fails early leaves nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from pupicker.engine.files.targets import check_kind, is_same
from pupicker.engine.runtime.errors import UsageError
from pupicker.shared.model_header import is_model

TARGETS = ("output", "report", "status", "html", "plot", "matches", "metrics")
"""Arguments that name what is written."""

POSITIONAL = {"input": "what is read", "tables": "one of the tables", "micrographs": "one of the micrographs"}
READ_WHOLE = ("input", "tables")
"""Of these a folder is read with all tables in it: what is written into it would take their place, or count twice."""

MODELS = ("model", "start")
"""Arguments that name models, by their files or otherwise."""

FILES = (*POSITIONAL, *MODELS, *TARGETS, "template")
"""Arguments that may name files as plain texts."""

OUTPUTS = {"train": "model", "recalibrate": "model", "report": "html"}
"""What the ``--output`` of a command is, where it is a kind of :mod:`pupicker.engine.files.targets`."""

IN_FOLDER = {"cross-validate": ("table.tsv", "table.json", "figure.png")}
"""What a command writes into the folder that is its ``--output``, at the end."""


def check_targets(args: argparse.Namespace) -> None:
    """Raise UsageError if something that is wanted or given would be lost."""
    for name in TARGETS:
        if getattr(args, name, None):
            path = Path(getattr(args, name))
            option = "OUT" if args.command == "convert" else f"--{name}"
            _check_apart(args, name, path, option)
            check_kind(OUTPUTS.get(args.command, name) if name == "output" else name, option, path)


def _check_apart(args: argparse.Namespace, name: str, path: Path, option: str) -> None:
    """Nothing else has this file."""
    for other, file in _files(args):
        follows = name == "output" and other in MODELS and is_model(path)  # a model may replace the one it comes from
        matters = other in READ_WHOLE or not path.is_dir()
        if other != name and not follows and matters and is_same(path, file):
            word = POSITIONAL.get(other, f"--{other.replace('_', '-')}")
            if (args.command, other) == ("recalibrate", "model"):  # it has no dashes there
                word = "the model that is read"
            raise UsageError(f"{option} {path}: is also {word}; give another name")
        is_table = name == "output" and bool(path.suffix) and not path.is_dir()
        if is_table and other in READ_WHOLE and file.is_dir() and is_same(path.parent, file):
            raise UsageError(f"{option} {path}: lies in {file}, of which all tables are read; write it elsewhere")


def _files(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Name of an argument, and a file that it names."""
    for name, value in vars(args).items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Path) or (isinstance(one, str) and name in FILES):
                yield name, Path(one)
    yield from (("output", Path(args.output) / name) for name in IN_FOLDER.get(args.command, ()))
