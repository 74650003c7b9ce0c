"""Do the tests notice a wrong operator, number or comparison?  Mutations of core and training, one at a time.

    python -m benchmarks.torture.mutation [--count 60] [--seed 0] [--only core/scores core/detection]

A mutation changes one thing in a copy of the package: ``+`` for ``-``, ``<`` for ``<=``, a number by one or to its
negative, ``and`` for ``or``, a condition for its contrary, a value that is returned for None.  All tests of
:data:`TESTS` run once, which notes what functions each of them calls (:mod:`benchmarks.torture.calls`).  Then the quick
ones of those that call the changed function run against the copy; a mutation that they pass has survived.  One that
only changes what is said, or nothing at all, cannot be killed by any test: the list of survivors is for reading.

Results: results/mutation.json and .md.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
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
from pupicker.shared.json_files import write_json

PACKAGE = Path(pupicker.__file__).resolve().parent
FOLDERS = ("core/image", "core/regions", "core/networks", "core/objectives", "core/detection", "core/scores",
           "engine/training")
TESTS = ("core", "engine/training", "engine/models")
"""Folders of tests that are asked."""

LONGEST_CPU_S, LONGEST_S = 150, 3600
"""Processor seconds after which tests are ended, and seconds after which they hang."""

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
    text: str
    function: int = 0


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
            tree = ast.parse(path.read_text())
            for index, node in enumerate(places(tree)):
                for number, other in enumerate(variants(node)):
                    text = f"{ast.unparse(node)}  →  {ast.unparse(ast.fix_missing_locations(other))}"
                    found.append(Mutation(path.relative_to(PACKAGE).as_posix(), index, number,
                                          getattr(node, "lineno", 0), " ".join(text.split())[:160],
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
                                str(root), *chosen], [recorder] if recorder else []))
    finally:
        os._exit(code)


def recorded(root: Path) -> Calls:
    """Which tests call what; they pass as long as nothing is changed."""
    output = root / "calls.json"
    folders = [f"pupicker/tests/{name}" for name in TESTS]
    code = tested(root, folders, Recorder(root / "pupicker", output))
    if code:
        raise SystemExit(f"the tests fail without a mutation (exit code {code}): run pytest on {', '.join(folders)}")
    return Calls.read(output)


def report(rows: list[dict[str, Any]], possible: int, seed: int) -> str:
    """Counts by folder and the survivors, in Markdown."""
    lines = [f"{len(rows)} of {possible} possible mutations, drawn with seed {seed}.", "",
             "| folder | mutations | killed | of them too slow | survived | killed, % |", "|---|---|---|---|---|---|"]
    folders = [*dict.fromkeys(row["module"].rsplit("/", 1)[0] for row in rows)]
    for folder in [*folders, ""]:
        own = [row for row in rows if row["module"].startswith(folder)]
        survived = sum(row["outcome"] == "survived" for row in own)
        lines.append(f"| {folder or 'all'} | {len(own)} | {len(own) - survived} |"
                     f" {sum(row['outcome'] == 'too slow' for row in own)} | {survived} |"
                     f" {100 * (1 - survived / len(own)):.0f} |")
    lines += ["", "Survivors:", ""]
    lines += [f"- `{row['module']}:{row['line']}`: `{row['text']}`" for row in rows if row["outcome"] == "survived"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Draw, mutate, test, write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=list(FOLDERS), choices=FOLDERS)
    parser.add_argument("--minutes", type=float, default=1e9, help="ends after so many")
    parser.add_argument("--output", type=Path, default=RESULTS / "mutation.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    every = all_mutations(args.only)
    drawn = random.Random(args.seed).sample(every, min(args.count, len(every)))
    begin, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        root = Path(name)
        shutil.copytree(PACKAGE, root / "pupicker", ignore=shutil.ignore_patterns("__pycache__"))
        calls = recorded(root)
        for mutation in drawn:
            if time.monotonic() - begin > 60 * args.minutes:
                break
            found = outcome(mutation, root, calls)
            rows.append({"module": mutation.module, "line": mutation.line, "text": mutation.text, "outcome": found})
            print(f"{found}: {mutation.module}:{mutation.line}: {mutation.text}", flush=True)
            write_json(args.output, {"machine": hardware(), "versions": {"pupicker": pupicker_code(), **LOADED},
                                     "seed": args.seed, "possible": len(every), "rows": rows})
            write_text(args.output.with_suffix(".md"), report(rows, len(every), args.seed))


if __name__ == "__main__":
    main()
