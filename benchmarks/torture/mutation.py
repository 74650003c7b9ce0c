"""Do the tests notice a wrong operator, number or comparison?  Mutations of core and training, one at a time.

    python -m benchmarks.torture.mutation [--count 60] [--seed 0] [--only core/scores core/detection]
    python -m benchmarks.torture.mutation --again

A mutation changes one thing in a copy of the package: ``+`` for ``-``, ``<`` for ``<=``, a number by one or to its
negative, ``and`` for ``or``, a condition for its contrary, a value that is returned for None.  All tests of
:data:`TESTS` run once, which notes what functions each of them calls (:mod:`benchmarks.torture.calls`).  Then the quick
ones of those that call the changed function run against the copy; a mutation that they pass has survived.  One that
only changes what is said, or nothing at all, cannot be killed by any test: the list of survivors is for reading, and
what was found of one is written in reasons.json beside this module.

Tests that are written because of a survivor say nothing of the tests that were there: ``--again`` tries the survivors
without a reason once more, and those that are killed then are counted apart.

Results: results/mutation.json and .md.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch

import pupicker
from benchmarks.common.runs import RESULTS, hardware, pupicker_code
from benchmarks.torture.calls import Calls, Recorder, function_at
from pupicker.shared.atomic import write_text
from pupicker.shared.json_files import read_json, write_json

PACKAGE = Path(pupicker.__file__).resolve().parent
FOLDERS = ("core/image", "core/regions", "core/networks", "core/objectives", "core/detection", "core/scores",
           "engine/training")
TESTS = ("core", "engine/training", "engine/models")
"""Folders of tests that are asked."""

REASONS = Path(__file__).with_name("reasons.json")
"""Why a survivor may live: ``[module, line of code, change, reason]`` each."""

LONGEST_CPU_S, LONGEST_S = 150, 3600
"""Processor seconds after which tests are ended, and seconds after which they hang."""

PROFILE = "mutation"
"""Of hypothesis: that an example fails is enough, the smallest one is not looked for."""
hypothesis.settings.register_profile(
    PROFILE, deadline=None, database=None, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])

LOADED = {"torch": torch.__version__, "hypothesis": hypothesis.__version__, "pytest": pytest.__version__}
SLOW = (-signal.SIGALRM, -signal.SIGXCPU)
OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or,
    ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutation:
    """One change: the module, the number of the node in it, which of its changes, how it reads, in which function."""

    module: str
    node: int
    variant: int
    line: int
    column: int
    source: str
    text: str
    function: int

    @property
    def name(self) -> tuple[str, str, str, int]:
        """The same as long as the line of code is."""
        return self.module, self.source, self.text, self.column


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What a node could be in its place."""
    if isinstance(node, ast.BinOp) and type(node.op) in OTHER:
        yield _with(node, op=OTHER[type(node.op)]())
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        yield _with(node, ops=[OTHER[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=OTHER[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield _with(node, value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield _with(node, value=node.value + 1)
        if node.value and not (isinstance(node.value, int) and node.value <= 2):  # -1 is the axis 1 by another name
            yield _with(node, value=-node.value)
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield _with(node, value=ast.Constant(None))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def places(tree: ast.AST) -> list[ast.AST]:
    """Nodes that can be changed; not types, not the words of errors, not that a zip wants equal lengths."""
    left_out = {id(inner) for node in ast.walk(tree) for part in _unimportant(node) for inner in ast.walk(part)}
    return [node for node in ast.walk(tree) if id(node) not in left_out and next(variants(node), None) is not None]


def _unimportant(node: ast.AST) -> list[ast.AST]:
    typed = [getattr(node, name, None) for name in ("annotation", "returns")]
    found = [part for part in typed if isinstance(part, ast.AST)]
    strict = isinstance(node, ast.keyword) and node.arg == "strict"
    return [*found, node] if strict or isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert) else found


def all_mutations(folders: list[str]) -> list[Mutation]:
    """Every one there is."""
    found = []
    for folder in folders:
        for path in sorted((PACKAGE / folder).glob("*.py")):
            tree, lines = ast.parse(path.read_text()), path.read_text().splitlines()
            for index, node in enumerate(places(tree)):
                for number, other in enumerate(variants(node)):
                    text = f"{ast.unparse(node)}  →  {ast.unparse(ast.fix_missing_locations(other))}"
                    line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
                    found.append(Mutation(
                        path.relative_to(PACKAGE).as_posix(), index, number, line, column,
                        lines[line - 1].strip() if line else "", " ".join(text.split())[:160],
                        function_at(tree, node)))
    return found


def mutated(mutation: Mutation) -> str:
    """The source of the module with the change."""
    tree = ast.parse((PACKAGE / mutation.module).read_text())
    wanted = places(tree)[mutation.node]
    other = list(variants(wanted))[mutation.variant]

    class Change(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return other if node is wanted else self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Change().visit(tree)))


def outcome(mutation: Mutation, root: Path, calls: Calls) -> str:
    """killed, survived, or too slow, which is killed too."""
    target, source = root / "pupicker" / mutation.module, mutated(mutation)
    before = target.read_text()
    tests = calls.tests_of((mutation.module, mutation.function))
    if not tests:
        return "survived"
    target.write_text(source)
    try:
        code = tested(root, tests)
        return "survived" if code == 0 else "too slow" if code in SLOW else "killed"
    finally:
        target.write_text(before)


def tested(root: Path, chosen: list[str], recorder: Recorder | None = None) -> int:
    """Exit code of pytest, in a process that is forked from this one, in which all but the package is loaded."""
    number = os.fork()
    if number:
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    code = 1
    try:
        signal.alarm(LONGEST_S)
        if not recorder:
            resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_CPU_S, LONGEST_CPU_S + 5))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nothing, stream)
        os.chdir(root)
        for name in [name for name in sys.modules if name.split(".")[0] in ("pupicker", "benchmarks")]:
            del sys.modules[name]
        sys.path.insert(0, str(root))
        code = int(pytest.main(["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir",
                                str(root), f"--hypothesis-profile={PROFILE}", *chosen],
                               [recorder] if recorder else []))
    finally:
        os._exit(code)


