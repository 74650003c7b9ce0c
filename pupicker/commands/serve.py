"""``pupicker serve``: a process that loads once and answers requests, one JSON object a line."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.commands.parsing.arguments import add_device, add_exclusion, add_model, add_options, chosen_device
from pupicker.engine.files.targets import check_output_file, check_output_folder
from pupicker.shared import options

if TYPE_CHECKING:
    from pupicker.engine.serving.server import Server
    from pupicker.engine.serving.watching import Watched

HELP = "Stay loaded and answer requests (JSON lines), or pick what appears in a folder."
EXAMPLE = """pupicker serve --model model.pupicker
  pupicker serve --model model.pupicker --watch micrographs/ --output picks/"""

_POLL_S = 0.1
_OF_WATCH: dict[str, Any] = {
    "output": None, "format": "star", "masks": None, "margin": None, "exclude_contamination": None,
    **{option.name: option.default for option in (
        options.DIAMETER, options.SETTLE, options.THRESHOLD, options.MIN_DISTANCE, options.SCORE_SD, options.PIXEL_SIZE,
        options.KEEP_BORDERS)}}
"""Options that mean nothing without --watch, as they are if nobody gives them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_model(parser, "model of requests that name none, and of --watch")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--socket", type=Path, metavar="PATH",
                       help="Unix socket to make, for any number of clients (default: requests come on standard input)")
    where.add_argument("--watch", type=Path, metavar="DIR",
                       help="instead of requests, pick what appears in this folder, once each")
    parser.add_argument("--metrics", type=Path, metavar="FILE",
                        help="write counters after every micrograph: JSON with .json, else as Prometheus reads them")
    add_device(parser)
    watch = parser.add_argument_group("with --watch")
    watch.add_argument("--output", type=Path, metavar="DIR", help="folder for one table a micrograph")
    watch.add_argument("--format", choices=("star", "tsv", "csv"), default="star", help="of the tables")
    add_options(watch, options.SETTLE, options.DIAMETER.but(
        required=False, help="pick with the general model, without --model: longest extent of the particle"))
    add_options(watch, options.THRESHOLD, options.MIN_DISTANCE, options.SCORE_SD, options.PIXEL_SIZE,
                options.KEEP_BORDERS)
    add_exclusion(parser, of_model=True)


def run(args: argparse.Namespace) -> int:
    """Execute the command."""
    from pupicker.engine.runtime.interruption import stop_on_signals
    from pupicker.engine.serving.pickers import Pickers
    from pupicker.engine.serving.picking import Work
    from pupicker.engine.serving.server import Server
    from pupicker.engine.serving.turns import Turns
    from pupicker.shared.counters import Counters

    watched = _watched(args)
    if args.metrics:
        check_output_file(args.metrics, "--metrics")
    (device, threads), turns = chosen_device(args), Turns()
    pickers = Pickers(device, args.model, turns)
    if args.model:
        pickers.model(None)  # now: what cannot be used is no start
    server = Server(Work(pickers, Counters([args.metrics] if args.metrics else []), threads), turns)
    with stop_on_signals() as stop, _answers() as reply:
        server.start()
        ended = threading.Event()
        with _listening(args, watched, server, reply, ended):
            while not (ended.wait(_POLL_S) or server.ending.is_set()):
                if stop():
                    server.end()
        server.close()
        while not server.join(_POLL_S):
            if stop():
                server.end()
    return 0


@contextmanager
def _answers() -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield what writes an answer to standard output; what a library writes there goes to standard error."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)
        try:
            yield _writer(stream)
        finally:
            with suppress(OSError):
                stream.flush()
            os.dup2(stream.fileno(), 1)


def _writer(stream: Any) -> Callable[[dict[str, Any]], None]:
    lock = threading.Lock()

    def reply(answer: dict[str, Any]) -> None:
        line = json.dumps(answer, allow_nan=False) + "\n"
        with lock:
            if stream.closed:
                raise BrokenPipeError("the client has gone")
            stream.write(line)
            stream.flush()

    return reply


