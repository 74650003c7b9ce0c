"""How a process of the core ended, from the file in which it notes that."""

from __future__ import annotations

import pyworkflow.utils as pwutils

from pupicker.constants import EXIT_DONE, EXIT_QUARANTINED
from pupicker.shared.json_files import read_json


class CoreError(Exception):
    """The child process failed; the message is its own line."""


def checkOutcome(command: str, outcomeFile: str, ended: str = "") -> int:
    """Exit code of a process of the core from the file in which it notes how it ended; the file is removed.

    Raises
    ------
    CoreError
        The process failed, or was ended before it could write the file; `ended` says what else is known of that.
    """
    outcome = read_json(outcomeFile)
    pwutils.cleanPath(outcomeFile)
    if not outcome:
        raise CoreError("pupicker %s: the process was ended from outside%s, perhaps for lack of memory; "
                        "see the error log of this run." % (command, ended))
    if outcome["exit_code"] not in (EXIT_DONE, EXIT_QUARANTINED):
        raise CoreError(outcome["error"] or "pupicker %s failed%s; see the error log of this run."
                        % (command, ended))
    return int(outcome["exit_code"])