def recorded(root: Path, folders: Iterable[str] = TESTS) -> Calls:
    """Which tests call what; they pass as long as nothing is changed."""
    output = root / "calls.json"
    tests = [f"pupicker/tests/{name}" for name in folders]
    code = tested(root, tests, Recorder(root / "pupicker", output))
    if code:
        raise SystemExit(f"the tests fail without a mutation (exit code {code}): run pytest on {', '.join(tests)}")
    return Calls.read(output)


def report(rows: list[dict[str, Any]], possible: int, seed: int, reasons: dict[tuple[str, str, str], str]) -> str:
    """Counts by folder and the survivors, in Markdown; `reasons` by module, line of code and change."""
    lines = [f"{len(rows)} of {possible} possible mutations, drawn with seed {seed}.", "",
             "| folder | mutations | killed when drawn | of them too slow | killed by tests written since | survived |"
             " of them with a reason | killed when drawn, % | killed now, % |", "|---|---|---|---|---|---|---|---|---|"]
    folders = [*dict.fromkeys(row["module"].rsplit("/", 1)[0] for row in rows)]
    for folder in [*sorted(folders), ""]:
        own = [row for row in rows if row["module"].startswith(folder)]
        alive = [row for row in own if row["outcome"] == "survived"]
        later = sum(row.get("again", False) for row in own if row not in alive)
        slow = sum(row["outcome"] == "too slow" and not row.get("again") for row in own)
        first = len(own) - len(alive) - later
        lines.append(f"| {folder or 'all'} | {len(own)} | {first} | {slow} | {later} | {len(alive)} |"
                     f" {sum(_name(row) in reasons for row in alive)} | {100 * first / len(own):.0f} |"
                     f" {100 * (first + later) / len(own):.0f} |")
    lines += ["", "The tests written since were written for these very mutations: what they kill says nothing of those"
              " that were not drawn."]
    lines += ["", "Survivors:", ""]
    for row in rows:
        if row["outcome"] == "survived":
            lines.append(f"- `{row['module']}:{row['line']}`: `{row['source']}`: `{row['text']}`"
                         f"  \n  {reasons.get(_name(row), 'no reason known')}")
    lines += ["", "Killed by tests written since:", ""]
    lines += [f"- `{row['module']}:{row['line']}`: `{row['source']}`: `{row['text']}`"
              for row in rows if row["outcome"] != "survived" and row.get("again")]
    return "\n".join(lines) + "\n"


