"""Errors that a user can act on: what was found, what to do, and which parameters it concerns.

The engine names things in plain words.  Whoever asked for the work says which words of theirs the parameters are: the
command line appends its options, the forms of Scipion their labels.
"""

from __future__ import annotations

from pupicker.shared.choices import EXIT_FAILED, EXIT_USAGE


class PuPickerError(Exception):
    """Something the user gave cannot be used.

    Parameters
    ----------
    message
        What was given, what was found and what to do, on one line; shown without a traceback.
    parameters
        Names of the parameters that it is about, as the engine calls them: ``("class_prior",)``.

    Attributes
    ----------
    exit_code
        Exit code of the command line: 1 for failed work, 2 for wrong usage.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *parameters: str) -> None:
        super().__init__(message)
        self.parameters = parameters


class InputError(PuPickerError):
    """A file or its content cannot be used."""


class UsageError(PuPickerError):
    """A combination of parameters makes no sense."""

    exit_code = EXIT_USAGE


def out_of_memory(error: Exception) -> bool:
    """Whether an error means that the memory of the machine or of its GPU did not suffice; torch has no one class."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