@contextmanager
def _listening(
    args: argparse.Namespace, watched: Watched | None, server: Server, reply: Callable[[dict[str, Any]], None],
    ended: threading.Event,
) -> Iterator[None]:
    """Requests come in while the block runs; `ended` is set when no more can come."""
    if watched is not None:
        from pupicker.engine.serving.watching import Watch

        reply(server.ready())
        watch = Watch(watched, server, reply)
        watch.start()
        yield
        watch.join()
    elif args.socket:
        with _socket(args.socket) as listener:
            threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
            reply(server.ready())
            yield
    else:
        reply(server.ready())
        lines = os.fdopen(os.dup(0), encoding="utf-8", errors="replace")
        threading.Thread(target=_read, args=(lines, server, reply, ended), daemon=True).start()
        yield


def _read(
    lines: Iterable[str], server: Server, reply: Callable[[dict[str, Any]], None], ended: threading.Event | None = None
) -> None:
    try:
        for line in lines:
            if line.strip():
                server.take(line, reply)
    finally:
        if ended is not None:
            ended.set()


@contextmanager
def _socket(path: Path) -> Iterator[socket.socket]:
    """A listening socket of this user; one that a dead process left is replaced."""
    from pupicker.engine.runtime.errors import UsageError

    with socket.socket(socket.AF_UNIX) as listener:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX) as other:
                if other.connect_ex(str(path)) == 0:
                    raise UsageError(f"--socket {path}: another process serves there; choose another path")
            path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:  # longer than a hundred characters, no such folder, something else is there
            raise UsageError(f"--socket {path}: {error.strerror or error}; choose another path") from error
        finally:
            os.umask(before)
        listener.listen()
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _accept(listener: socket.socket, server: Server) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # closed
            return
        threading.Thread(target=_serve, args=(client, server), daemon=True).start()


def _serve(client: socket.socket, server: Server) -> None:
    """Until the client closes; what was asked before it said that nothing more comes is still answered."""
    answers = client.makefile("w", encoding="utf-8")
    write = _writer(answers)

    def reply(answer: dict[str, Any]) -> None:
        try:
            write(answer)
        except OSError:
            server.cancel(reply)
            raise

    with client, suppress(OSError):
        try:
            reply(server.ready())
            with client.makefile(encoding="utf-8", errors="replace") as lines:
                _read(lines, server, reply)
            server.wait_for(reply)
        finally:
            with suppress(OSError):  # what is left in it reaches nobody
                answers.close()


def _watched(args: argparse.Namespace) -> Watched | None:
    """What is watched; raises UsageError where options do not go together, or there is nothing to talk by."""
    from pupicker.engine.runtime.errors import UsageError
    from pupicker.engine.serving.watching import Watched, check_watched

    if not sys.stdout:
        raise UsageError("standard output is closed, and answers go there; send it to a file, or to /dev/null")
    if not args.watch:
        if not (sys.stdin or args.socket):
            raise UsageError("standard input is closed, so that no request can come; give --socket or --watch")
        given = [f"--{name.replace('_', '-')}" for name, default in _OF_WATCH.items() if getattr(args, name) != default]
        if given:
            raise UsageError(f"{', '.join(given)}: only for --watch; a request names its own")
        return None
    if not args.output:
        raise UsageError("--watch needs a folder for the tables: give --output")
    if (args.model is None) == (args.diameter is None):
        raise UsageError("--watch needs either a model, or a diameter for the general model", "model", "diameter")
    check_watched(args.watch)
    check_output_folder(args.output, "--output")
    shared = ("threshold", "min_distance", "pixel_size", "keep_borders", "margin", "exclude_contamination", "format")
    values: dict[str, Any] = {name: getattr(args, name) for name in shared}
    values["masks"] = None if args.masks is None else str(args.masks)
    values |= {"diameter": args.diameter} if args.model is None else {"score_sd": args.score_sd}
    return Watched(args.watch, args.output, "suggest" if args.model is None else "pick", values, args.settle)
