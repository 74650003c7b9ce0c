"""STAR files as RELION and its relatives write them: one table out of a file, one table into a file.

Parsed by gemmi.  Its grammar is the strict one of CIF, where the dialect of the field is looser: names such as
``data_001.mrc`` or ``Übersicht.mrc`` stand there without quotes.  :func:`_quote_names` adds them before parsing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pupicker.engine.files.sample import read_text
from pupicker.engine.runtime.errors import InputError
from pupicker.shared.atomic import write_text

if TYPE_CHECKING:
    from gemmi import cif

# Without regard to case for the keywords alone: there are letters beyond ASCII that are the same as one of ASCII then.
_RESERVED = re.compile(r"(?:^|\s)(?:(?i:data_|loop_|save_|stop_|global_)|[;$\[\]])|[^\x00-\x7f]")
_KEYWORD = re.compile(r"(?:data|loop|save|stop|global)_", re.IGNORECASE)
# gemmi puts every value with an underscore into quotes, which the grammar does not ask for.
_PLAIN = re.compile(r"(?!(?i:data|save|loop|stop|global)_)[A-Za-z0-9+\-.,/][!#-&(-~]*")
_TOKEN = re.compile(r'"[^"]*"(?=\s|$)|\'[^\']*\'(?=\s|$)|\S+')


@dataclass(frozen=True)
class StarTable:
    """Columns of one block, as text.

    Attributes
    ----------
    block
        Its name (without ``data_``).
    columns
        Values by label without the leading underscore; only the labels that were asked for and are there.
    """

    path: Path
    block: str
    columns: Mapping[str, list[str]]
    _text: str
    _first_line: int

    def line_of(self, row: int) -> int:
        """Number of the line that holds `row` (0-based), for error messages; the first line is 1."""
        lines = self._text.splitlines()
        if not lines[self._first_line - 1].lstrip().lower().startswith("loop_"):
            return self._first_line  # labels and values in pairs: the only row
        rows = [
            number for number, line in enumerate(lines[self._first_line:], self._first_line + 1)
            if line.strip() and not line.lstrip().startswith(("_", "#", "loop_"))
        ]
        return rows[row] if row < len(rows) else self._first_line


def read_star(
    path: str | os.PathLike[str],
    required: Sequence[str],
    optional: Sequence[str] = (),
    ignored_blocks: Sequence[str] = (),
) -> StarTable | None:
    """Read the first block that has all `required` labels.

    Parameters
    ----------
    path
        STAR file, RELION 2 style (one nameless block) or 3.1 style (several blocks).
    required, optional
        Labels without the leading underscore, e.g. ``rlnCoordinateX``.  Order and numbers (``#1``) in the file do not
        matter.
    ignored_blocks
        Names of blocks (without ``data_``) that are passed over.

    Returns
    -------
    StarTable or None
        None if no block has the required labels.  A table without rows has empty columns.

    Raises
    ------
    InputError
        The file is no STAR file.
    """
    from gemmi import cif  # a tenth of a second, which runs without a STAR file are spared

    path = Path(path)
    try:
        text = read_text(path)
    except ValueError as error:
        raise InputError(f"{path}: not a STAR file: {error}") from error
    try:
        document = cif.read_string(_quote_names(text))
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: not a STAR file that can be read ({_reason(error)})") from error
    for block in document:
        tags = _tags(block)
        if block.name not in ignored_blocks and all(f"_{label}" in tags for label in required):
            present = [label for label in (*required, *optional) if f"_{label}" in tags]
            columns = {label: [cif.as_string(value) for value in block.find_values(f"_{label}")] for label in present}
            return StarTable(path, block.name, columns, text, _line_of_item(block, f"_{required[0]}"))
    return None


def write_star(path: str | os.PathLike[str], columns: Mapping[str, Sequence[str]], block: str = "") -> None:
    """Write one block with one loop, nameless as RELION 3.1 writes the picks of a micrograph; atomically.

    Parameters
    ----------
    path
        Target file.
    columns
        Values by label without the leading underscore; all of one length.
    block
        Its name, without ``data_``.

    Raises
    ------
    InputError
        A value holds both kinds of quotes, or a line break.
    """
    lines = ["", "# version 30001", "", f"data_{block}", "", "loop_ "]
    lines += [f"_{label} #{number} " for number, label in enumerate(columns, 1)]
    lines += [" ".join(_quote(value) for value in row) + " " for row in zip(*columns.values(), strict=True)]
    write_text(path, "\n".join(lines) + "\n \n")


def _quote(value: str) -> str:
    """`value`, in double quotes where the grammar needs them, and only there.

    RELION 3.1 and scipion-em-relion take quotes for a part of the name and then find no micrograph.
    """
    if _PLAIN.fullmatch(value):
        return value
    from gemmi import cif

    if cif.quote(value) == value:
        return value
    for mark in ('"', "'"):
        if mark not in value:
            return f"{mark}{value}{mark}"
    raise InputError(f"the name {value!r} holds both kinds of quotes and cannot stand in a STAR file; rename it")


def _quote_names(text: str) -> str:
    """Put values into quotes that the strict grammar would take for something else."""
    if not _RESERVED.search(text):
        return text
    return "\n".join(_quote_row(line) if _RESERVED.search(line) else line for line in text.split("\n"))


def _quote_row(line: str) -> str:
    """One line with its values quoted; labels, comments and block headers, which stand alone, stay as they are."""
    tokens: list[str] = _TOKEN.findall(line)
    if not tokens or tokens[0].startswith(("#", "_")):
        return line
    stands_alone = len(tokens) == 1 or tokens[1].startswith("#")
    if stands_alone and _KEYWORD.match(tokens[0]):
        return line
    return " ".join(token if token[0] in "\"'" else _quote(token) for token in tokens)


def _tags(block: cif.Block) -> set[str]:
    """Labels of a block, with underscore, of its loops and of its lone pairs."""
    tags: set[str] = set()
    for item in block:
        if item.loop is not None:
            tags.update(item.loop.tags)
        elif item.pair is not None:
            tags.add(item.pair[0])
    return tags


def _line_of_item(block: cif.Block, tag: str) -> int:
    """Number of the line with the ``loop_`` of a label, or with the label itself if it has a single value."""
    for item in block:
        if item.loop and tag in item.loop.tags:
            return int(item.line_number)
    return int(block.find_pair_item(tag).line_number)


def _reason(error: Exception) -> str:
    """First line of gemmi's message, with the line number in words."""
    return re.sub(r"^string:(\d+)(?::\d+\(\d+\))?:?", r"line \1:", str(error).splitlines()[0]).strip()
