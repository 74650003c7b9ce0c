"""What a command writes can be written, is nothing that it reads, and replaces files of its own kind only.

All of it is found out before the work, and nothing is made for it: a run that fails early leaves nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile

from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.shared.model_header import is_model

TARGETS = ("output", "report", "status", "html", "plot", "matches", "metrics")
"""Arguments that name what is written."""

POSITIONAL = {"input": "what is read", "tables": "one of the tables", "micrographs": "one of the micrographs"}
MODELS = ("model", "start")
"""Arguments that name models, by their files or otherwise."""

OUTPUTS = {"train": "model", "recalibrate": "model", "report": "html"}
"""What the ``--output`` of a command is, where it is one of :data:`KINDS`."""

OF_FILES = (".mrc", ".tif", ".tiff", ".star", ".tsv", ".csv", ".txt", ".box", ".cbox", ".cs", ".json", ".html", ".png",
            ".pdf", ".svg", ".pupicker")
"""Extensions that a new folder, or a file of another kind, has by mistake."""


def check_targets(args: argparse.Namespace) -> None:
    """Raise UsageError if something that is wanted or given would be lost."""
    for name in TARGETS:
        if getattr(args, name, None):
            path = Path(getattr(args, name))
            option = "OUT" if args.command == "convert" else f"--{name}"
            _check_apart(args, name, path, option)
            _check_kind(OUTPUTS.get(args.command, name) if name == "output" else name, option, path)


def check_output_file(path: Path, option: str = "--output") -> None:
    """Raise UsageError or InputError if there can be no such file."""
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder; give the name of a file")
    if path.exists() and not path.is_file():
        raise UsageError(f"{option} {path}: is a device, a pipe or a socket; give the name of a file")
    _check_room(path.parent, path, option)


def check_output_folder(path: Path, option: str = "--output") -> None:
    """Raise UsageError or InputError if there can be no such folder, or nothing can be written into it."""
    if path.exists() and not path.is_dir():
        kind = "a file" if path.is_file() else "a device, a pipe or a socket"
        raise UsageError(f"{option} {path}: is {kind}; give the name of a folder")
    if not path.exists() and path.suffix.lower() in OF_FILES:
        raise UsageError(f"{option} {path}: a folder is written, and this is the name of a file; leave out"
                         f" {path.suffix}")
    _check_room(path, path, option)


def _check_room(folder: Path, path: Path, option: str) -> None:
    """A file in the folder, or in the one in which it would be made, tells more than the permissions."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir():
        raise UsageError(f"{option} {path}: {there} is no folder; choose another one")
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise InputError(f"{option} {path}: nothing can be written in {there} ({error.strerror or error}); choose"
                         " another folder") from error


def _check_apart(args: argparse.Namespace, name: str, path: Path, option: str) -> None:
    """Nothing else has this file."""
    for other, file in _files(args):
        follows = name == "output" and other in MODELS and is_model(path)  # a model may replace the one it comes from
        if other != name and not follows and not path.is_dir() and _is_same(path, file):
            word = POSITIONAL.get(other, f"--{other.replace('_', '-')}")
            raise UsageError(f"{option} {path}: is also {word}; give another name")


def _check_kind(kind: str, option: str, path: Path) -> None:
    """What is there may be replaced, and the name is not that of another kind of file."""
    if kind not in KINDS:
        return
    called, ending, looks_so = KINDS[kind]
    if path.is_file() and path.stat().st_size and not looks_so(path):
        raise UsageError(f"{option} {path}: is there and is no {called}; choose another name")
    if path.suffix.lower() in OF_FILES and path.suffix.lower() != ending:
        raise UsageError(f"{option} {path}: a {called} is written, and this is the name of something else; end it with"
                         f" {ending}")


def _files(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Name of an argument, and a file that it names."""
    for name, value in vars(args).items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Path) or (isinstance(one, str) and name in (*POSITIONAL, *MODELS, *TARGETS)):
                yield name, Path(one)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # at least one is not there
        return os.path.abspath(one) == os.path.abspath(other)


def _begins_with(path: Path, *beginnings: bytes) -> bool:
    with open(path, "rb") as stream:
        return stream.read(200).lstrip().lower().startswith(beginnings)


KINDS: dict[str, tuple[str, str, Callable[[Path], bool]]] = {
    "model": ("model", ".pupicker", is_model),
    "report": ("report in JSON", ".json", lambda path: _begins_with(path, b"{")),
    "status": ("status in JSON", ".json", lambda path: _begins_with(path, b"{")),
    "html": ("report in HTML", ".html", lambda path: _begins_with(path, b"<!doctype", b"<html")),
}
"""What is written, its usual ending, and how it is known; tables and pictures are told by their endings."""
