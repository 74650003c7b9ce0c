"""Numbers of things in words: one pick, two picks; the first of many names."""

from __future__ import annotations

from typing import Sequence

NAMED = 3


def counted(number: object, one: str, several: str = "") -> str:
    """``1 pick``, ``12 picks``; `several` where it is not `one` with an s, or where a verb follows.

    Parameters
    ----------
    number
        As it shall stand there, an int or a text.
    one, several
        What there is one of, or another number of: ``counted(n, "file is", "files are")``.
    """
    return "%s %s" % (number, one if str(number) == "1" else several or one + "s")


def none_can(number: int, one: str) -> str:
    """``none of the 3 picks can``, ``the only pick cannot``."""
    return "the only %s cannot" % one if number == 1 else "none of the %s can" % counted(number, one)


def first_of(names: Sequence[str]) -> str:
    """``a, b, c, ...``: the first three of the names, and whether there are more."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