def _name(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["module"], row["source"], row["text"]


def known_reasons() -> dict[tuple[str, str, str], str]:
    """What was found of survivors, by module, line of code and change."""
    return {(module, source, text): reason for module, source, text, reason in json.loads(REASONS.read_text())}


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=list(FOLDERS), choices=FOLDERS)
    parser.add_argument("--minutes", type=float, default=1e9, help="ends after so many")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--resume", action="store_true", help="go on with the same draw after those of the results")
    which.add_argument("--again", action="store_true",
                       help="try survivors without a reason, by tests of their folders")
    parser.add_argument("--calls", type=Path, help="file of which test calls what: read if it is there, else written")
    parser.add_argument("--output", type=Path, default=RESULTS / "mutation.json")
    return parser.parse_args()


def calls_known(args: argparse.Namespace, root: Path, drawn: list[Mutation]) -> Calls:
    """Which test calls what: as it was kept, or recorded."""
    if args.calls and args.calls.exists():
        return Calls.read(args.calls)
    folders = sorted({mutation.module.rsplit("/", 1)[0] for mutation in drawn}) if args.again else TESTS
    calls = recorded(root, folders)
    if args.calls:
        shutil.copy(root / "calls.json", args.calls)
    return calls


def main() -> None:
    """Draw, mutate, test, write after each."""
    args = parsed()
    torch.set_num_threads(1)
    every = all_mutations(args.only)
    fresh = {"seed": args.seed, "possible": len(every), "rows": []}
    known = read_json(args.output) if args.again or args.resume else fresh
    if not known:
        raise SystemExit(f"{args.output}: holds no results; measure without --resume and --again first")
    if args.resume and any(known[key] != fresh[key] for key in ("seed", "possible")):
        raise SystemExit("the results are of another draw or of another code")
    rows: list[dict[str, Any]] = known["rows"]
    if args.again:
        alive = {(row["module"], row["source"], row["text"], row["column"]): row
                 for row in rows if row["outcome"] == "survived" and _name(row) not in known_reasons()}
        drawn = [mutation for mutation in every if mutation.name in alive]
        print(f"{len(drawn)} of {len(alive)} survivors are still possible", flush=True)
    else:
        drawn = random.Random(args.seed).sample(every, min(args.count, len(every)))[len(rows):]
    begin = time.monotonic()

    def write_table() -> None:
        write_text(args.output.with_suffix(".md"), report(rows, known["possible"], known["seed"], known_reasons()))

    def write() -> None:
        write_json(args.output, {"machine": hardware(), "versions": {"pupicker": pupicker_code(), **LOADED},
                                 **{key: known[key] for key in ("seed", "possible", "rows")}})
        write_table()

    if not drawn:
        return write_table()  # reasons may be new
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        root = Path(name)
        shutil.copytree(PACKAGE, root / "pupicker", ignore=shutil.ignore_patterns("__pycache__"))
        calls = calls_known(args, root, drawn)
        print(f"{time.monotonic() - begin:.0f} s: it is known what test calls what", flush=True)
        for mutation in drawn:
            if time.monotonic() - begin > 60 * args.minutes:
                break
            found = outcome(mutation, root, calls)
            print(f"{time.monotonic() - begin:.0f} s: {found}: {mutation.module}:{mutation.line}: {mutation.text}",
                  flush=True)
            if args.again:
                alive[mutation.name].update(outcome=found, line=mutation.line, again=True)
            else:
                rows.append({"module": mutation.module, "line": mutation.line, "column": mutation.column,
                             "source": mutation.source, "text": mutation.text, "outcome": found})
            write()


if __name__ == "__main__":
    main()
