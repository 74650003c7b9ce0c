"""Errors that a user can act on: one line that names what was given, what was found and what to do."""

from __future__ import annotations


class PuPickerError(Exception):
    """Something the user gave cannot be used.  The message is shown as it is, without a traceback.

    Attributes
    ----------
    exit_code
        Exit code of the command line: 1 for failed work, 2 for wrong usage.
    """

    exit_code = 1


class InputError(PuPickerError):
    """A file or its content cannot be used."""


class UsageError(PuPickerError):
    """A combination of options makes no sense."""

    exit_code = 2


def out_of_memory(error: Exception) -> bool:
    """Whether an error means that the memory of the machine or of its GPU did not suffice; torch has no one class."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
