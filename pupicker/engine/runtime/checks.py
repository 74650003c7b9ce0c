"""Values of options, before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pupicker.engine.runtime.errors import UsageError
from pupicker.shared.option import Option, problems
from pupicker.shared.options import TRAINING


def check_options(values: Mapping[str, Any], options: Sequence[Option] = TRAINING) -> None:
    """Raise at the first value that is out of its range; names that are no option are not looked at.

    Raises
    ------
    UsageError
        With the name of the option.
    """
    for option, text in problems(values, options):
        raise UsageError(text, option.name)
