"""What another run has made by now, for a run that goes on beside it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Iterator, List, NamedTuple

from pyworkflow.object import Set
from pyworkflow.protocol import Protocol, getProtocolFromDb

from pupicker.shared.digests import file_state


class Output(NamedTuple):
    """An output of another run.

    Attributes
    ----------
    value
        The set as it is on disk; None: there is none yet.
    coming
        Whether it may still appear or grow.
    """

    value: Any
    coming: bool


@contextmanager
def currentOutput(pointer: Any) -> Iterator[Output]:
    """What a pointer leads to, read again from the database of the run that makes it; cwd is the project's folder.

    It can be used while the block runs.
    """
    run = pointer.getObjValue()
    if run is None:
        yield Output(None, False)
    elif not isinstance(run, Protocol):
        yield Output(run, run.isStreamOpen())
    elif not os.path.exists(run.getDbPath()):
        yield Output(None, True)  # it was not started yet
    else:
        fresh = getProtocolFromDb(os.getcwd(), run.getDbPath(), run.getObjId())
        try:
            yield Output(getattr(fresh, pointer.getExtended(), None), fresh.isActive() or fresh.isSaved())
        finally:
            fresh.getProject().closeMapper()
            fresh.closeMappers()


def outputState(pointer: Any) -> List[Any]:
    """What tells whether :func:`currentOutput` may have changed: times of the files; nothing is read."""
    run = pointer.getObjValue()
    if run is None:
        return []
    value = pointer.get()
    files = [run.getDbPath()] if isinstance(run, Protocol) else []
    files += [value.getFileName()] if isinstance(value, Set) else []
    if isinstance(run, Protocol) and os.path.isdir(run.getPath()):  # of a set that is made later
        files += [os.path.join(run.getPath(), name) for name in sorted(os.listdir(run.getPath()))
                  if name.endswith(".sqlite")]
    return [file_state(path) for path in files]

