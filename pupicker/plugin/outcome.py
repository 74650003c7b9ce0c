"""How a process of the core ended, from the file in which it notes that."""

from __future__ import annotations

import re

import pyworkflow.utils as pwutils

from pupicker.shared import options
from pupicker.shared.choices import EXIT_DONE, EXIT_QUARANTINED
from pupicker.shared.json_files import read_json

NO_FIELD = ("learning_rate", "width", "refit", "training_radius", "pixel_size", "keep_borders", "template_pixel_size",
            "bright", "radius", "device", "check_labels", "part", "settle", "precision") + tuple(
                option.name for option in options.TABLE)
"""Options that no form has: the line keeps them."""

LABELS = dict(
    {option.name: option.label for option in options.TRAINING + options.OTHERS if option.name not in NO_FIELD}, **{
        "picks": "Labelled particles", "pseudo_labels": "Learn from", "negatives": "Negatives",
        "name": "Name in the library", "replace": "Replace another model", "folder": "Library",
        "network_setting": "Its settings", "masks": "Folder of masks", "template": "Templates",
    })
"""What the forms call the options of the command line."""

_OPTIONS = re.compile(r" \((--[a-z-]+(?:, --[a-z-]+)*)\)$")


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
        raise CoreError(worded(outcome["error"]) or "pupicker %s failed%s; see the error log of this run."
                        % (command, ended))
    return int(outcome["exit_code"])


def worded(line: str) -> str:
    """The error line of a command for who fills in a form: the labels in place of the options that it ends with."""
    found = _OPTIONS.search(line)
    names = [name[2:].replace("-", "_") for name in found.group(1).split(", ")] if found else []
    labels = [LABELS[name] for name in names if name in LABELS]
    if not found or not labels:
        return line
    return "%s (%s: %s)" % (line[:found.start()], "field" if len(labels) == 1 else "fields", ", ".join(labels))
