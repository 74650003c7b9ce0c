"""What an option is: name, unit, range, default and help, and what follows from them in words."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any, List, Mapping, Optional, Sequence, Tuple

LONGEST_SHOWN = 80  # letters of a value in a message


@dataclass(frozen=True)
class Option:
    """What can be chosen, and from what.

    Attributes
    ----------
    name
        As the engine calls the parameter; the command line writes dashes.
    kind
        Type of a value: float, int, str or bool.
    label
        In words, as a form and messages call it.
    help
        A line for the command line, without unit, range and default.
    default
        None: nothing is given, and `automatic` says what happens then.
    automatic
        What takes the place of a value that is not given; empty: nothing.
    unit
        Empty for pure numbers.
    minimum, maximum
        Of a number; None: no bound.  Always finite.
    minimum_excluded, maximum_excluded
        Whether the bound itself is none.
    choices
        All values; empty: any of its kind.
    words
        Values of a number that are words: ``auto``.
    pattern, wording
        Regular expression that a text must match, and what that means in words; empty: any text.
    metavar
        What stands for the value in the help of the command line.
    required
        Whether a value has to be given.
    both_ways
        Of a bool: the command line has the option and its opposite.
    old_names
        Under which the command line still takes it; the last is that of the first version.
    """

    name: str
    kind: type
    label: str
    help: str
    default: Any = None
    automatic: str = ""
    unit: str = ""
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    minimum_excluded: bool = False
    maximum_excluded: bool = False
    choices: Tuple[str, ...] = ()
    words: Tuple[str, ...] = ()
    pattern: str = ""
    wording: str = ""
    metavar: Optional[str] = None
    required: bool = False
    both_ways: bool = False
    old_names: Tuple[str, ...] = ()

    def but(self, **changes: Any) -> Option:
        """The same option where something is said or left out otherwise: help, default, whether it is required."""
        return replace(self, **changes)

    @property
    def range(self) -> str:
        """What a value must be, in words; empty if anything will do."""
        low, high = self.minimum, self.maximum
        above = "" if low is None else "%s %s" % ("above" if self.minimum_excluded else "at least", _text(low))
        below = "" if high is None else "%s %s" % ("below" if self.maximum_excluded else "at most", _text(high))
        if low is not None and high is not None and self.minimum_excluded == self.maximum_excluded:
            return ("between %s and %s" if self.minimum_excluded else "from %s to %s") % (_text(low), _text(high))
        return " and ".join(text for text in (above, below) if text)

    @property
    def description(self) -> str:
        """The help with unit, range and default; choices and words stand in the metavar."""
        default = self.automatic
        if self.default is not None and (self.kind is not bool or self.both_ways):
            default = _text(self.default)
        notes = [self.range or "any number"] if self.kind in (int, float) else []
        notes += ["default: %s" % default] if default else []
        text = "%s, in %s" % (self.help, self.unit) if self.unit else self.help
        return "%s (%s)" % (text, "; ".join(notes)) if notes else text

    def problem(self, value: Any) -> str:
        """Why it cannot be this value, in one line; empty if it can."""
        if value is None or value in self.words:
            return ""
        if self.choices:
            return "" if value in self.choices else self._is_wrong(value, "one of " + ", ".join(self.choices))
        if self.pattern:
            return "" if re.fullmatch(self.pattern, str(value)) else self._is_wrong(value, self.wording)
        if self.kind not in (int, float):
            return ""
        also = "".join(", or %s" % word for word in self.words)
        try:
            number = math.nan if isinstance(value, str) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or (self.kind is int and number != int(number)):
            kind = "a whole number" if self.kind is int else "a finite number"
            return self._is_wrong(value, ("%s %s" % (kind, self.range)).strip() + also)
        return "" if self._holds(number) else self._is_wrong(value, self.range + also)

    def _holds(self, number: float) -> bool:
        low = self.minimum is None or number > self.minimum or (
            number == self.minimum and not self.minimum_excluded)
        high = self.maximum is None or number < self.maximum or (
            number == self.maximum and not self.maximum_excluded)
        return low and high

    def _is_wrong(self, value: Any, wanted: str) -> str:
        given = "%s %s" % (_text(value), self.unit) if self.unit else _text(value)
        return "the %s %s must be %s" % (self.label[0].lower() + self.label[1:], given, wanted)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "%g" % value
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value))  # a message is one line
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."


def problems(values: Mapping[str, Any], options: Sequence[Option]) -> List[Tuple[Option, str]]:
    """Each option with a value that it cannot have, and why; options without a value are left out."""
    found = [(option, option.problem(values.get(option.name))) for option in options]
    return [(option, text) for option, text in found if text]
