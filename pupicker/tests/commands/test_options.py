"""Every command: its help says range and default of its options, and refuses what cannot be before it reads a file."""

from __future__ import annotations

import argparse
import math

import pytest

from pupicker.commands.main import COMMANDS, build_parser
from pupicker.tests.commands.command_line import run

# What each needs at least; none of these files exists.
LINES = {
    "preprocess": ("m.mrc", "--output", "o"), "train": ("m.mrc", "--diameter", 100, "--output", "o"),
    "cross-validate": ("m.mrc", "--diameter", 100, "--output", "o"),
    "label": ("m.mrc",),
    "pick": ("m.mrc", "--model", "m", "--output", "o"),
    "baseline": ("dog", "m.mrc", "--diameter", 100, "--output", "o"),
    "combine": ("a.star", "b.star", "--output", "o.star", "--diameter", 100),
    "evaluate": ("--picks", "p.star", "--truth", "t.star", "--radius", 5),
    "report": ("m.mrc", "--picks", "p.star", "--output", "o.html"), "simulate": ("--output", "o"),
    "convert": ("a.star", "b.star"), "info": ("m.mrc",),
    "recalibrate": ("m", "--particles-per-micrograph", 5, "--output", "o"),
    "serve": ("--watch", "m", "--output", "o"),
    "models list": (), "models show": ("m",), "models check": (), "models publish": ("m", "--name", "n"),
}
LEARNING = ("train", "cross-validate")


def commands(parser=None, above=""):
    """Parsers by what is typed; of a command that has commands of its own, those."""
    found = {}
    for action in (parser or build_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, one in action.choices.items():
                found.update(commands(one, f"{above}{name} ") or {above + name: one})
    return found


DECLARED = [(name, option) for name, parser in commands().items() for option in parser.get_default("options") or ()]


def given(command, option, value):
    """A line with this value that lacks nothing else."""
    line = [*command.split(), *LINES[command], f"--{option.replace('_', '-')}={value}"]
    if command in LEARNING and option != "pseudo_labels":
        line += ["--picks", "p.star"]
    if command == "preprocess" and option not in ("diameter", "target_pixel_size"):
        line += ["--diameter", 100]
    return line


def test_every_command_has_declared_options():
    assert set(LINES) == set(commands()) and {name.split()[0] for name, _ in DECLARED} == set(COMMANDS)
    assert len(DECLARED) > 90


@pytest.mark.parametrize("command", LINES)
def test_the_help_shows_range_and_default(command):
    def squeezed(text):  # the help is broken at blanks and hyphens
        return "".join(text.split())

    shown = squeezed(commands()[command].format_help())
    for option in commands()[command].get_default("options") or ():
        assert squeezed(option.description.replace("Å", "A")) in shown, option.name
        assert f"{squeezed(option.description.replace('Å', 'A'))}(default:" not in shown, option.name


@pytest.mark.parametrize("command", ["train", "cross-validate", "pick"])
def test_the_help_in_words(command):
    shown = " ".join(commands()[command].format_help().split())
    assert "of the micrographs, in A (above 0 and at most 100; default: from their headers)" in shown
    assert "processor threads, 0: all cores (from 0 to 512; default: 0)" in shown
    assert ("(from 0 to 1; default: 0.01)" in shown) is (command != "pick")


NUMBERS = [(command, option) for command, option in DECLARED if option.kind in (int, float)]


@pytest.mark.parametrize(("command", "option"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_no_number_is_read_unchecked(capsys, tmp_path, monkeypatch, command, option):
    monkeypatch.chdir(tmp_path)
    wrong = [math.nan, math.inf, "abc"]
    if option.minimum is not None:
        wrong.append(option.minimum if option.minimum_excluded else option.minimum - 1)
    if option.maximum is not None:
        wrong.append(option.maximum if option.maximum_excluded else option.maximum * 10)
    for value in wrong:
        message = run(capsys, *given(command, option.name, value)).error(2)
        assert f"(--{option.name.replace('_', '-')})" in message and " must be " in message
        assert option.range in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "option", "value"), [
    ("report", "pixel_size", 0), ("info", "pixel_size", 0), ("baseline", "template_pixel_size", 0),
    ("evaluate", "threads", -1), ("evaluate", "device", "foo"), ("pick", "min_distance", 1e9),
    ("baseline", "threshold", "inf"), ("pick", "threshold", "nan"), ("train", "training_radius", 0.1),
    ("pick", "threads", 100000), ("simulate", "threads", 100000), ("train", "device", "gpu"), ("train", "updates", 1.5),
])
def test_what_used_to_be_taken_is_refused(capsys, command, option, value):
    assert f"(--{option.replace('_', '-')})" in run(capsys, *given(command, option, value)).error(2)


@pytest.mark.parametrize(("text", "number"), [("400", 400), ("4e2", 400), ("1_000", 1000)])
def test_whole_numbers_are_whole(text, number):
    args = build_parser().parse_args(list(map(str, given("train", "updates", text))))
    assert args.updates == number and isinstance(args.updates, int)
