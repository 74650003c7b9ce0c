"""A grid of options: ``--grid updates=200,400 --grid objective=pn,nnpu`` means four cells.

An axis may be any option that decides which model a training gives.  A cell is the line of the user, without what an
axis denies, with the options of the cell behind it, read by the parser of the training, so that a wrong name or value
is the training's own error.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import PuPickerError, UsageError

_YES, _NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")


@dataclass(frozen=True)
class Cell:
    """Values of the axes ``((name, value), ...)``, the line of its training, and that line as read by the parser.

    `parameters` are what the command calls that which the axes give, in the same order.
    """

    values: tuple[tuple[str, str], ...]
    line: list[str]
    args: argparse.Namespace
    parameters: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """``updates=200, objective=pn``."""
        return ", ".join(f"{name}={value}" for name, value in self.values) or "as given"

    def blamed(self, error: PuPickerError) -> PuPickerError:
        """The error with the axes that it is about, in place of options that nobody typed."""
        axes = [f"{name}={value}" for (name, value), parameter in zip(self.values, self.parameters, strict=True)
                if parameter in error.parameters]
        return type(error)(f"--grid {' '.join(axes)}: {error}", *self.others(error)) if axes else error

    def others(self, error: PuPickerError) -> list[str]:
        """Parameters of the error that no axis gives."""
        return [parameter for parameter in error.parameters if parameter not in self.parameters]


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print before it ends the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def make_cells(
    axes: Sequence[str], given: Sequence[str], add_arguments: Callable[[argparse.ArgumentParser], None]
) -> list[Cell]:
    """All combinations of the axes, in the order of the values; without an axis, the one cell of what is given.

    Parameters
    ----------
    axes
        ``name=value,value,...`` each; the name is that of an option without its dashes.
    given
        The rest of the command line.
    add_arguments
        Adds what a training takes to a parser.

    Raises
    ------
    UsageError
        The first thing that is wrong, with its axis.
    """
    named = [_values_of(axis) for axis in axes]
    twice = {name for name, _ in named if sum(name == other for other, _ in named) > 1}
    if twice:
        raise UsageError(f"--grid {min(twice)}: given twice; put all its values behind one name")
    cells = []
    for values in itertools.product(*(values for _, values in named)):
        pairs = tuple(zip((name for name, _ in named), values, strict=True))
        parser = _Parser(prog="pupicker train", allow_abbrev=False, add_help=False)
        add_arguments(parser)
        line = list(given)
        for name, value in pairs:
            line = _with_option(parser, line, name, value)
        cell = Cell(pairs, line, _read(parser, line, pairs), tuple(
            parser._option_string_actions[f"--{name}"].dest for name, _ in pairs))
        try:
            check_options(vars(cell.args), cell.args.options)
        except UsageError as error:
            raise cell.blamed(error) from None
        cells.append(cell)
    return cells


def _read(parser: argparse.ArgumentParser, line: list[str], pairs: Sequence[tuple[str, str]]) -> argparse.Namespace:
    """The line as the parser reads it; what it refuses is said of the axes."""
    try:
        return parser.parse_args(line)
    except UsageError as error:
        text, flags = str(error), {f"--{name}" for name, _ in pairs}
        if not pairs:
            raise
        said = re.match(r"argument (\S+): ", text)
        if said and flags & set(said.group(1).split("/")):
            text = text[said.end():]
        raise UsageError(f"--grid {' '.join(f'{name}={value}' for name, value in pairs)}: {text}") from error


def _values_of(axis: str) -> tuple[str, list[str]]:
    name, sign, text = axis.partition("=")
    name = name.strip().lstrip("-")
    values = list(dict.fromkeys(value.strip() for value in text.split(",") if value.strip()))
    if not sign or not name or not values:
        raise UsageError(f"--grid {axis}: expected NAME=VALUE,VALUE,... such as updates=200,400")
    return name, values


def _with_option(parser: argparse.ArgumentParser, line: list[str], name: str, value: str) -> list[str]:
    """The line with an option of an axis; those that take no value are written ``no-refit=yes,no``."""
    action = parser._option_string_actions.get(f"--{name}")
    if action is None:
        known = sorted(option[2:] for option, known in parser._option_string_actions.items()
                       if option.startswith("--") and known.help != argparse.SUPPRESS)
        raise UsageError(f"--grid {name}: pupicker train has no such option to vary; it has {', '.join(known)}")
    if action.nargs != 0:
        return [*line, f"--{name}={value}"]
    if value.lower() not in (*_YES, *_NO):
        raise UsageError(f"--grid {name}={value}: this option takes no value; give yes or no")
    rest = [text for text in line if text not in action.option_strings]
    if value.lower() in _YES:
        return [*rest, f"--{name}"]
    return [*rest, *(text for text in action.option_strings if text != f"--{name}")]  # its opposite, if it has one
