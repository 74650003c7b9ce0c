"""Files and folders that are written: they can be, and what is there is replaced by one of its own kind only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

from pupicker.engine.runtime.errors import InputError, UsageError
from pupicker.shared.model_header import is_model

OF_FILES = (".mrc", ".tif", ".tiff", ".star", ".tsv", ".csv", ".txt", ".box", ".cbox", ".cs", ".json", ".html", ".png",
            ".pdf", ".svg", ".pupicker")
"""Extensions that a new folder, or a file of another kind, has by mistake."""


def check_output_file(path: Path, option: str) -> None:
    """Raise UsageError or InputError if there can be no such file."""
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder; give the name of a file")
    if path.exists() and not path.is_file():
        raise UsageError(f"{option} {path}: is a device, a pipe or a socket; give the name of a file")
    _check_room(path.parent, path, option)


def check_output_folder(path: Path, option: str) -> None:
    """Raise UsageError or InputError if there can be no such folder, or nothing can be written into it."""
    if path.exists() and not path.is_dir():
        kind = "a file" if path.is_file() else "a device, a pipe or a socket"
        raise UsageError(f"{option} {path}: is {kind}; give the name of a folder")
    if not path.exists() and path.suffix.lower() in OF_FILES:
        raise UsageError(f"{option} {path}: a folder is written, and this is the name of a file; leave out"
                         f" {path.suffix}")
    _check_room(path, path, option)


def check_two_folders(output: Path, candidates: Path) -> None:
    """Raise UsageError if picks and weaker picks would go to one folder, where tables of one name are one file."""
    if is_same(output, candidates):
        raise UsageError(f"{candidates}: is the folder of output and of candidates; give two folders", "output",
                         "candidates")


def is_same(one: Path, other: Path) -> bool:
    """Whether two names are of one file or folder, be it there or not."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # at least one is not there
        return os.path.realpath(one) == os.path.realpath(other)


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


def check_kind(kind: str, option: str, path: Path) -> None:
    """What is there may be replaced, and the name is not that of another kind of file."""
    if kind not in KINDS:
        return
    called, endings, looks_so = KINDS[kind]
    if path.is_file() and path.stat().st_size and not looks_so(path):
        raise UsageError(f"{option} {path}: is there and is no {called}; choose another name")
    if path.suffix.lower() in OF_FILES and path.suffix.lower() not in endings:
        raise UsageError(f"{option} {path}: a {called} is written, and this is the name of something else; end it with"
                         f" {' or '.join(endings)}")


def _begins_with(path: Path, *beginnings: bytes) -> bool:
    with open(path, "rb") as stream:
        return stream.read(200).lstrip().lower().startswith(beginnings)


KINDS: dict[str, tuple[str, tuple[str, ...], Callable[[Path], bool]]] = {
    "model": ("model", (".pupicker",), is_model),
    "report": ("report in JSON", (".json",), lambda path: _begins_with(path, b"{")),
    "status": ("status in JSON", (".json",), lambda path: _begins_with(path, b"{")),
    "metrics": ("file of counters", (".prom", ".json", ".txt"),
                lambda path: _begins_with(path, b"{", b"# help pupicker_")),
    "html": ("report in HTML", (".html",), lambda path: _begins_with(path, b"<!doctype", b"<html")),
}
"""What is written, its usual endings, and how it is known; tables and pictures are told by their endings."""
