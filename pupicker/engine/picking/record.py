"""What runs that are not at their end have written into a folder, so that the same command goes on from there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pupicker.shared.atomic import append_text, write_text
from pupicker.shared.digests import file_state


class Record:
    """A hidden file with a line for each table that is written; it is there for as long as there are any.

    A table counts while it and its micrograph are as they were when it was written: whoever has written others since
    has the say, and no clock has.
    What another process writes between a reading and a writing may get lost; that costs the work, no picks.

    Parameters
    ----------
    path
        The file, beside the tables.
    identity
        Text that differs when the model or an option does: what those wrote is not gone on with.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self._path, self._identity = path, identity

    def written(self, micrographs: Mapping[str, str]) -> set[str]:
        """Names of the tables that are as a run with this identity wrote them; `micrographs` are theirs, by name."""
        return {table for identity, table, states in self._lines()
                if identity == self._identity and table in micrographs
                and states == self._states(table, micrographs[table])}

    def add(self, table: str, micrograph: str) -> None:
        """Note that the table of a micrograph is written."""
        line = [self._identity, table, self._states(table, micrograph)]
        append_text(self._path, "\n" + json.dumps(line))  # the break comes first: what a kill cut off spoils no other

    def forget(self, tables: Collection[str]) -> None:
        """What is left are the tables of others."""
        left = [line for line in self._lines() if line[1] not in tables]
        if left:
            write_text(self._path, "".join(f"\n{json.dumps(line)}" for line in left))
        else:
            self._path.unlink(missing_ok=True)

    def _lines(self) -> Iterator[tuple[str, str, list[list[int]]]]:
        """Identity, name of a table, and the states in which it was written and its micrograph was."""
        if not self._path.is_file():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                identity, table, states = json.loads(line)
            except (ValueError, TypeError):  # cut off
                continue
            yield identity, table, states

    def _states(self, table: str, micrograph: str) -> list[list[int]]:
        return [file_state(str(self._path.with_name(table))), file_state(micrograph)]
