"""Entry point of ``pupicker COMMAND``: parses, runs one command, turns errors into one line and an exit code.

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but some micrographs were quarantined (see the report file);
130 and 143 ended by Ctrl-C and by SIGTERM.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pupicker
from pupicker.commands.parsing.arguments import named, print_text, refuse_empty, worded
from pupicker.commands.parsing.swapped import check_swapped
from pupicker.commands.parsing.targets import check_targets
from pupicker.engine.files.targets import check_output_file
from pupicker.engine.runtime.checks import check_options
from pupicker.engine.runtime.errors import PuPickerError, UsageError, out_of_memory
from pupicker.engine.runtime.interruption import Terminated, terminated_by_signal
from pupicker.engine.runtime.progress import progress_on
from pupicker.engine.runtime.torchrun import started_by_torchrun
from pupicker.shared.choices import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_TERMINATED

if TYPE_CHECKING:
    from pupicker.engine.runtime.processes import Processes

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch is imported: its threads do not spin

COMMANDS = ("label", "preprocess", "train", "cross-validate", "pick", "baseline", "combine", "evaluate", "report",
            "simulate", "convert", "info", "recalibrate", "models", "serve")


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults behind each option that has one, the example as it was typed."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or isinstance(action.default, bool | list) or "default: " in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def build_parser() -> argparse.ArgumentParser:
    """The parser with one sub-parser for each of :data:`COMMANDS`."""
    parser = argparse.ArgumentParser(prog="pupicker", description="Particle picking from a few labelled examples.")
    parser.add_argument("--version", action="version", version=f"pupicker {pupicker.__version__}")
    sub = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"pupicker.commands.{name.replace('-', '_')}")
        command = sub.add_parser(
            name, help=module.HELP, description=module.HELP, formatter_class=_Formatter,
            epilog=f"example:\n  {module.EXAMPLE}", allow_abbrev=False,
        )
        module.add_arguments(command)
        refuse_empty(command)
        command.set_defaults(run=module.run, options=command.get_default("options") or ())
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; as one of the processes of torchrun lead them, or help."""
    if not started_by_torchrun():
        return _run(arguments)
    from pupicker.engine.runtime.processes import run_together

    return run_together(partial(_run, arguments), _help)


def _run(arguments: Sequence[str] | None, processes: Processes | None = None) -> int:
    args = build_parser().parse_args(arguments)
    _replace_closed("stderr", *(() if args.command == "serve" else ("stdout",)))  # serve has to know: it answers there
    for stream in (sys.stdout, sys.stderr):  # names of files need not be text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    args.command_line = shlex.join(["pupicker", *(sys.argv[1:] if arguments is None else arguments)])
    args.processes = processes
    try:
        with _heard(), progress_on(sys.stderr), terminated_by_signal():
            _check_alone(args)
            check_options(vars(args), args.options)
            check_swapped(args)
            check_targets(args)
            _check_written(args)
            code = int(args.run(args))
        print_text("", last=True)
        return code
    except BaseException as error:
        code, why = _ended_by(error)
        if not why and not code:
            raise
        if isinstance(error, OSError):
            _drop_output()
        if why and (processes is None or processes.first_to_tell()):
            sys.stderr.write(f"pupicker {args.command}: {_in_a_line(why)}\n")
        return code


def _replace_closed(*names: str) -> None:
    """What goes to a standard stream that was closed from the start is lost, and fails nothing, as with print."""
    for name in names:
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (until the process ends)


def _in_a_line(text: str) -> str:
    """Names of files may have line breaks."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _help(processes: Processes) -> int:
    """Share in the updates of a training; only what fails here and has not been said yet is worth a line."""
    from pupicker.engine.runtime.processes import Lost
    from pupicker.engine.training.optimisation import help_fitting

    try:
        help_fitting(processes)
        return EXIT_DONE
    except Exception as error:
        code, why = _ended_by(error)
        if processes.first_to_tell():
            if not why:
                raise
            sys.stderr.write(f"pupicker train: {why} [process {processes.rank} of {processes.count}]\n")
            return code
        return EXIT_DONE if isinstance(error, Lost) else EXIT_FAILED


def _ended_by(error: BaseException) -> tuple[int, str]:
    """Exit code and why, in a line; 0 and nothing: a fault of the program, whose traceback is wanted."""
    if isinstance(error, PuPickerError):
        return error.exit_code, f"error: {worded(error)}"
    if isinstance(error, BrokenPipeError):  # the reader of the results has gone
        return EXIT_FAILED, ""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return EXIT_FAILED, f"error: {where}{error.strerror or error}"
    if isinstance(error, MemoryError | RuntimeError) and out_of_memory(error):
        return EXIT_FAILED, (f"error: out of memory ({' '.join(str(error).split())[:200]}); give fewer or smaller"
                             " micrographs, another --device, or a machine with more memory")
    if isinstance(error, Terminated):
        return EXIT_TERMINATED, "terminated"
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED, "interrupted"
    return 0, ""


def _check_alone(args: argparse.Namespace) -> None:
    """Nothing but a training is made for several processes of torchrun: each would do the same work."""
    if args.processes and args.command != "train":
        raise UsageError("torchrun starts several processes, and only train shares its work among them; start it"
                         f" without{', or with --part in each of several jobs' if args.command == 'pick' else ''}")


def _drop_output() -> None:
    """If the standard output takes nothing more, what is left in its buffer goes nowhere."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_written(args: argparse.Namespace) -> None:
    """Files beside the output that could not be written at the end are an error now."""
    for name in ("report", "status"):
        target = getattr(args, name, None)
        if target is not None:
            check_output_file(target, f"--{name}")


class _Line(logging.Formatter):
    """``note: ...`` or ``warning: ...``, with the options that are meant; a quarantine says itself what it is."""

    def format(self, record: logging.LogRecord) -> str:
        text = _in_a_line(named(record.getMessage(), getattr(record, "parameters", ())))
        if text.startswith("quarantined: "):
            return text
        return f"{'note' if record.levelno < logging.WARNING else record.levelname.lower()}: {text}"


@contextmanager
def _heard() -> Iterator[None]:
    """What the library has to say goes to stderr, line by line, as long as the command runs."""
    logger, handler = logging.getLogger("pupicker"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
